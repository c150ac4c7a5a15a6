"""Names of persons and addresses, told by a small linear model of tokens.

A conditional random field over five labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from promptrails_scanners.personal import weights
from promptrails_scanners.personal.features import (
    NOTHING,
    PLACES,
    Token,
    Word,
    beside,
    describe,
    in_a_row,
    is_handle,
    lines,
    lists,
    on_line,
    tokens,
)
from promptrails_scanners.personal.shared import shared
from promptrails_scanners.personal.weights import AROUND, EVEN, LANES, NONE, Model

SOFT, WISHED, HARD, ENDLESS = 96, 128, 256, 512
"""A part of a text ends at a line's end after so many tokens, at a sentence's end after so many, at white space after
so many, or after so many anywhere."""
GAP = 256
"""White space of more characters ends a part, too."""

FLOOR = 0.05
"""What is less likely than that is of use only to who asks for it, and is not kept for others."""

AGREED, ALONE = 10.0, 0.5
"""How much likelier a person is at a token where another model sees one, and at one where it does not."""

_LONGEST = 400
"""What is longer, in characters, is no name and no address."""
_LONGEST_WORD = 50
"""No word of a name has more letters, its hyphens counted."""
_JOINS = 0.5
"""Beside a token that is likely enough, so much of that is enough."""
_EVENED = 16
"""After so many tokens sums are brought back to about 1."""
_EDGES = frozenset(",;:\"'“”‘’()[]{}<>|*_-–—.!?\\/=")


class Tagged(NamedTuple):
    """A part of the text that is taken for a person's name or an address."""

    start: int
    end: int
    type: str
    score: float


Known = tuple[Any, ...]
"""A word's kind, its parts, the sums of its kind for each place in a line, and those of its buckets for five tokens."""
Chance = tuple[float, ...] | None


def parts(text: str) -> Iterator[list[Token]]:
    """The tokens in parts that are tagged each on its own; where a part ends depends on nothing that comes later."""
    part: list[Token] = []
    for token in tokens(text):
        size = len(part)
        if part and (token.start - part[-1].end > GAP or (size >= SOFT and _ends(part, token))):
            yield part
            part = []
        part.append(token)
    if part:
        yield part


def _ends(part: Sequence[Token], token: Token) -> bool:
    """Whether a part of this size ends before the token."""
    size = len(part)
    if token.start == part[-1].end:
        return size >= ENDLESS
    return size >= HARD or token.fresh or (size >= WISHED and part[-1].text in ".!?")


Places = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Likely:
    """Tokens in a row of a part, of which each may be of a name or an address."""

    tokens: Sequence[Token]
    chances: Sequence[Sequence[float]]

    def __len__(self) -> int:
        return len(self.tokens)


def tag(text: str, person: float, address: float, persons: Places | None = None) -> Iterator[Tagged]:
    """Where names and addresses stand that are at least so likely; a kind with more than 1 is not looked for.

    `persons` are places, in their order, that another model takes for persons: that makes a name there more likely and
    one elsewhere less.
    """
    for one in likely(text, FLOOR if min(person, address) >= FLOOR else 0.0, persons):
        if person <= 1:
            yield from _runs(one.tokens, one.chances, 1, person, "PERSON")
        if address <= 1:
            yield from _runs(one.tokens, one.chances, 3, address, "ADDRESS")


@shared(size=len)
def likely(text: str, least: float, persons: Places | None) -> Iterator[Likely]:
    """The tokens of a text that are of a name or an address at least so likely."""
    loaded = weights.model()
    places = iter(persons or ())
    place = next(places, None)
    for part in parts(text):
        doubt: list[float] | None = None
        if persons is not None:
            doubt = []
            for token in part:
                while place is not None and place[1] <= token.start:
                    place = next(places, None)
                doubt.append(AGREED if place is not None and place[0] < token.end else ALONE)
        yield from _likely(part, marginals(loaded, part, least, doubt))


def _likely(part: Sequence[Token], chances: Sequence[Chance]) -> Iterator[Likely]:
    some: list[tuple[float, ...]] = []
    for at, chance in enumerate((*chances, None)):
        if chance is not None:
            some.append(chance)
        elif some:
            yield Likely(part[at - len(some) : at], some)
            some = []


# ------------------------------------------------------------------ scores


@lru_cache(maxsize=8192)
def _known(token: str) -> Known:
    """What is the same for a token wherever it stands; kept for so many, about 6 MB."""
    loaded = weights.model()
    return _summed(loaded, describe(token, loaded.lists))


def _summed(loaded: Model, word: Word) -> Known:
    get = loaded.table.__getitem__
    full = [sum(map(get, some)) + (size - len(some)) * NONE for some, size in zip(word.around, AROUND, strict=True)]
    return word.kind, word.parts, _lines(word.kind), *full


@lru_cache(maxsize=2048)
def _lines(kind: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The sums of the buckets of a kind and a place in the line, for each of the four."""
    get = weights.model().table.__getitem__
    some = [on_line(kind, line) for line in range(4)]
    return tuple(sum(map(get, own)) for own, _ in some), tuple(sum(map(get, after)) for _, after in some)


@lru_cache(maxsize=16384)
def _row(one: int, kind: int, next_one: int) -> tuple[int, int, int]:
    """The sums of the buckets of three kinds in a row."""
    get = weights.model().table.__getitem__
    middle, last, first = in_a_row(one, kind, next_one)
    return sum(map(get, middle)), sum(map(get, last)), sum(map(get, first))


def forget() -> None:
    """Drops the sums that are kept of the weights: for who puts others in their place."""
    for kept in (_known, _lines, _row):
        kept.cache_clear()


def _factors(loaded: Model, part: Sequence[Token]) -> list[tuple[float, ...]]:
    """How well each label goes with each token, as a factor: 1 for the best."""
    blank = _summed(loaded, NOTHING)
    known = [blank, blank, *[_known(token.text) for token in part], blank, blank]
    kinds = [one[0] for one in known]
    rows = list(map(_row, kinds, kinds[1:], kinds[2:]))
    get, fall = loaded.table.__getitem__, loaded.fall
    factors: list[tuple[float, ...]] = []
    for two, one, own, next_one, next_two, line, back, row, on in zip(
        known, known[1:], known[2:], known[3:], known[4:], lines(part), rows, rows[1:], rows[2:], strict=False
    ):
        total: int = two[3] + one[4] + own[5] + next_one[6] + next_two[7]
        total += row[0] + back[1] + on[2] + own[2][0][line] + one[2][1][line]
        total += sum(map(get, beside(two[1], one[1], own[1], next_one[1], next_two[1])))
        b, c, d, e = total & LANES, total >> 15 & LANES, total >> 30 & LANES, total >> 45
        best = max(EVEN, b, c, d, e)
        factors.append((fall[best - EVEN], fall[best - b], fall[best - c], fall[best - d], fall[best - e]))
    return factors


def marginals(
    loaded: Model, part: Sequence[Token], least: float = 0.0, doubt: Sequence[float] | None = None
) -> list[Chance]:
    """For each token how likely each label is, or None where all but the first together are less likely than `least`.

    `doubt` holds a factor for each token that makes a person of it more likely or less.
    """
    factors = _factors(loaded, part)
    if doubt is not None:
        factors = [(a, b * more, c * more, d, e) for (a, b, c, d, e), more in zip(factors, doubt, strict=True)]
    return _backward(loaded, factors, _forward(loaded, factors), least)


def _forward(loaded: Model, factors: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    """For each token and label the sum over all ways to come there, up to a factor."""
    (aa, ab, ac, ad, ae), (ba, bb, bc, bd, be), (ca, cb, cc, cd, ce), (da, db, dc, dd, de), (ea, eb, ec, ed, ee) = (
        loaded.moves
    )
    a, b, c, d, e = (one * factor for one, factor in zip(loaded.starts, factors[0], strict=True))
    found: list[tuple[float, ...]] = [(a, b, c, d, e)]
    for at in range(1, len(factors)):
        if not at % _EVENED:
            size = a + b + c + d + e
            a, b, c, d, e = a / size, b / size, c / size, d / size, e / size
        fa, fb, fc, fd, fe = factors[at]
        a, b, c, d, e = (
            (a * aa + b * ba + c * ca + d * da + e * ea) * fa,
            (a * ab + b * bb + c * cb + d * db + e * eb) * fb,
            (a * ac + b * bc + c * cc + d * dc + e * ec) * fc,
            (a * ad + b * bd + c * cd + d * dd + e * ed) * fd,
            (a * ae + b * be + c * ce + d * de + e * ee) * fe,
        )
        found.append((a, b, c, d, e))
    return found


def _backward(
    loaded: Model, factors: Sequence[Sequence[float]], forward: Sequence[Sequence[float]], least: float
) -> list[Chance]:
    """The same from the end, and what both come to."""
    (aa, ab, ac, ad, ae), (ba, bb, bc, bd, be), (ca, cb, cc, cd, ce), (da, db, dc, dd, de), (ea, eb, ec, ed, ee) = (
        loaded.moves
    )
    a = b = c = d = e = 1.0
    result: list[Chance] = []
    for at in range(len(factors) - 1, -1, -1):
        fa, fb, fc, fd, fe = forward[at]
        fa, fb, fc, fd, fe = fa * a, fb * b, fc * c, fd * d, fe * e
        some = fb + fc + fd + fe
        size = fa + some
        result.append(None if some < least * size else (fa / size, fb / size, fc / size, fd / size, fe / size))
        if not at % _EVENED:
            size = a + b + c + d + e
            a, b, c, d, e = a / size, b / size, c / size, d / size, e / size
        fa, fb, fc, fd, fe = factors[at]
        a, b, c, d, e = a * fa, b * fb, c * fc, d * fd, e * fe
        a, b, c, d, e = (
            a * aa + b * ab + c * ac + d * ad + e * ae,
            a * ba + b * bb + c * bc + d * bd + e * be,
            a * ca + b * cb + c * cc + d * cd + e * ce,
            a * da + b * db + c * dc + d * dd + e * de,
            a * ea + b * eb + c * ec + d * ed + e * ee,
        )
    result.reverse()
    return result


# ------------------------------------------------------------------ runs


def _runs(
    part: Sequence[Token], chances: Sequence[Sequence[float]], first: int, least: float, name: str
) -> Iterator[Tagged]:
    """Tokens side by side of which one is likely enough, and the others not much less, so that no half of a name stays.

    Those that are likely enough hold a word or a number.
    """
    run: list[int] = []
    for at, chance in enumerate(chances):
        inside = chance[first] + chance[first + 1] >= least * _JOINS
        if run and (not inside or chance[first] > chance[first + 1]):
            yield from _run(part, chances, run, first, least, name)
            run = []
        if inside:
            run.append(at)
    if run:
        yield from _run(part, chances, run, first, least, name)


def _run(
    part: Sequence[Token],
    chances: Sequence[Sequence[float]],
    run: Sequence[int],
    first: int,
    least: float,
    name: str,
) -> Iterator[Tagged]:
    low, high = 0, len(run)
    while low < high and _is_edge(part[run[low]].text):
        low += 1
    while high > low and _is_edge(part[run[high - 1]].text):
        high -= 1
    for kept in [run[low:high]] if name == "ADDRESS" else _names(part, run[low:high]):
        sure = {at: chances[at][first] + chances[at][first + 1] for at in kept}
        likely_enough = [at for at in kept if sure[at] >= least]
        if not likely_enough or part[kept[-1]].end - part[kept[0]].start > _LONGEST:
            continue
        if (_is_address if name == "ADDRESS" else _is_name)(part, likely_enough):
            yield Tagged(part[kept[0]].start, part[kept[-1]].end, name, min(1.0, sum(sure.values()) / len(sure)))


def _names(part: Sequence[Token], kept: Sequence[int]) -> Iterator[Sequence[int]]:
    """A name; of many in a row with nothing between that tells where one ends, as many together as one may be long."""
    some: list[int] = []
    for at in kept:
        if some and part[at].start > part[at - 1].end and part[at].end - part[some[0]].start > _LONGEST:
            yield some
            some = []
        some.append(at)
    yield some


def _is_edge(token: str) -> bool:
    return token in _EDGES or is_handle(token)


def _is_name(part: Sequence[Token], kept: Sequence[int]) -> bool:
    """Whether it is more than one letter, and words that people are called by."""
    some = [part[at].text for at in kept]
    return any(one[0].isalnum() and len(one) > 1 for one in some) and max(map(len, some)) <= _LONGEST_WORD


def _is_address(part: Sequence[Token], kept: Sequence[int]) -> bool:
    """Whether it is more than a country or so many of something: words, and what streets and houses have."""
    some = [part[at].text for at in kept]
    words = [one for one in some if len(one) > 1 and one[0].isalpha()]
    apart = any(part[at].end < part[after].start or part[at].text in ",." for at, after in pairwise(kept))
    if not words or not apart:  # in code, as base64 is one, all stands close together
        return False
    if any(lists().get(one.lower(), 0) & PLACES for one in some):
        return True
    numbers = sum(one[0].isdigit() for one in some)
    return numbers > 1 or (numbers > 0 and (len(some) > 3 or any(one[0].isupper() for one in words)))
