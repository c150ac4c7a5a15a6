"""Time, given to the engine as an argument so that tests own it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable


class Clock(Protocol):
    """Two readings, in seconds: `now` since the Unix epoch, for display; `monotonic` for durations and deadlines."""

    now: Callable[[], float]
    monotonic: Callable[[], float]


@runtime_checkable
class SleepingClock(Clock, Protocol):
    """A clock that also says how long waiting takes: of the engine's waits, those between two looks at a media job."""

    def sleep(self, seconds: float, /) -> Awaitable[None]:
        """Return after so many seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


def iso(timestamp: float) -> str:
    """An ISO-8601 string in UTC with microseconds, as on the wire of the hosted API."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def iso_or_none(timestamp: float | None) -> str | None:
    return None if timestamp is None else iso(timestamp)


def from_iso(text: str) -> float:
    """Seconds since the epoch of an ISO-8601 date or time; one without a zone is read as UTC."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
