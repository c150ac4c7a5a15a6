"""Identifiers: KSUIDs for records (27 characters of base 62, sorting by second), hexadecimal ids for traces and spans.

The KSUID layout is that of segment's format: 4 bytes of seconds since 1400000000, 16 random bytes, big endian, written
in base 62.  Encoding 160 bits digit by digit would be the dearest part of a short run, so the leading eleven digits
are worked out once a second, with all the randomness that they can hold (33 bits), and the other sixteen are 64 random
bits, written in the hexadecimal part of the alphabet.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EPOCH = 1_400_000_000
_TAIL = 16
_TAIL_SPAN = 62**_TAIL
_POOL = 256
_ZERO, _ONE = "0" * 16, "0" * 15 + "1"


class IdFactory:
    """Makes ids; give it a seed and a clock for reproducible ones."""

    _second: int
    _head: str

    def __init__(self, seed: int | None = None, clock: Callable[[], float] = time.time) -> None:
        self._seed = seed
        self._clock = clock
        self._start(seed)

    def record(self) -> str:
        """A KSUID: 27 characters, sorting by the second of its making."""
        if os.getpid() != self._pid:
            # A forked child would otherwise make the ids of its parent.
            self._start(None if self._seed is None else f"{self._seed}/{os.getpid()}")
        second = int(self._clock())
        if second != self._second:
            self._head = self._new_head(second)
            self._second = second
        return self._head + self.span()

    def trace(self) -> str:
        """32 hexadecimal digits, not all zero (W3C Trace Context)."""
        return self.span() + self.span()

    def span(self) -> str:
        """16 hexadecimal digits, not all zero (W3C Trace Context)."""
        if not self._pool:
            self._fill()
        return self._pool.pop()

    def derived(self, parent: str, key: str) -> str:
        """16 hexadecimal digits that are the same whenever they are asked for."""
        return hashlib.blake2b(f"{parent}/{key}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    def child(self, parent: str, key: str) -> str:
        """The id of what the record `parent` starts at the step `key`: the same whenever it is asked for."""
        return parent[: 27 - _TAIL] + self.derived(parent, key)

    def keyed(self, workspace_id: str, key: str) -> str:
        """The id, 27 characters too, of the record that a caller names by a key of his own: always the same one."""
        text = f"{len(workspace_id)}:{workspace_id}:{key}".encode("utf-8", "surrogatepass")
        number = int.from_bytes(hashlib.blake2b(text, digest_size=20).digest())
        return "".join(_DIGITS[number // 62**place % 62] for place in reversed(range(27)))

    def _start(self, seed: int | str | None) -> None:
        self._pid = os.getpid()
        # Seeded from the system where no seed is given, which is as unguessable as an id needs to be.
        self._random = random.Random(random.SystemRandom().getrandbits(256) if seed is None else seed)
        self._second = -1
        self._head = ""
        self._pool: list[str] = []

    def _fill(self) -> None:
        """Make many at once: written one by one, the digits would cost more than the randomness."""
        digits = self._random.randbytes(8 * _POOL).hex()
        pieces = [digits[start : start + 16] for start in range(0, len(digits), 16)]
        self._pool = [piece for piece in pieces if piece != _ZERO] or [_ONE]

    def _new_head(self, second: int) -> str:
        low = (second - _EPOCH) << 128
        first, last = low // _TAIL_SPAN + 1, (low + (1 << 128)) // _TAIL_SPAN - 1
        number = self._random.randint(first, last)
        digits: list[str] = []
        for _ in range(27 - _TAIL):
            number, digit = divmod(number, 62)
            digits.append(_DIGITS[digit])
        return "".join(reversed(digits))


def ksuid_seconds(ksuid: str) -> int:
    """The Unix second in which a KSUID was made."""
    number = 0
    for char in ksuid:
        number = number * 62 + _DIGITS.index(char)
    return (number >> 128) + _EPOCH
