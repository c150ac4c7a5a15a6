"""Values that were found, wherever else they stand in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from promptrails_scanners.credentials.words import NO_PASSWORDS, STAND_INS
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.tree import tree

SHORTEST = 8
"""A shorter value is one where it stands as a word, not within another."""
_LEAST = 4
_FEW = 32

Kind = Literal["distinct", "common"]

_TELLING = lazily.pattern(r"[\d_]|[^\w\s.,;:!?()'\"*&/\u2018\u2019\u201c\u201d\u2013\u2014\u2026-]|[A-Za-z]{16}")
"""What does not stand in sentences: digits, other signs than theirs, and words too long for one."""
_RUN = lazily.pattern(rf"\S{{{SHORTEST},}}")


def kind_of(value: str) -> Kind | None:
    """How a value is looked for elsewhere.

    A `distinct` one stands nowhere by chance, so it counts in all of the text.  A `common` one, such as a password that
    is a word, counts from where it was found on.  None: not at all, as `secret` and what is shorter than four.
    """
    if len(value) < _LEAST or value.lower() in NO_PASSWORDS or value.lower() in STAND_INS:
        return None
    return "distinct" if is_distinct(value) else "common"


def is_distinct(value: str) -> bool:
    """Whether a value is a long run of characters that makes no word."""
    return len(value) >= SHORTEST and not any(map(str.isspace, value)) and _TELLING.search(value) is not None


def may_repeat(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The runs of characters there in which a value may stand that shows only later: a distinct one."""
    for match in _RUN.finditer(text, start, end):
        if _TELLING.search(text, match.start(), match.end()):
            yield match.span()


def places(text: str, values: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    """Every place of each value from where it says on, in time linear in the text."""
    found = _one_by_one(text, values) if len(values) <= _FEW else _together(text, values)
    for value, at in found:
        end = at + len(value)
        if len(value) >= SHORTEST or _is_word(text, at, end):
            yield value, at, end


def _is_word(text: str, start: int, end: int) -> bool:
    return not text[start - 1 : start].isalnum() and not text[end : end + 1].isalnum()


def _one_by_one(text: str, values: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    for value, after in values.items():
        at = text.find(value, after)
        while at >= 0:
            yield value, at
            at = text.find(value, at + len(value))


def _together(text: str, values: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    lengths: dict[str, set[int]] = {}
    for value in values:
        lengths.setdefault(value[:_LEAST], set()).add(len(value))
    by_head = {head: sorted(theirs, reverse=True) for head, theirs in lengths.items()}
    heads = re.compile(tree(by_head))
    match = heads.search(text)
    while match:
        at = match.start()
        for length in by_head[match[0]]:
            value = text[at : at + length]
            if at >= values.get(value, len(text)):
                yield value, at
        match = heads.search(text, at + 1)
