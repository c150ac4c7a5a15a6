"""The front of a scanner: what lists and guards ask of it, while its heart waits for the first use."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.scanner import AskingScanner, Scanner, Verdict
from promptrails_scanners.foundation import lazily

COMMON = ("threshold", "allow", "allow_patterns", "max_chars", "on_too_long")
"""The names of the options that every scanner has."""
_KEPT = 64
"""So many built scanners are kept for those who call `scan` alone."""


class Build(Protocol):
    """The function `build` of a scanner's module."""

    def __call__(self, config: Mapping[str, Any]) -> Scanner: ...


class Scan(Protocol):
    """The function `scan` of a scanner's module."""

    def __call__(self, text: str, **options: Any) -> Verdict: ...


def front(name: str, heart: str) -> tuple[Build, Scan, Callable[[str], Any], Callable[[], list[str]]]:
    """The `build`, the `scan`, the `__getattr__` and the `__dir__` of a scanner's module.

    `heart` is the module that has its `build`, its options and all else.  It is loaded when a scanner is built, or one
    of its names is asked for; threads that come first at once wait for one of them to do it.
    """

    def build(config: Mapping[str, Any]) -> Scanner:
        """A scanner with these options.

        Raises:
            ConfigurationError: an option is unknown or cannot be used; the message names it.
        """
        built: Scanner = lazily.module(heart).build(config)
        return built

    def load(asked: str) -> Any:
        loaded = None if asked.startswith("_") else lazily.module(heart)
        if loaded is None or not hasattr(loaded, asked):
            raise AttributeError(f"module {name!r} has no attribute {asked!r}")
        return getattr(loaded, asked)

    return build, alone(build), load, lambda: sorted(sys.modules[name].__all__)


def alone(build: Build) -> Scan:
    """The function `scan(text, **options)` of a scanner's module: it builds once for the same options."""

    @lru_cache(maxsize=_KEPT)
    def built(options: str) -> Scanner:
        return build(json.loads(options))

    def scan(text: str, **options: Any) -> Verdict:
        """The verdict on a text.

        Raises:
            ConfigurationError: an option is unknown or cannot be used; the message names it.
        """
        if "judge" in options:
            return _asking_nobody(build(options)).scan(text)
        try:
            known = json.dumps(options, sort_keys=True)
        except (TypeError, ValueError):  # an object of the caller's own, such as a function
            return build(options).scan(text)
        return built(known).scan(text)

    return scan


def _asking_nobody(scanner: Scanner) -> Scanner:
    if isinstance(scanner, AskingScanner) and scanner.asks is not None:
        raise ConfigurationError(
            f"scanner '{scanner.meta.type}': 'judge': only an engine can ask the model '{scanner.asks}'; use "
            "engine.guardrails.scan, or give a function of messages that returns the text of a reply"
        )
    return scanner
