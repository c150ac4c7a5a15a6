"""Where the characters of a text that was made of another one come from."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Origins:
    """Kept as runs of characters that stand side by side in both texts, so that long texts take little room."""

    __slots__ = ("_at", "_from")

    def __init__(self) -> None:
        self._at = array("I", [0])
        self._from = array("I", [0])

    def add(self, at: int, origin: int) -> None:
        """From this character on they come from there on; they are given in order, and the last of one place counts."""
        if at == self._at[-1]:
            self._from[-1] = origin
        elif origin - at != self._from[-1] - self._at[-1]:
            self._at.append(at)
            self._from.append(origin)

    def __getitem__(self, at: int) -> int:
        run = bisect_right(self._at, at) - 1
        return self._from[run] + at - self._at[run]

    def runs(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Where the runs of a part begin, and where each comes from; the first begins with the part."""
        yield start, self[start]
        for run in range(bisect_right(self._at, start), bisect_left(self._at, end)):
            yield self._at[run], self._from[run]
