"""Regular expressions of the user's own: compiled when a scanner is built, and refused where they could hang it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from promptrails_engine.errors import ConfigurationError

_parser: Any = re._parser  # type: ignore[attr-defined]  # the standard library's own reading of a pattern
_WIDE = 64
"""A repeat of more than that is as good as one without an end."""


def compiled(pattern: str, scanner: str, option: str, *, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """The pattern, ready for use.

    Raises:
        ConfigurationError: it is no pattern, can match nothing at all, or has an open repeat within another one.
    """
    said = f"scanner '{scanner}': '{option}': the pattern of {len(pattern)} characters"
    try:
        made = re.compile(pattern, flags)
        parsed = _parser.parse(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigurationError(f"{said} cannot be compiled: {type(error).__name__}; check its syntax") from None
    if made.match("") or parsed.getwidth()[0] == 0:
        raise ConfigurationError(f"{said} can match an empty text; have it match one character at least")
    if _nested(parsed, False):
        raise ConfigurationError(f"{said} repeats something that repeats without an end; bound the inner repeat")
    return made


def _nested(items: Iterable[Any], inside: bool) -> bool:
    return any(_item_nested(str(kind), value, inside) for kind, value in items)


def _item_nested(kind: str, value: Any, inside: bool) -> bool:
    if kind in ("MAX_REPEAT", "MIN_REPEAT"):
        open_ended = int(value[1]) > _WIDE
        if open_ended and inside:
            return True
        return _nested(value[2], inside or open_ended)
    return any(_nested(part, inside) for part in _children(kind, value))


def _children(kind: str, value: Any) -> Sequence[Any]:
    if kind == "SUBPATTERN":
        return [value[-1]]
    if kind == "BRANCH":
        return list(value[1])
    if kind in ("ASSERT", "ASSERT_NOT"):
        return [value[1]]
    if kind == "ATOMIC_GROUP":
        return [value]
    if kind == "GROUPREF_EXISTS":
        return [part for part in value[1:] if part]
    return [value[2]] if kind == "POSSESSIVE_REPEAT" else []
