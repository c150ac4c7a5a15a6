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
_LOW = (BUCKETS << 7) - 1
"""The bits of a sum that its bucket depends on."""
_MIX = 0x9E3779B1
_TOKEN = re.compile(r"[^\W\d_]{1,64}(?:['’-](?!s\b)[^\W\d_]{1,64}){0,4}|\d{1,32}[^\W\d_]{0,3}|[^\w\s]|_")

LONGEST = 64 * 5 + 4
"""No token has more characters."""

GROUPS = ("given", "family", "street", "unit", "title", "country")
COMMON = 1 << len(GROUPS)
NAMES = 0b11
PLACES = 0b1100
"""The lists of words for streets and houses."""


@dataclass(slots=True)
class Token:
    text: str
    start: int
    end: int
    fresh: bool
    """Whether it is the first of its line."""


@dataclass(frozen=True, slots=True)
class Word:
    """What is the same for a token wherever it stands."""

    parts: tuple[tuple[int, ...], ...]
    """What it adds to the buckets of a token that stands two after it, one after it, of itself, one and two before it:
    how words stand together is a sum of such parts."""
    around: tuple[tuple[int, ...], ...]
    """Its buckets for the same five tokens."""


def tokens(text: str, start: int = 0, end: int | None = None) -> Iterator[Token]:
    """The tokens of a part of the text, with offsets of the whole text."""
    after = start
    for match in _TOKEN.finditer(text, start, len(text) if end is None else end):
        at, stop = match.span()
        fresh = at != after and "\n" in text[after:at]
        yield Token(match[0], at, stop, fresh or after == start)
        after = stop


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
    return _word(code, kind, tuple(tuple(_at(one, place) for one in some) for place, some in enumerate(around)))


def _word(code: int, kind: int, around: tuple[tuple[int, ...], ...]) -> Word:
    """The word of a code and of a kind, which says how it is written and which lists hold it.

    A bucket of words that stand together is taken from the lowest bits of a sum of products.  What each word adds is
    the same wherever it stands, so that `joint` has to add only.
    """
    parts = (
        ((kind, 41, 503), (code, 53, 809), (code, 59, 907)),
        ((kind, 5, 0), (kind, 155, 307), (code, 43, 601), (code, 1, 0), (kind, 71, 1201)),
        ((kind, 1, 0), (kind, 7, 211), (kind, 31, 0), (kind, 259, 401), (kind, 67, 1103)),
        ((kind, 3, 0), (kind, 1, 0), (kind, 111, 0), (code, 47, 701), (code, 61, 1009)),
        ((kind, 1, 0), (code, 1, 0)),
    )
    return Word(tuple(tuple((one * times * _MIX + more) & _LOW for one, times, more in some) for some in parts), around)


NOTHING = _word(0x5BD1, 0x27D4, tuple(((17 + place) & _MASK,) for place in range(5)))
"""What stands before the first token and after the last."""

_LINES = tuple((line * _MIX & _LOW, (line * _MIX + 1301 >> 7) & _MASK) for line in range(4))


def joint(
    two: Sequence[int],
    one: Sequence[int],
    own: Sequence[int],
    next_one: Sequence[int],
    next_two: Sequence[int],
    line: int,
) -> tuple[int, ...]:
    """The buckets for how a token and its neighbours stand together: of each word the parts for its place, and whether
    the token is the first of its line (1) and the last (2)."""
    two_kind, two_code, two_for = two
    back, back_on, one_for, one_code, one_line = one
    kind, on, back_kind, on_kind, kind_line = own
    next_kind, next_back, next_on, next_for, next_code = next_one
    last_kind, last_code = next_two
    lines, alone = _LINES[line]
    return (
        (back + kind + 101 >> 7) & _MASK,
        (on + next_kind >> 7) & _MASK,
        (back_on + back_kind + next_back >> 7) & _MASK,
        (on_kind + next_on + last_kind >> 7) & _MASK,
        (two_kind + back + kind >> 7) & _MASK,
        (one_for + kind >> 7) & _MASK,
        (next_for + kind >> 7) & _MASK,
        (two_code + one_code >> 7) & _MASK,
        (two_for + kind >> 7) & _MASK,
        (next_code + last_code >> 7) & _MASK,
        (kind_line + lines >> 7) & _MASK,
        (one_line + lines >> 7) & _MASK,
        alone,
    )


def lines(fresh: Sequence[bool]) -> list[int]:
    """For each token of a part whether it is the first of its line (1) and the last (2), from which are the first."""
    return [one + 2 * after for one, after in zip(fresh, [*fresh[1:], True], strict=True)]


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
