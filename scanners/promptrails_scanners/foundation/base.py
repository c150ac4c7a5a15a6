"""What every scanner does alike: texts that are too long, and built scanners that are used again."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Generic, NoReturn

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.scanner import AskingScanner, Scanner, ScannerMeta, Verdict
from promptrails_scanners.foundation.allow import Allowed
from promptrails_scanners.foundation.options import Options

_KEPT = 64
"""So many built scanners are kept for those who call `scan` alone."""


class BaseScanner(ABC, Generic[Options]):
    """A scanner whose options have been read.  Nothing of it changes after it was made."""

    meta: ScannerMeta

    def __init__(self, options: Options) -> None:
        self.options = options
        self.allowed = Allowed(options.allow, options.allow_patterns, self.meta.type)

    def scan(self, text: str) -> Verdict:
        """The verdict; a text over `max_chars` is dealt with as `on_too_long` says."""
        options = self.options
        if len(text) <= options.max_chars or options.on_too_long == "scan_windows":
            return self.judge(text)
        if options.on_too_long == "block":
            why = f"the text has more than {options.max_chars} characters"
            return Verdict(True, 1.0, reason=why, truncated=True)
        verdict = self.judge(text[: options.max_chars])
        rest = text[options.max_chars :]
        redacted = None if verdict.redacted is None else verdict.redacted + rest
        return replace(verdict, redacted=redacted, truncated=True)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a built scanner cannot be pickled or copied; build one from the same options where it is needed"
        )

    @abstractmethod
    def judge(self, text: str) -> Verdict:
        """The verdict on a text of any length."""

    def settled(self, text: str) -> int | None:
        """How much of a growing text is decided; None where a scanner needs all of it."""
        return None


def alone(build: Callable[[Mapping[str, Any]], Scanner]) -> Callable[..., Verdict]:
    """The function `scan(text, **options)` of a scanner's module: it builds once for the same options.

    The function raises a ConfigurationError where an option is unknown or cannot be used.
    """

    @lru_cache(maxsize=_KEPT)
    def built(options: str) -> Scanner:
        return build(json.loads(options))

    def scan(text: str, **options: Any) -> Verdict:
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
