"""What has been sent in the last minute, and what a provider says is left: numbers and moments, no waiting."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_S = 60.0


@dataclass(slots=True)
class Sent:
    """One call in the window: when it was let through, and what it counts for."""

    at: float
    requests: int
    tokens: int
    gone: bool = False
    """It has left the window, and counts no more."""


class Window:
    """Calls and tokens of the last 60 seconds; in no such span are there more than the limits, None being no limit.

    Moments are of the event loop's time, in seconds.
    """

    __slots__ = ("_log", "_max_requests", "_max_tokens", "_requests", "_tokens")

    def __init__(self, requests: int | None, tokens: int | None) -> None:
        self._max_requests = requests
        self._max_tokens = tokens
        self._log: deque[Sent] = deque()
        self._requests = 0
        self._tokens = 0

    def opens(self, now: float, tokens: int) -> float:
        """When a call of so many tokens may fit: not after `now` if it does, else the next moment worth a look."""
        log = self._log
        while log and log[0].at + WINDOW_S <= now:
            old = log.popleft()
            old.gone = True
            self._requests -= old.requests
            self._tokens -= old.tokens
        if self._max_requests is not None and self._requests >= self._max_requests:
            return log[0].at + WINDOW_S
        if self._max_tokens is not None and self._tokens + min(tokens, self._max_tokens) > self._max_tokens:
            return log[0].at + WINDOW_S
        return now

    def add(self, now: float, tokens: int) -> Sent:
        """Count a call; one of more tokens than the limit counts for all of them, since it would never fit else."""
        if self._max_tokens is not None:
            tokens = min(tokens, self._max_tokens)
        sent = Sent(now, 1, tokens)
        self._log.append(sent)
        self._requests += 1
        self._tokens += tokens
        return sent

    def correct(self, sent: Sent, requests: int, tokens: int) -> None:
        """Let a call count for what it has turned out to be."""
        if not sent.gone:
            self._requests += requests - sent.requests
            self._tokens += tokens - sent.tokens
        sent.requests, sent.tokens = requests, tokens


class Allowance:
    """What a provider said is left until a moment, less what has been sent since; before its first word, no limit."""

    __slots__ = ("_left", "_said_to", "_until")

    def __init__(self) -> None:
        self._left = 0
        self._until = 0.0
        self._said_to = -1

    def opens(self, now: float, amount: int) -> float:
        """When so much may be sent: not after `now` if it may be now."""
        return self._until if self._left < amount and now < self._until else now

    def take(self, amount: int) -> None:
        self._left -= amount

    def hear(self, serial: int, left: int, until: float, now: float) -> None:
        """The provider's word in its answer to call number `serial`; what it said to a later one stands."""
        if serial >= self._said_to or now >= self._until:
            self._said_to = serial
            self._left = left
            self._until = until
