"""What the tagger sees of a text: tokens, and for each token numbers of buckets.

The program that trains the weights uses these functions too, so both see the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple
from zlib import crc32

from promptrails_scanners.foundation import lazily

BUCKETS = 1 << 15
TABLES = ("given", "family", "common")
"""Lists that are too long to be kept as words are kept as their words' numbers, in this order."""
NUMBERS = 1 << 21
"""Words have numbers under this one.  Of a thousand that no table has, some ten are taken for one that it has."""

_MASK = BUCKETS - 1
_LOW = (BUCKETS << 7) - 1
"""The bits of a sum that its bucket depends on."""
_MIX = 0x9E3779B1
_TOKEN = lazily.pattern(
    r"[^\W\d_]{1,64}(?:['’-](?!s\b)[^\W\d_]{1,64}){0,4}|\d{1,32}[^\W\d_]{0,3}|(?<!\w)@\w{1,64}|[^\w\s]|_"
)
"""A word, a number, what stands after an @ as a user's handle, or a sign."""
_HANDLE = "@handle"

LONGEST = 64 * 5 + 4
"""No token has more characters."""

GROUPS = ("given", "family", "street", "unit", "title", "country", "place", "firm", "proper", "common")
"""The lists of words.  What a word is known for is a number with a bit for each."""
NAMES = 0b11
PLACES = 0b1100
"""The lists of words for streets and houses."""
_OF_TABLES = tuple(1 << GROUPS.index(name) for name in TABLES)
Tables = Sequence[Sequence[int]]
"""For each of TABLES the numbers of its words, in their order."""


@dataclass(slots=True)
class Token:
    text: str
    start: int
    end: int
    fresh: bool
    """Whether it is the first of its line."""


class Word(NamedTuple):
    """What is the same for a token wherever it stands."""

    kind: int
    """How it is written, and which lists hold it."""
    parts: tuple[int, ...]
    """What it adds to buckets that it shares with the tokens around it, from its kind and its letters."""
    around: tuple[tuple[int, ...], ...]
    """Its buckets for the token that stands two after it, one after it, for itself, one and two before it."""


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


def is_handle(token: str) -> bool:
    """Whether it is the name of an account, as `@ann_berg`."""
    return token[0] == "@" and len(token) > 1


def number(lower: str) -> int:
    """A word's number in the tables."""
    return _hash(lower) % NUMBERS


def describe(token: str, tables: Tables) -> Word:
    """A token's word."""
    return word(token, known(token.lower(), tables))


def known(lower: str, tables: Tables) -> int:
    """What a word in lower case is known for; one with hyphens, what all its parts are known for."""
    if "-" in lower[1:-1]:
        found = -1
        for part in filter(None, lower.split("-")):
            found &= _known(part, tables)
        return found
    return _known(lower, tables)


def _known(lower: str, tables: Tables) -> int:
    found = lists().get(lower, 0)
    if lower[0].isalpha():
        own = number(lower)
        for table, group in zip(tables, _OF_TABLES, strict=True):
            at = bisect_left(table, own)
            if at < len(table) and table[at] == own:
                found |= group
    return found


def word(token: str, known: int) -> Word:
    """A token's word, if these lists hold it."""
    lower = _HANDLE if is_handle(token) else token.lower()
    code = _hash("w" + lower)
    kind, alike = _alike(_shape(token), known)
    letters = ("y" + lower[-2:], "x" + lower[-4:], "p" + lower[:3], "q" + lower[:2])
    tail = _hash("z" + lower[-3:])
    around = (
        (_at(code, 0), *alike[0]),
        (_at(code, 1), _at(tail, 1), *alike[1]),
        (_at(code, 2), _at(tail, 2), *[_at(_hash(one), 2) for one in letters], *alike[2]),
        (_at(code, 3), _at(tail, 3), *alike[3]),
        (_at(code, 4), *alike[4]),
    )
    return Word(kind, _parts(code, kind), around)


@lru_cache(maxsize=2048)
def _alike(shape: str, known: int) -> tuple[int, tuple[tuple[int, ...], ...]]:
    """The kind of words of a shape that the same lists hold, and the buckets that they have in common."""
    kind, form = _hash(f"k{shape}{known}"), _hash("s" + shape)
    around = ((kind,), (kind, form), (kind, form, _hash(f"g{known}")), (kind, form), (kind,))
    return kind, tuple(tuple(_at(one, place) for one in some) for place, some in enumerate(around))


def _parts(code: int, kind: int) -> tuple[int, ...]:
    """Only the lowest bits of a sum of products count for a bucket: the products are made once, then added."""
    products = ((43, 601), (47, 701), (53, 809), (1, 0), (59, 907), (61, 1009))
    return kind * _MIX & _LOW, *((code * times * _MIX + more) & _LOW for times, more in products)


NOTHING = Word(0x27D4, _parts(0x5BD1, 0x27D4), tuple(((17 + place) & _MASK,) for place in range(5)))
"""What stands before the first token and after the last."""


def joint(words: Sequence[Word], at: int, line: int) -> tuple[int, ...]:
    """The buckets for how a token and its neighbours stand together; `words` has two of NOTHING at each end, and `at`
    counts without them.  `line` says whether the token is the first of its line (1) and the last (2)."""
    two, one, own, next_one, next_two = words[at : at + 5]
    return (
        *in_a_row(one.kind, own.kind, next_one.kind)[0],
        *in_a_row(two.kind, one.kind, own.kind)[1],
        *in_a_row(own.kind, next_one.kind, next_two.kind)[2],
        *on_line(own.kind, line)[0],
        *on_line(one.kind, line)[1],
        *beside(two.parts, one.parts, own.parts, next_one.parts, next_two.parts),
    )


def in_a_row(one: int, kind: int, next_one: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The buckets of three kinds in a row: for the one in the middle, for the last, and for the first."""
    back, on = one * 5 + kind, kind * 7 + next_one * 3
    before, first = kind * 5 + next_one, one * 7 + kind * 3
    middle = (back * _MIX + 101, on * _MIX + 211, (back * 31 + next_one) * _MIX + 307)
    return (
        tuple((some >> 7) & _MASK for some in middle),
        (((one * 41 + before) * _MIX + 503 >> 7) & _MASK,),
        (((first * 37 + next_one) * _MIX + 401 >> 7) & _MASK,),
    )


def on_line(kind: int, line: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The buckets of a kind and where in its line a token is: for the token of this kind, and for the one after it."""
    own = ((kind * 67 + line) * _MIX + 1103, line * _MIX + 1301)
    return tuple((some >> 7) & _MASK for some in own), (((kind * 71 + line) * _MIX + 1201 >> 7) & _MASK,)


def beside(
    two: Sequence[int], one: Sequence[int], own: Sequence[int], next_one: Sequence[int], next_two: Sequence[int]
) -> tuple[int, int, int, int, int]:
    """The buckets of a token with the letters of those around it, from the parts of their words."""
    kind = own[0]
    return (
        (one[1] + kind >> 7) & _MASK,
        (next_one[2] + kind >> 7) & _MASK,
        (two[3] + one[4] >> 7) & _MASK,
        (two[5] + kind >> 7) & _MASK,
        (next_one[6] + next_two[4] >> 7) & _MASK,
    )


def lines(part: Sequence[Token]) -> list[int]:
    """For each token of a part whether it is the first of its line (1) and the last (2)."""
    fresh = [token.fresh for token in part]
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
        return token[0] * min(2, len(token))
    size = "1" if len(token) == 1 else "2" if len(token) < 4 else "4"
    if token.islower():
        return "x" + size
    if token.isupper():
        return "X" + size
    if first.isupper():
        return "Xx" + size
    return "m" + size
