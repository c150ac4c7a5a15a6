"""Regular expressions of the user's own: compiled when a scanner is built, and refused where they could hang it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log
from typing import Any

from promptrails_engine.errors import ConfigurationError
from promptrails_scanners.foundation.repeats import MOST, WIDE, again, apart, share

_ENDLESS = 1 << 20
_parser: Any = re._parser  # type: ignore[attr-defined]  # the standard library's own reading of a pattern


def compiled(pattern: str, scanner: str, option: str, *, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """The pattern, ready for use.

    Raises:
        ConfigurationError: it is no pattern, can match nothing at all, has an open repeat within another one, or
            repeats and choices that can part a text in too many ways.
    """
    said = f"scanner '{scanner}': '{option}': the pattern of {len(pattern)} characters"
    try:
        made = re.compile(pattern, flags)
        parsed = _parser.parse(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigurationError(f"{said} cannot be compiled: {type(error).__name__}; check its syntax") from None
    if made.match("") or parsed.getwidth()[0] == 0:
        raise ConfigurationError(f"{said} can match an empty text; have it match one character at least")
    problem = _problem(parsed, 1, pattern)
    if problem:
        raise ConfigurationError(f"{said} {problem}")
    return made


def _problem(items: Sequence[Any], times: int, pattern: str) -> str:
    """What could make a pattern slow that is repeated so many times; nothing if all is well."""
    said = next((said for kind, value in items if (said := _item(str(kind), value, times, pattern))), "")
    if not said and share(items, pattern):
        return "has repeats that can share characters; bound all but one of them, such as {0,100}"
    return said


def _item(kind: str, value: Any, times: int, pattern: str) -> str:
    if kind in ("MAX_REPEAT", "MIN_REPEAT"):
        most = int(value[1])
        if most > WIDE and times > WIDE:
            return "repeats something that repeats without an end; bound the inner repeat"
        said = _problem(value[2], times * max(1, min(most, _ENDLESS)), pattern)
        if not said and _too_many(again(value[2], pattern), times * most):
            return "repeats something that repeats in too many ways; bound the repeats, or give the inner one a length"
        return said
    if kind == "BRANCH" and _too_many(len(value[1]), times) and (times > WIDE or not apart(value[1], pattern)):
        return "repeats a choice too often; bound the repeat, or write the choice as a set of characters"
    return next((said for part in _children(kind, value) if (said := _problem(part, times, pattern))), "")


def _too_many(ways: int, times: int) -> bool:
    return ways > 1 and times * log(ways) > log(MOST)


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
