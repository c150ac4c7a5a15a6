"""Values that were found, wherever else they stand in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from promptrails_scanners.credentials.tokens import tree

SHORTEST = 8
ONLY_LETTERS = 16
_FEW = 32
_HEAD = 8


def is_distinct(value: str) -> bool:
    """Whether a value is one that does not stand elsewhere by chance: `secret` and `postgres` do."""
    if len(value) < SHORTEST or any(map(str.isspace, value)):
        return False
    return any(map(_DIGITS.__contains__, value)) or _has_letters(value)


_DIGITS = frozenset("0123456789")


def _has_letters(value: str) -> bool:
    return len(value) >= ONLY_LETTERS and value.isalpha() and value.isascii()


def places(text: str, values: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    """Every place of each value from where it says on, in time linear in the text."""
    if len(values) <= _FEW:
        for value, after in values.items():
            at = text.find(value, after)
            while at >= 0:
                yield value, at, at + len(value)
                at = text.find(value, at + len(value))
        return
    by_head: dict[str, list[str]] = {}
    for value in values:
        by_head.setdefault(value[:_HEAD], []).append(value)
    for theirs in by_head.values():
        theirs.sort(key=len, reverse=True)
    heads = re.compile(tree(by_head))
    match = heads.search(text)
    while match:
        at = match.start()
        for value in by_head.get(text[at : at + _HEAD], ()):
            if at >= values[value] and text.startswith(value, at):
                yield value, at, at + len(value)
                break
        match = heads.search(text, at + 1)


_RUN = re.compile(r"\S{8,}")
_MAYBE = re.compile(r"[0-9]|[A-Za-z]{16}")


def first_that_may_repeat(text: str, start: int) -> int | None:
    """Where from there on the first run of characters begins in which a value may stand that shows only later."""
    for match in _RUN.finditer(text, start):
        if _MAYBE.search(match[0]):
            return match.start()
    return None
