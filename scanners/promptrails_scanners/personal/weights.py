"""The weights of the tagger: how they are kept in a file, and what is made of them to be summed quickly.

They are whole numbers of one byte.  Those of a bucket, less that of the first label, lie side by side in one int, each
in a lane of its own, so that the sum over a token's buckets is one sum of ints.  They lie in the file like that, not
compressed: a wheel is, and who loads it does not wait.
"""

from __future__ import annotations

import math
import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from importlib.resources import files
from itertools import accumulate, pairwise
from typing import NamedTuple

from promptrails_scanners.foundation.once import once
from promptrails_scanners.personal.features import BUCKETS, TABLES, Tables

LABELS = ("O", "B-PERSON", "I-PERSON", "B-ADDRESS", "I-ADDRESS")
MAGIC = b"PRTAG4"
SIZE = len(LABELS)
LANE = 15
LANES = (1 << LANE) - 1
BIAS = 255
_ONES = sum(1 << LANE * label for label in range(SIZE - 1))
NONE = BIAS * _ONES
"""What a bucket adds whose weights are all the same."""
_LIFTED = bytes((one + 128) % 256 for one in range(256))
"""Each byte as that of a signed number, 128 more than it is."""
AROUND = (2, 4, 9, 4, 2)
"""How many buckets a token has from those around it and from itself; where nothing stands there are fewer."""
WIDTH = sum(AROUND) + 13
"""Buckets of a token, those included that it has together with its neighbours."""
EVEN = WIDTH * BIAS
"""The sum of a label that is as likely as the first."""


class Fall(dict[int, float]):
    """The factors for labels whose sums are 0, 1, 2 and more units under the best; each is made once asked for."""

    def __init__(self, unit: float) -> None:
        super().__init__()
        self._unit = -unit

    def __missing__(self, under: int) -> float:
        factor = self[under] = math.exp(self._unit * under)
        return factor


class Model(NamedTuple):
    """The weights."""

    table: Sequence[int]
    lists: Tables
    """Which words are names, and which are common ones."""
    fall: Fall
    moves: tuple[tuple[float, ...], ...]
    """How well a label follows another one, as factors: first label, second label."""
    starts: tuple[float, ...]


def pack(
    lists: Tables, weights: bytes, scale: float, moves: Sequence[Sequence[float]], starts: Sequence[float]
) -> bytes:
    """The file that `unpack` reads; weights are signed bytes, five for each bucket.

    All but the weights is compressed, with its size before it; of the lists the gaps are kept.
    """
    numbers = [scale, *(one for row in moves for one in row), *starts]
    gaps = [[after - before for before, after in pairwise((0, *some))] for some in lists]
    head = struct.pack(f"<{len(numbers)}f{len(gaps)}I", *numbers, *map(len, gaps))
    low = bytes(gap % 256 for some in gaps for gap in some)
    high = bytes(gap // 256 for some in gaps for gap in some)
    packed = zlib.compress(head + low + high, 9)
    return MAGIC + struct.pack("<I", len(packed)) + packed + _laned(weights)


def unpack(data: bytes) -> Model:
    """The model of a file's bytes."""
    start = len(MAGIC) + 4
    end = start + struct.unpack_from("<I", data, len(MAGIC))[0]
    plain = zlib.decompress(data[start:end])
    count = 1 + SIZE * SIZE + SIZE
    numbers = struct.unpack_from(f"<{count}f", plain)
    sizes = struct.unpack_from(f"<{len(TABLES)}I", plain, 4 * count)
    first = 4 * (count + len(sizes))
    all_of_them = sum(sizes)
    gaps = _pairs(plain[first : first + 2 * all_of_them])
    lists = tuple(array("I", accumulate(gaps[start:end])) for start, end in pairwise((0, *accumulate(sizes))))
    table = array("Q", data[end:])
    if sys.byteorder == "big":
        table.byteswap()
    rows = range(1, 1 + SIZE * SIZE, SIZE)
    moves = tuple(tuple(math.exp(one) for one in numbers[row : row + SIZE]) for row in rows)
    return Model(table, lists, Fall(numbers[0]), moves, tuple(math.exp(one) for one in numbers[1 + SIZE * SIZE :]))


def _pairs(planes: bytes) -> array[int]:
    """Numbers of two bytes, of which the lower bytes of all come first."""
    count = len(planes) // 2
    digits = bytearray(4 * count)
    digits[::4], digits[1::4] = planes[:count], planes[count:]
    found = array("I", bytes(digits))
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _laned(weights: bytes) -> bytes:
    """The lanes of each bucket, of which signed bytes are given, five for each.

    All buckets are worked as the digits of one number, eight bytes each: no digit is ever under 0 or runs over.
    """
    first, *others = (_spread(weights[label : BUCKETS * SIZE : SIZE]) for label in range(SIZE))
    total = int.from_bytes(NONE.to_bytes(8, "little") * BUCKETS, "little")
    for at, other in enumerate(others):
        total += (other - first) << LANE * at
    return total.to_bytes(8 * BUCKETS, "little")


def _spread(weights: bytes) -> int:
    """Signed bytes, 128 more than they are, as the digits of a number."""
    digits = bytearray(8 * len(weights))
    digits[::8] = weights.translate(_LIFTED)
    return int.from_bytes(digits, "little")


@once
def model() -> Model:
    """The weights that come with the package, read once."""
    return unpack(files("promptrails_scanners.personal").joinpath("data/tagger.bin").read_bytes())
