"""What the tagger sees of a text: tokens, and for each token numbers of buckets.

The program that trains the weights uses these functions too, so both see the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from zlib import crc32

BUCKETS = 1 << 15
COMMON_BITS = 1 << 16
"""Bits of the table of common words."""

_MASK = BUCKETS - 1
_MIX = 0x9E3779B1
_TOKEN = re.compile(r"[^\W\d_]{1,64}(?:['’-](?!s\b)[^\W\d_]{1,64}){0,4}|\d{1,32}[^\W\d_]{0,3}|[^\w\s]|_")

LONGEST = 64 * 5 + 4
"""No token has more characters."""

GROUPS = ("given", "family", "street", "unit", "title", "country")
COMMON = 1 << len(GROUPS)
NAMES = 0b11
PLACES = 0b1100
"""The lists of words for streets and houses."""


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    start: int
    end: int
    fresh: bool
    """Whether it is the first of its line."""


@dataclass(frozen=True, slots=True)
class Word:
    """What is the same for a token wherever it stands."""

    code: int
    kind: int
    """How it is written, and which lists hold it."""
    around: tuple[tuple[int, ...], ...]
    """Its buckets for the token that stands two after it, one after it, for itself, one and two before it."""


def tokens(text: str, start: int = 0, end: int | None = None) -> Iterator[Token]:
    """The tokens of a part of the text, with offsets of the whole text."""
    after = start
    for match in _TOKEN.finditer(text, start, len(text) if end is None else end):
        at = match.start()
        yield Token(match[0], at, match.end(), after == start or "\n" in text[after:at])
        after = match.end()


@cache
def lists() -> Mapping[str, int]:
    """For each word of the lists, which lists hold it, as bits in the order of GROUPS."""
    found: dict[str, int] = {}
    bit = 0
    text = files("promptrails_scanners.personal").joinpath("data/words.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("@"):
            bit = 1 << GROUPS.index(line[1:])
        else:
            for word in line.split():
                found[word] = found.get(word, 0) | bit
    return found


def common_bit(word: str) -> int:
    return crc32(word.encode("utf-8", "surrogatepass")) & (COMMON_BITS - 1)


def describe(token: str, common: bytes) -> Word:
    """A token's word; `common` is the table of common words, a bit for each."""
    lower = token.lower()
    known = lists().get(lower, 0)
    if token[0].isalpha():
        bit = common_bit(lower)
        if common[bit >> 3] >> (bit & 7) & 1:
            known |= COMMON
    shape = _shape(token)
    code = _hash("w" + lower)
    kind = _hash(f"k{shape}{known}")
    form = _hash("s" + shape)
    tail = _hash("z" + lower[-3:])
    near = (code, kind, form, tail)
    own = (
        *near,
        _hash("y" + lower[-2:]),
        _hash("x" + lower[-4:]),
        _hash("p" + lower[:3]),
        _hash("q" + lower[:2]),
        _hash(f"g{known}"),
    )
    around = ((code, kind), near, own, near, (code, kind))
    return Word(code, kind, tuple(tuple(_at(one, place) for one in some) for place, some in enumerate(around)))


NOTHING = Word(0x5BD1, 0x27D4, tuple(((17 + place) & _MASK,) for place in range(5)))
"""What stands before the first token and after the last."""


def joint(words: Sequence[Word], at: int, fresh: Sequence[bool]) -> tuple[int, ...]:
    """The buckets for how a token and its neighbours stand together; `words` has two of NOTHING at each end, and `at`
    counts without them."""
    a, b, c, d, e = words[at : at + 5]
    two, one, kind, next_one, next_two = a.kind, b.kind, c.kind, d.kind, e.kind
    line = fresh[at] + 2 * (at + 1 >= len(fresh) or fresh[at + 1])
    back = one * 5 + kind
    on = kind * 7 + next_one * 3
    return (
        (back * _MIX + 101 >> 7) & _MASK,
        (on * _MIX + 211 >> 7) & _MASK,
        ((back * 31 + next_one) * _MIX + 307 >> 7) & _MASK,
        ((on * 37 + next_two) * _MIX + 401 >> 7) & _MASK,
        ((two * 41 + back) * _MIX + 503 >> 7) & _MASK,
        ((b.code * 43 + kind) * _MIX + 601 >> 7) & _MASK,
        ((d.code * 47 + kind) * _MIX + 701 >> 7) & _MASK,
        ((a.code * 53 + b.code) * _MIX + 809 >> 7) & _MASK,
        ((a.code * 59 + kind) * _MIX + 907 >> 7) & _MASK,
        ((d.code * 61 + e.code) * _MIX + 1009 >> 7) & _MASK,
        ((kind * 67 + line) * _MIX + 1103 >> 7) & _MASK,
        ((one * 71 + line) * _MIX + 1201 >> 7) & _MASK,
        (line * _MIX + 1301 >> 7) & _MASK,
    )


def _at(code: int, place: int) -> int:
    return ((code + place * 0x632BE5) * _MIX >> 7) & _MASK


def _hash(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


def _shape(token: str) -> str:
    first = token[0]
    if first.isdigit():
        return f"d{min(len(token), 7)}" if token.isdigit() else "dx"
    if not first.isalpha():
        return token
    size = "1" if len(token) == 1 else "2" if len(token) < 4 else "4"
    if token.islower():
        return "x" + size
    if token.isupper():
        return "X" + size
    if first.isupper():
        return "Xx" + size
    return "m" + size
