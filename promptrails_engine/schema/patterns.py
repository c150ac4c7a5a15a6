"""Patterns (regular expressions) that come from outside, matched in bounded time.

jsonschema-rs matches in linear time (or counts its steps back), so it is used wherever it is installed.  Python's own
engine can take for ever over `(a+)+$`; it is used only without jsonschema-rs, and for the names of members in
`patternProperties`, and only for patterns whose repeats cannot fight over the same characters; the text that they may
be held against is cut down with every repeat.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from promptrails_engine.errors import DefinitionError
from promptrails_engine.schema.libraries import fast_check, fast_library
from promptrails_engine.schema.vocabulary import LATEST

MAX_PATTERN = 2_000
"""Characters in a pattern."""
_STEPS = 1e7
_MANY = 50
"""A repeat that may go on longer than this counts as endless."""
_SETTLED = frozenset({"AT", "ASSERT", "ASSERT_NOT"})


class TooLongError(Exception):
    """The text is longer than this pattern can be held against in bounded time."""


Matcher = Callable[[str], bool]


@lru_cache(maxsize=512)
def matcher(pattern: str) -> Matcher:
    """Whether a text has a match of the pattern anywhere, as `pattern` of JSON Schema asks.

    The function raises TooLongError where only Python's engine is there and the text is too long for it.

    Raises:
        DefinitionError: the pattern cannot be read, or could take for ever.
    """
    if fast_library() is None:
        return name_matcher(pattern)
    _limit_length(pattern)
    try:
        check = fast_check({"pattern": pattern}, LATEST)
    except ValueError:
        raise DefinitionError(f"the pattern '{_shown(pattern)}' is no regular expression that can be read") from None

    def match(text: str) -> bool:
        try:
            return check(text)
        except ValueError:  # a lone surrogate: no text that it can take, so no match either
            return False

    return match


@lru_cache(maxsize=512)
def name_matcher(pattern: str) -> Matcher:
    """The same with Python's engine.

    Raises:
        DefinitionError: the pattern cannot be read, or could take for ever.
    """
    _limit_length(pattern)
    try:
        compiled = re.compile(pattern)
        parser: Any = import_module("re._parser")
        parsed: Any = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        raise DefinitionError(f"the pattern '{_shown(pattern)}' is no regular expression that can be read") from None
    repeats = _endless(list(parsed), pattern)
    first = parsed[0] if len(parsed) else None
    anchored = first is not None and str(first[0]) == "AT" and str(first[1]).startswith("AT_BEGINNING")
    degree = repeats + (0 if anchored else 1)
    longest = int(_STEPS ** (1 / max(degree, 1)))

    def match(text: str) -> bool:
        if len(text) > longest:
            raise TooLongError
        return compiled.search(text) is not None

    return match


def _limit_length(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise DefinitionError(f"a pattern may have {MAX_PATTERN} characters; this one has {len(pattern)}")


def _shown(pattern: str) -> str:
    return pattern if len(pattern) <= 60 else pattern[:57] + "..."


def _endless(items: list[Any], pattern: str) -> int:
    """How many endless repeats there are, nested ones included.

    Raises:
        DefinitionError: a repeat within a repeat that could divide the same text in many ways, or a back-reference.
    """
    count = 0
    for kind, argument in items:
        word = str(kind)
        if word in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _, most, body = argument
            inner = _endless(list(body), pattern)
            if most > _MANY:
                if inner or _varies(list(body)):
                    _require_separated(list(body), pattern)
                count += 1 + inner
            else:
                count += inner * min(int(most), 8)
        elif word in ("GROUPREF", "GROUPREF_EXISTS"):
            raise DefinitionError(_refusal(pattern, "refers back to a group"))
        else:
            for part in _parts(word, argument):
                count += _endless(part, pattern)
    return count


def _parts(word: str, argument: Any) -> list[list[Any]]:
    """The sequences inside one item of a parsed pattern."""
    if word == "SUBPATTERN":
        return [list(argument[-1])]
    if word == "BRANCH":
        return [list(branch) for branch in argument[1]]
    if word in ("ASSERT", "ASSERT_NOT"):
        return [list(argument[1])]
    if word == "ATOMIC_GROUP":
        return [list(argument)]
    return []


def _varies(body: list[Any]) -> bool:
    """Whether the body can match texts of different lengths or in different ways: it has a branch or a repeat."""
    for kind, argument in body:
        word = str(kind)
        if word.endswith("_REPEAT"):
            least, most, inner = argument
            if least != most or _varies(list(inner)):
                return True
        if word == "BRANCH":
            return True
        if any(_varies(part) for part in _parts(word, argument)):
            return True
    return False


def _require_separated(body: list[Any], pattern: str) -> None:
    """Let a repeated body through if its first or last item is one that no other item of it can match.

    `(-[a-z]+)*` and `([a-z]+,)*` are such: each turn begins or ends where the separator is, so there is one way only.
    """
    flat = _flatten(body)
    for edge, rest in ((flat[:1], flat[1:]), (flat[-1:], flat[:-1])):
        if edge and str(edge[0][0]) in ("LITERAL", "IN", "NOT_LITERAL"):
            mine = _matched(edge)
            if not any(mine & _matched([other]) for other in rest if str(other[0]) not in _SETTLED):
                return
    raise DefinitionError(_refusal(pattern, "repeats a group whose own repeats or choices can match the same text"))


def _flatten(body: list[Any]) -> list[Any]:
    """The items of a body, with plain groups opened."""
    out: list[Any] = []
    for kind, argument in body:
        if str(kind) == "SUBPATTERN":
            out.extend(_flatten(list(argument[-1])))
        else:
            out.append((kind, argument))
    return out


_ALPHABET = [chr(code) for code in range(0x180)] + ["\u0663", "\u4e00", "\u2028", "\U0001f600"]


def _matched(items: list[Any]) -> frozenset[str]:
    """Which characters of a sample alphabet the items can match at all."""
    found: set[str] = set()
    for kind, argument in items:
        word = str(kind)
        if word == "ANY":
            found.update(_ALPHABET)
        elif word == "LITERAL":
            found.add(chr(argument))
        elif word == "NOT_LITERAL":
            found.update(char for char in _ALPHABET if char != chr(argument))
        elif word == "IN":
            found.update(char for char in _ALPHABET if _in_set(char, argument))
        elif word.endswith("_REPEAT"):
            found.update(_matched(list(argument[2])))
        else:
            for part in _parts(word, argument):
                found.update(_matched(part))
    return frozenset(found)


_CATEGORIES: dict[str, re.Pattern[str]] = {
    f"CATEGORY_{name}": re.compile(code)
    for name, code in (
        ("DIGIT", r"\d"), ("NOT_DIGIT", r"\D"), ("SPACE", r"\s"),
        ("NOT_SPACE", r"\S"), ("WORD", r"\w"), ("NOT_WORD", r"\W"),
    )
}  # fmt: skip


def _in_set(char: str, members: list[Any]) -> bool:
    negated = False
    inside = False
    for kind, argument in members:
        word = str(kind)
        if word == "NEGATE":
            negated = True
        elif word == "LITERAL":
            inside = inside or ord(char) == argument
        elif word == "RANGE":
            inside = inside or argument[0] <= ord(char) <= argument[1]
        elif word == "CATEGORY":
            category = _CATEGORIES.get(str(argument))
            inside = inside or category is None or category.match(char) is not None
    return inside != negated


def _refusal(pattern: str, why: str) -> str:
    return (
        f"the pattern '{_shown(pattern)}' {why}, which Python's engine could take for ever over; "
        "write it so that each repeat begins or ends with a character that the rest of it cannot match"
    )
