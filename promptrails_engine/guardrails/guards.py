"""Guards, made of what an agent version says of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from promptrails_engine.definitions.guards import GuardOptions, Place, split_config
from promptrails_engine.errors import DefinitionError
from promptrails_engine.guardrails.scanners import Scanners
from promptrails_engine.ports.scanner import AskingScanner, Scanner
from promptrails_engine.run.binding import ModelBinding
from promptrails_engine.run.guards import Guard, Guards

_log = logging.getLogger(__name__)
_LAST = 1 << 62
_LOOK_MS, _JUDGE_MS = 10_000.0, 60_000.0
Bind = Callable[[str], ModelBinding]
"""Finds who serves a model."""


def build_guards(
    specs: Sequence[Mapping[str, Any]], scanners: Scanners, bind: Bind | None, *, one_speaker: bool
) -> Guards:
    """The active guards of an agent version, by what they look at, in the order in which they look.

    With `one_speaker` the answer comes from one prompt, so that it can be heard while it comes.  Without `bind` they
    are only checked: whoever asks a model has none.

    Raises:
        DefinitionError: a scanner is unknown, or cannot use its options.
        MissingExtraError: a scanner needs a package that is not installed.
        ModelNotServedError: nobody serves the model of a judge.
    """
    posts: dict[Place, list[Guard]] = {"input": [], "output": [], "tool_arguments": [], "tool_results": []}
    active = [spec for spec in specs if spec.get("is_active", True)]
    for spec in sorted(active, key=_place):
        guard, places = _built(spec, scanners, bind, one_speaker)
        for place in places:
            posts[place].append(guard)
    for guards in posts.values():
        _warn(guards)
    return Guards(*(tuple(guards) for guards in posts.values()))


def _place(spec: Mapping[str, Any]) -> int:
    order = spec.get("sort_order")
    return _LAST if order is None else order


def _built(
    spec: Mapping[str, Any], scanners: Scanners, bind: Bind | None, one_speaker: bool
) -> tuple[Guard, Sequence[Place]]:
    options, config = split_config(spec.get("config", {}))
    scanner = scanners.build(spec["scanner_type"], config)
    direction, action = spec["type"], spec.get("action", "block")
    if direction not in scanner.meta.directions:
        raise DefinitionError(f"scanner '{scanner.meta.type}' does not look at an {direction}")
    asks = scanner.asks if isinstance(scanner, AskingScanner) else None
    on_error = options.on_error or ("allow" if action == "log" else "block")
    guard = Guard(
        options.name or spec["scanner_type"],
        scanner,
        direction,
        action,
        on_error == "block",
        (options.timeout_ms or (_LOOK_MS if asks is None else _JUDGE_MS)) / 1000,
        one_speaker and _is_windowed(options, scanner, action),
        None if asks is None or bind is None else bind(asks),
    )
    places: Sequence[Place] = options.apply_to or [direction]
    if guard.is_reversible and list(places) != ["input"]:
        raise DefinitionError(
            f"scanner '{scanner.meta.type}' labels the input, and restores the answer by itself; leave apply_to out"
        )
    return guard, places


def _is_windowed(options: GuardOptions, scanner: Scanner, action: str) -> bool:
    """Whether listeners hear outputs while they come.

    Raises:
        DefinitionError: that was asked for, and the scanner needs the whole.
    """
    asks = isinstance(scanner, AskingScanner) and scanner.asks is not None
    able = scanner.settled("") is not None and not asks
    if options.stream == "window" and not able:
        raise DefinitionError(
            f"scanner '{scanner.meta.type}' needs the whole output; leave stream='window' out, so that it is held back"
        )
    return able and (options.stream == "window" or (options.stream is None and action == "redact"))


def _warn(guards: Sequence[Guard]) -> None:
    """Say what loses information in the order of the guards, or does something else than it seems to."""
    redactor = None
    for guard in guards:
        meta = guard.scanner.meta
        if guard.action == "redact" and meta.redacts == "never":
            _log.warning("guard '%s': scanner '%s' cannot take anything out, so it blocks", guard.name, meta.type)
        if redactor is not None and meta.redacts != "spans":
            _log.warning("guard '%s' sees what guard '%s' has left, placeholders and all", guard.name, redactor)
        if guard.action == "redact" and meta.redacts == "spans":
            redactor = guard.name
