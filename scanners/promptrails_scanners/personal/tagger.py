"""Names of persons and addresses, told by a small linear model of tokens.

A conditional random field over five labels.  The weights are whole numbers of one byte; the five of a bucket lie side
by side in one int, so that the sum over a token's buckets is one sum of ints.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from promptrails_scanners.foundation.once import once
from promptrails_scanners.personal.features import (
    BUCKETS,
    COMMON_BITS,
    NOTHING,
    PLACES,
    Token,
    Word,
    describe,
    joint,
    lists,
    tokens,
)

LABELS = ("O", "B-PERSON", "I-PERSON", "B-ADDRESS", "I-ADDRESS")
MAGIC = b"PRTAG2"
SOFT, WISHED, HARD, ENDLESS = 96, 128, 256, 512
"""A part of a text ends at a line's end after so many tokens, at a sentence's end after so many, at white space after
so many, or after so many anywhere."""
GAP = 256
"""White space of more characters ends a part, too."""

AGREED, ALONE = 10.0, 0.5
"""How much likelier a person is at a token where another model sees one, and at one where it does not."""

_N = len(LABELS)
_LONGEST = 400
"""What is longer, in characters, is no name and no address."""
_LANE = 16
_BIAS = 128
_EDGES = frozenset(",;:\"'“”‘’()[]{}<>|*_-–—.!?\\/=")


@dataclass(frozen=True, slots=True)
class Tagged:
    """A part of the text that is taken for a person's name or an address."""

    start: int
    end: int
    type: str
    score: float


@dataclass(frozen=True, slots=True)
class Model:
    """The weights."""

    table: Sequence[int]
    common: bytes
    scale: float
    moves: tuple[tuple[float, ...], ...]
    """How well a label follows another one, as factors: first label, second label."""
    starts: tuple[float, ...]


def pack(
    common: bytes, weights: bytes, scale: float, moves: Sequence[Sequence[float]], starts: Sequence[float]
) -> bytes:
    """The file that `load` reads: weights are signed bytes, five for each bucket."""
    numbers = [scale, *(one for row in moves for one in row), *starts]
    return MAGIC + zlib.compress(struct.pack(f"<{len(numbers)}f", *numbers) + common + weights, 9)


def unpack(data: bytes) -> Model:
    """The model of a file's bytes."""
    plain = zlib.decompress(data[len(MAGIC) :])
    count = 1 + _N * _N + _N
    numbers = struct.unpack_from(f"<{count}f", plain)
    common = plain[4 * count : 4 * count + COMMON_BITS // 8]
    weights = struct.unpack_from(f"<{BUCKETS * _N}b", plain, 4 * count + COMMON_BITS // 8)
    table = [
        sum((weights[at + label] + _BIAS) << (_LANE * label) for label in range(_N))
        for at in range(0, BUCKETS * _N, _N)
    ]
    moves = tuple(tuple(math.exp(one) for one in numbers[1 + _N * row : 1 + _N * row + _N]) for row in range(_N))
    return Model(table, common, numbers[0], moves, tuple(math.exp(one) for one in numbers[1 + _N * _N :]))


@once
def model() -> Model:
    """The weights that come with the package, read once."""
    return unpack(files("promptrails_scanners.personal").joinpath("data/tagger.bin").read_bytes())


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


def tag(text: str, person: float, address: float, persons: Sequence[tuple[int, int]] | None = None) -> Iterator[Tagged]:
    """Where names and addresses stand that are at least so likely; a kind with more than 1 is not looked for.

    `persons` are places, in their order, that another model takes for persons: that makes a name there more likely and
    one elsewhere less.
    """
    loaded = model()
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
        chances = marginals(loaded, part, doubt)
        if person <= 1:
            yield from _runs(part, chances, 1, person, "PERSON")
        if address <= 1:
            yield from _runs(part, chances, 3, address, "ADDRESS")


# ------------------------------------------------------------------ scores


@lru_cache(maxsize=16384)
def _known(token: str) -> tuple[Word, tuple[int, ...], tuple[int, ...]]:
    """A token's word, the sums of its buckets for each place, and how many there are."""
    loaded = model()
    word = describe(token, loaded.common)
    return _summed(loaded, word)


def _summed(loaded: Model, word: Word) -> tuple[Word, tuple[int, ...], tuple[int, ...]]:
    get = loaded.table.__getitem__
    return word, tuple(sum(map(get, some)) for some in word.around), tuple(map(len, word.around))


def marginals(loaded: Model, part: Sequence[Token], doubt: Sequence[float] | None = None) -> list[list[float]]:
    """For each token how likely each label is; `doubt` holds a factor for each token that makes a person of it more
    likely or less."""
    if not part:
        return []
    factors = _factors(loaded, part)
    for factor, more in zip(factors, doubt or (), strict=False):
        factor[1] *= more
        factor[2] *= more
    return _chances(loaded, factors)


def _factors(loaded: Model, part: Sequence[Token]) -> list[list[float]]:
    blank = _summed(loaded, NOTHING)
    known = [blank, blank, *(_known(token.text) for token in part), blank, blank]
    words = [one[0] for one in known]
    fresh = [token.fresh for token in part]
    get = loaded.table.__getitem__
    lanes = range(0, _LANE * _N, _LANE)
    factors: list[list[float]] = []
    for at in range(len(part)):
        two, one, own, next_one, next_two = known[at : at + 5]
        more = joint(words, at, fresh)
        total = two[1][0] + one[1][1] + own[1][2] + next_one[1][3] + next_two[1][4] + sum(map(get, more))
        count = len(more) + two[2][0] + one[2][1] + own[2][2] + next_one[2][3] + next_two[2][4]
        zero = count * _BIAS
        raw = [((total >> lane & 0xFFFF) - zero) * loaded.scale for lane in lanes]
        best = max(raw)
        factors.append([math.exp(one - best) for one in raw])
    return factors


def _chances(loaded: Model, factors: Sequence[Sequence[float]]) -> list[list[float]]:
    """Forwards and backwards through the part."""
    into = tuple(zip(*loaded.moves, strict=True))
    now = [start * factor for start, factor in zip(loaded.starts, factors[0], strict=True)]
    forward: list[list[float]] = []
    for at, factor in enumerate(factors):
        if at:
            a, b, c, d, e = now
            now = [
                (a * m[0] + b * m[1] + c * m[2] + d * m[3] + e * m[4]) * f for m, f in zip(into, factor, strict=True)
            ]
        size = sum(now)
        now = [one / size for one in now]
        forward.append(now)
    after = [1.0] * _N
    result: list[list[float]] = []
    for at in range(len(factors) - 1, -1, -1):
        both = [one * other for one, other in zip(forward[at], after, strict=True)]
        size = sum(both)
        result.append([one / size for one in both])
        a, b, c, d, e = (one * factor for one, factor in zip(after, factors[at], strict=True))
        after = [a * m[0] + b * m[1] + c * m[2] + d * m[3] + e * m[4] for m in loaded.moves]
        size = sum(after)
        after = [one / size for one in after]
    result.reverse()
    return result


# ------------------------------------------------------------------ runs


def _runs(
    part: Sequence[Token], chances: Sequence[Sequence[float]], first: int, least: float, name: str
) -> Iterator[Tagged]:
    """Tokens side by side that are likely enough; a run has one token at least that is a word or a number."""
    run: list[int] = []
    for at, chance in enumerate(chances):
        inside = chance[first] + chance[first + 1] >= least
        if run and (not inside or chance[first] > chance[first + 1]):
            yield from _run(part, chances, run, first, name)
            run = []
        if inside:
            run.append(at)
    if run:
        yield from _run(part, chances, run, first, name)


def _run(
    part: Sequence[Token], chances: Sequence[Sequence[float]], run: Sequence[int], first: int, name: str
) -> Iterator[Tagged]:
    low, high = 0, len(run)
    while low < high and part[run[low]].text in _EDGES:
        low += 1
    while high > low and part[run[high - 1]].text in _EDGES:
        high -= 1
    kept = run[low:high]
    if not kept or part[kept[-1]].end - part[kept[0]].start > _LONGEST:
        return
    if not (_is_address if name == "ADDRESS" else _is_name)(part, kept):
        return
    sure = [chances[at][first] + chances[at][first + 1] for at in kept]
    yield Tagged(part[kept[0]].start, part[kept[-1]].end, name, min(1.0, sum(sure) / len(sure)))


def _is_name(part: Sequence[Token], kept: Sequence[int]) -> bool:
    """Whether it is more than one letter."""
    return any(part[at].text[0].isalnum() and len(part[at].text) > 1 for at in kept)


def _is_address(part: Sequence[Token], kept: Sequence[int]) -> bool:
    """Whether it is more than a country or so many of something: words, and what streets and houses have."""
    some = [part[at].text for at in kept]
    words = [one for one in some if len(one) > 1 and one[0].isalpha()]
    if not words or len(some) < 2:
        return False
    if any(lists().get(one.lower(), 0) & PLACES for one in some):
        return True
    numbers = sum(one[0].isdigit() for one in some)
    return numbers > 1 or (numbers > 0 and (len(some) > 3 or any(one[0].isupper() for one in words)))
