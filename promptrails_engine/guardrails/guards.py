"""Guards, made of what an agent version says of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

from promptrails_engine.definitions.guards import GuardOptions, Place
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
_TO_MODEL: Sequence[Place] = ("input", "tool_results", "documents")
"""Where values get labels, if nothing else is said: all that goes to the model but what its authors wrote."""


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
    posts: dict[Place, list[Guard]] = {place: [] for place in get_args(Place)}
    active = [spec for spec in specs if spec.get("is_active", True)]
    for spec in sorted(active, key=_place):
        guard, places = _built(spec, scanners, bind, one_speaker)
        for place in places:
            posts[place].append(guard)
    for guards in posts.values():
        _refuse_judge_between_labels(guards)
    for warning in dict.fromkeys(one for guards in posts.values() for one in _warnings(guards)):
        _log.warning("%s", warning)
    return Guards(*(tuple(posts[place]) for place in get_args(Place)))


def _place(spec: Mapping[str, Any]) -> int:
    order = spec.get("sort_order")
    return _LAST if order is None else order


def _built(
    spec: Mapping[str, Any], scanners: Scanners, bind: Bind | None, one_speaker: bool
) -> tuple[Guard, Sequence[Place]]:
    options, scanner = scanners.build_for(spec)
    direction, action = spec["type"], spec.get("action", "block")
    if direction not in scanner.meta.directions:
        raise DefinitionError(f"scanner '{scanner.meta.type}' does not look at an {direction}")
    asks = _asked(scanner)
    on_error = options.on_error or ("allow" if action == "log" else "block")
    guard = Guard(
        options.name or spec["scanner_type"],
        scanner,
        direction,
        action,
        on_error == "block",
        (options.timeout_ms or (_LOOK_MS if asks is None else _JUDGE_MS)) / 1000,
        one_speaker and _is_windowed(options, scanner, action),
        scanners.ships(spec["scanner_type"]),
        1.0 if options.sample is None else options.sample,
        options.vault == "session",
        None if asks is None or bind is None else bind(asks),
    )
    if action == "redact" and _cannot_redact(scanner, spec.get("config", {})):
        _log.warning(
            "guard '%s': scanner '%s' takes nothing out with these options, so it blocks; redact_unit='sentence' has "
            "it take out sentences",
            guard.name,
            scanner.meta.type,
        )
    return guard, _places(guard, options)


def _places(guard: Guard, options: GuardOptions) -> Sequence[Place]:
    """What a guard looks at.

    Raises:
        DefinitionError: it cannot look there.
    """
    given = options.apply_to
    if not guard.is_reversible:
        if options.vault is not None:
            raise DefinitionError(f"guard '{guard.name}' keeps no values; leave 'vault' out")
        return given or [guard.direction]
    if given is None:
        return _TO_MODEL
    if "input" not in given or not set(given) <= set(_TO_MODEL):
        raise DefinitionError(
            f"scanner '{guard.scanner.meta.type}' labels the input, and tool_results and documents if it is told to, "
            "and restores the answer by itself; apply_to has to hold 'input', and nothing beside these"
        )
    return given


def _asked(scanner: Scanner) -> str | None:
    """The model that a scanner has asked, if any."""
    return scanner.asks if isinstance(scanner, AskingScanner) else None


def _cannot_redact(scanner: Scanner, config: Mapping[str, Any]) -> bool:
    """Whether the options leave a judge of whole texts without anything that it could take out."""
    meta = scanner.meta
    return (
        meta.redacts == "sentences" and "redact_unit" in meta.config_fields and config.get("redact_unit") != "sentence"
    )


def _is_windowed(options: GuardOptions, scanner: Scanner, action: str) -> bool:
    """Whether listeners hear outputs while they come.

    Raises:
        DefinitionError: that was asked for, and the scanner needs the whole.
    """
    able = scanner.settled("") is not None and _asked(scanner) is None
    if options.stream == "window" and not able:
        raise DefinitionError(
            f"scanner '{scanner.meta.type}' needs the whole output; leave stream='window' out, so that it is held back"
        )
    return able and (options.stream == "window" or (options.stream is None and action == "redact"))


def _refuse_judge_between_labels(guards: Sequence[Guard]) -> None:
    """Labels are given again where a run or a session goes on, from what the first of these guards has seen: what a
    model took out in between would have to be asked for again, and might be something else.

    Raises:
        DefinitionError: a guard asks a model and takes out, between two that label.
    """
    labelling = [at for at, guard in enumerate(guards) if guard.is_reversible]
    for guard in guards[labelling[0] : labelling[-1]] if labelling else ():
        if guard.action == "redact" and _asked(guard.scanner) is not None:
            raise DefinitionError(
                f"guard '{guard.name}' asks a model and takes out, between two guards that label; give it a sort_order "
                "before or after both"
            )


def _warnings(guards: Sequence[Guard]) -> Iterator[str]:
    """What loses information in the order of the guards, or does something else than it seems to."""
    redactor = before = None
    for guard in guards:
        meta = guard.scanner.meta
        if guard.action == "redact" and meta.redacts == "never":
            yield f"guard '{guard.name}': scanner '{meta.type}' cannot take anything out, so it blocks"
        if redactor is not None and guard.judges:
            yield f"guard '{guard.name}' sees what guard '{redactor}' has left, placeholders and all"
        if before is not None and meta.clears:
            yield (
                f"guard '{guard.name}' clears texts of what others stumble over, and comes after guard '{before}', "
                "which has not seen them clear; give it a lower sort_order"
            )
        if guard.action == "redact" and not guard.judges and not meta.clears:
            redactor = guard.name
        before = before if meta.clears else guard.name
