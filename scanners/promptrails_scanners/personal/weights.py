"""The weights of the tagger: how they are kept in a file, and what is made of them to be summed quickly.

They are whole numbers of one byte.  Those of a bucket, less that of the first label, lie side by side in one int, each
in a lane of its own, so that the sum over a token's buckets is one sum of ints.
"""

from __future__ import annotations

import math
import struct
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import accumulate, islice, pairwise

from promptrails_scanners.foundation.once import once
from promptrails_scanners.personal.features import BUCKETS, TABLES, Tables

LABELS = ("O", "B-PERSON", "I-PERSON", "B-ADDRESS", "I-ADDRESS")
MAGIC = b"PRTAG3"
SIZE = len(LABELS)
LANE = 15
LANES = (1 << LANE) - 1
BIAS = 255
_ONES = sum(1 << LANE * label for label in range(SIZE - 1))
NONE = BIAS * _ONES
"""What a bucket adds whose weights are all the same."""
AROUND = (2, 4, 9, 4, 2)
"""How many buckets a token has from those around it and from itself; where nothing stands there are fewer."""
WIDTH = sum(AROUND) + 13
"""Buckets of a token, those included that it has together with its neighbours."""
EVEN = WIDTH * BIAS
"""The sum of a label that is as likely as the first."""


@dataclass(frozen=True, slots=True)
class Model:
    """The weights."""

    table: Sequence[int]
    lists: Tables
    """Which words are names, and which are common ones."""
    fall: Sequence[float]
    """The factors for labels whose sums are 0, 1, 2 and more units under the best."""
    moves: tuple[tuple[float, ...], ...]
    """How well a label follows another one, as factors: first label, second label."""
    starts: tuple[float, ...]


def pack(
    lists: Tables, weights: bytes, scale: float, moves: Sequence[Sequence[float]], starts: Sequence[float]
) -> bytes:
    """The file that `unpack` reads: weights are signed bytes, five for each bucket; of the lists the gaps are kept."""
    numbers = [scale, *(one for row in moves for one in row), *starts]
    gaps = [[after - before for before, after in pairwise((0, *some))] for some in lists]
    head = struct.pack(f"<{len(numbers)}f{len(gaps)}I", *numbers, *map(len, gaps))
    low = bytes(gap % 256 for some in gaps for gap in some)
    high = bytes(gap // 256 for some in gaps for gap in some)
    return MAGIC + zlib.compress(head + low + high + weights, 9)


def unpack(data: bytes) -> Model:
    """The model of a file's bytes."""
    plain = zlib.decompress(data[len(MAGIC) :])
    count = 1 + SIZE * SIZE + SIZE
    numbers = struct.unpack_from(f"<{count}f", plain)
    sizes = struct.unpack_from(f"<{len(TABLES)}I", plain, 4 * count)
    first = 4 * (count + len(sizes))
    all_of_them = sum(sizes)
    gaps = iter(map(_gap, plain[first : first + all_of_them], plain[first + all_of_them : first + 2 * all_of_them]))
    lists = tuple(array("I", accumulate(islice(gaps, size))) for size in sizes)
    weights = plain[first + 2 * all_of_them :]
    signed = [(one + 128) % 256 - 128 for one in range(256)]
    o, b, c, d, e = ([one * unit for one in signed] for unit in (-_ONES, 1, 1 << 15, 1 << 30, 1 << 45))
    a, *others = (weights[label : BUCKETS * SIZE : SIZE] for label in range(SIZE))
    lanes = zip(a, others[0], others[1], others[2], others[3], strict=True)
    table = array("Q", [NONE + o[at] + b[one] + c[two] + d[three] + e[four] for at, one, two, three, four in lanes])
    rows = range(1, 1 + SIZE * SIZE, SIZE)
    moves = tuple(tuple(math.exp(one) for one in numbers[row : row + SIZE]) for row in rows)
    fall = array("d", [math.exp(-numbers[0] * under) for under in range(2 * EVEN + 1)])
    return Model(table, lists, fall, moves, tuple(math.exp(one) for one in numbers[1 + SIZE * SIZE :]))


def _gap(low: int, high: int) -> int:
    return low | high << 8


@once
def model() -> Model:
    """The weights that come with the package, read once."""
    return unpack(files("promptrails_scanners.personal").joinpath("data/tagger.bin").read_bytes())
