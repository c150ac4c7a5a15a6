"""Weights of single words that stand for what the words mean: words that are used alike have weights that are alike.

They come from a head over vectors of words: what such a head makes of the sum of the vectors of a text is the sum of
one number for each word, so the numbers ship and the vectors do not.  A word is known by its print, the lowest 24 bits
of its CRC-32; one word in 500 that has no weight is taken for one that has.

In a file of weights these are, in order: the lowest bytes of the steps from print to print, their middle bytes, their
highest bytes, and for each print its weight plus 128.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate
from typing import NamedTuple

ZERO = 128
_MASK = (1 << 24) - 1


def print_of(word: str) -> int:
    """What a word is known by."""
    return zlib.crc32(f"m {word}".encode()) & _MASK


class Meanings(NamedTuple):
    """The weights of a head."""

    prints: array[int]
    """In their order."""
    weights: bytes
    """One for each print, plus 128."""
    scale: float

    def weight(self, word: str) -> int:
        """The weight of a word in units of the scale; 0 if it has none."""
        wanted = print_of(word.replace("\u2019", "'"))
        at = bisect_left(self.prints, wanted)
        return self.weights[at] - ZERO if at < len(self.prints) and self.prints[at] == wanted else 0

    def packed(self) -> bytes:
        """The part of a file of weights."""
        steps = [print - before for before, print in zip((0, *self.prints), self.prints, strict=False)]
        planes = (bytes(step >> shift & 255 for step in steps) for shift in (0, 8, 16))
        return b"".join(planes) + self.weights


def meanings(weights: Mapping[str, int], scale: float) -> Meanings:
    """The weights of words, -127 to 127; where two have one print, that of the first."""
    ours: dict[int, int] = {}
    for word, weight in weights.items():
        ours.setdefault(print_of(word), weight)
    prints = array("I", sorted(ours))
    return Meanings(prints, bytes(ours[one] + ZERO for one in prints), scale)


def unpacked(data: bytes, scale: float) -> Meanings:
    """The same from their part of a file of weights."""
    many = len(data) // 4
    steps = array("I", bytes(4 * many))
    whole = memoryview(steps).cast("B")
    for at in range(3):
        whole[at if sys.byteorder == "little" else 3 - at :: 4] = data[at * many : (at + 1) * many]
    return Meanings(array("I", accumulate(steps)), data[3 * many :], scale)
