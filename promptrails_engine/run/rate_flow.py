"""How many calls may be under way at once, learned from refusals; numbers and moments, no waiting."""

from __future__ import annotations

from collections.abc import Callable

_PAUSE_S = 1.0
_PAUSE_CAP_S = 20.0
_HOLD_CAP_S = 86_400.0
_UNCOUNTED = 32
"""Calls taken to be under way where the first refusal came before anyone counted them."""
_RAMP = 2.0
_CREEP = 0.25


class Flow:
    """Additive increase, multiplicative decrease, and a moment before which nothing is sent.

    A refusal closes it: until the moment that the provider named, else for a pause that doubles with each refusal in a
    row.  One call then tries; each accepted one lets two more go, up to half of what was under way at the refusal, and
    from there on one more for every fourth full round.  Calls sent before a refusal tell nothing new.
    """

    __slots__ = ("_ceiling", "_random", "_refused_to", "_slow_above", "_strikes", "limit", "opens", "served")

    def __init__(self, ceiling: float, random: Callable[[], float]) -> None:
        self._ceiling = ceiling
        self._random = random
        self.limit = ceiling
        """Calls at once."""
        self.opens = 0.0
        """Nothing is sent before this moment."""
        self.served = 0
        """Calls that were accepted so far."""
        self._slow_above = ceiling
        self._strikes = 0
        self._refused_to = -1

    def hold(self, now: float, seconds: float) -> None:
        """Send nothing for so long."""
        self.opens = max(self.opens, now + min(seconds, _HOLD_CAP_S))

    def refused(self, serial: int, latest: int, under_way: int, now: float, retry_after_s: float | None) -> None:
        """Call number `serial` got a 429, when `latest` was the number of the last one sent."""
        if retry_after_s is not None:
            self.hold(now, retry_after_s)
        if serial <= self._refused_to:
            return
        if retry_after_s is None:
            most: float = min(_PAUSE_CAP_S, _PAUSE_S * 2.0 ** min(self._strikes, 10))
            self.hold(now, most * (0.5 + self._random() / 2))
        self._refused_to = latest
        self._strikes += 1
        if self._strikes == 1:
            self._slow_above = max(1.0, min(self.limit, under_way or _UNCOUNTED) / 2)
        self.limit = 1.0

    def accepted(self, serial: int) -> None:
        """Call number `serial` is being answered."""
        self.served += 1
        if serial <= self._refused_to:
            return
        self._strikes = 0
        if self.limit < self._ceiling:
            step = _RAMP if self.limit + _RAMP <= self._slow_above else _CREEP / self.limit
            self.limit = min(self._ceiling, self.limit + step)
