"""Repeats of a pattern that share characters: each one more multiplies the ways to part a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

WIDE = 64
"""A repeat of more than that is as good as one without an end."""
MOST = 20_000
"""So many ways to part a text are tried at most at one place."""
_OPEN = 1000
"""How many ways a repeat without an end counts."""
_SAMPLE = frozenset(map(chr, range(0x180))) | frozenset("\u0416\u0639\u4e2d\u20ac\u2028\U0001f600")
"""Characters of every class that a pattern can name; those of the pattern itself are added."""
_CATEGORIES: Mapping[str, Callable[[str], bool]] = {
    "DIGIT": str.isdecimal,
    "SPACE": str.isspace,
    "WORD": lambda char: char.isalnum() or char == "_",
}
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
_NO_WIDTH = ("AT", "ASSERT", "ASSERT_NOT")

Item = tuple[str, Any]


def share(items: Iterable[Any], pattern: str) -> bool:
    """Whether repeats in a row, and all that has to stand between them, can match the same characters in too many ways:
    two without an end always can."""
    row, alphabet = _row(items), _alphabet(pattern)
    ways, reach = [_ways(item) for item in row], [_reach(item, alphabet) for item in row]
    total = dict(enumerate(ways))
    for first, last in _meeting(row, ways, reach):
        total[first] *= ways[last]
    return max(total.values(), default=1) > MOST


def again(items: Iterable[Any], pattern: str) -> int:
    """In how many ways one repeat can part a text with itself, where these items are repeated; 1 if it cannot."""
    row, alphabet = _row(items), _alphabet(pattern)
    ways, reach = [_ways(item) for item in row], [_reach(item, alphabet) for item in row]
    pairs = _meeting(row * 2, ways * 2, reach * 2)
    return max((ways[first] for first, last in pairs if last == first + len(row)), default=1)


def apart(choices: Iterable[Iterable[Any]], pattern: str) -> bool:
    """Whether no two choices can begin with the same character."""
    alphabet = _alphabet(pattern)
    rows = [_row(choice) for choice in choices]
    begins = [_reach(row[0], alphabet) if row and _is_required(row[0]) else alphabet for row in rows]
    return not any(one & other for one, other in combinations(begins, 2))


def _meeting(row: Sequence[Item], ways: Sequence[int], reach: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
    """The pairs of repeats between which a text can be parted here or there."""
    varying = [at for at, many in enumerate(ways) if many > 1]
    for first, last in combinations(varying, 2):
        between = (at for at in range(first + 1, last) if _is_required(row[at]))
        if reach[first] & reach[last] and all(reach[at] & reach[first] and reach[at] & reach[last] for at in between):
            yield first, last


def _row(items: Iterable[Any]) -> list[Item]:
    return [item for item in _flat(items) if item[0] not in _NO_WIDTH]


def _alphabet(pattern: str) -> frozenset[str]:
    return _SAMPLE | frozenset(pattern.lower()) | frozenset(pattern.upper())


def _ways(item: Item) -> int:
    """In how many lengths it can match, as far as repeats go."""
    kind, value = item
    if _is_open(item):
        return _OPEN
    return int(value[1]) - int(value[0]) + 1 if kind in _REPEATS else 1


def _flat(items: Iterable[Any]) -> Iterator[Item]:
    """The items, with those of groups."""
    for kind, value in items:
        if str(kind) == "SUBPATTERN":
            yield from _flat(value[-1])
        else:
            yield str(kind), value


def _is_open(item: Item) -> bool:
    """Whether it repeats without an end, or has such a repeat in it."""
    kind, value = item
    if kind in _REPEATS:
        return int(value[1]) > WIDE or any(map(_is_open, _flat(value[2])))
    return kind == "BRANCH" and any(_is_open(inner) for branch in value[1] for inner in _flat(branch))


def _is_required(item: Item) -> bool:
    kind, value = item
    return bool(value[0]) if kind in _REPEATS else kind != "BRANCH"


def _reach(item: Item, alphabet: frozenset[str]) -> frozenset[str]:
    """The characters that it can match; all, where that is not plain to see."""
    kind, value = item
    if kind in _REPEATS:
        inner = list(_flat(value[2]))
        return _reach(inner[0], alphabet) if len(inner) == 1 else alphabet
    if kind == "LITERAL":
        return frozenset((chr(value).lower(), chr(value).upper()))
    if kind == "NOT_LITERAL":
        return alphabet - {chr(value)}
    return _set(value, alphabet) if kind == "IN" else alphabet


def _set(parts: Iterable[Any], alphabet: frozenset[str]) -> frozenset[str]:
    """The characters of a set in brackets, in upper and in lower case."""
    named = [(str(kind), value) for kind, value in parts]
    if named[0][0] == "NEGATE":
        return frozenset(char for char in alphabet if not any(_is_in(char, part) for part in named[1:]))
    return frozenset(char for char in alphabet if any(_is_in(one, part) for part in named for one in _cases(char)))


def _cases(char: str) -> tuple[str, ...]:
    return tuple(one for one in (char, char.lower(), char.upper()) if len(one) == 1)


def _is_in(char: str, part: Item) -> bool:
    kind, value = part
    if kind == "LITERAL":
        return chr(value) == char
    if kind == "RANGE":
        return bool(value[0] <= ord(char) <= value[1])
    name = str(value).removeprefix("CATEGORY_")
    wanted = not name.startswith("NOT_")
    return _CATEGORIES[name.removeprefix("NOT_")](char) == wanted
