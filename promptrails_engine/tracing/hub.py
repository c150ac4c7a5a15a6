"""Hands finished spans to the sinks, so that no sink can slow, fail or fill up a run."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from promptrails_engine.ports.sink import CapturingSink, Sink, Span
from promptrails_engine.tracing.lane import Lane

QUEUE_SIZE = 2048


@dataclass(frozen=True, slots=True)
class SinkStats:
    """Spans of one sink since the hub was made (in a forked child: since the fork).

    Attributes:
        name: the sink's class, with a number where there are several of it.
        exported: spans that its `export` took.
        dropped: spans lost because the queue was full, an export failed, or the hub was closed before their turn.
        errors: calls of the sink that raised.
    """

    name: str
    exported: int
    dropped: int
    errors: int


class SinkHub:
    """Sinks, each with a bounded queue and a daemon thread of its own that starts with the first span.

    Args:
        sinks: Where the spans go.
        queue_size: The most spans that wait for one sink; of what comes on top, the newest is dropped and counted.
        mask: Takes secrets out of the texts of sinks' errors before they are logged.
    """

    def __init__(
        self, sinks: Sequence[Sink], *, queue_size: int = QUEUE_SIZE, mask: Callable[[str], str] | None = None
    ) -> None:
        names = _names(sinks)
        self._lanes = tuple(Lane(name, sink, queue_size, mask) for name, sink in zip(names, sinks, strict=True))
        self._capturing = tuple(lane for lane in self._lanes if isinstance(lane.sink, CapturingSink))
        self._pid = os.getpid()
        self._closed = False

    def publish(self, spans: Sequence[Span]) -> None:
        """Put the spans in line for every sink.  Never waits for a sink, never raises."""
        if not self._lanes or not spans:
            return
        if self._pid != os.getpid():
            self._after_fork()
        batch = tuple(spans)
        for lane in self._lanes:
            lane.put(batch)

    def capture(self) -> dict[int, Any] | None:
        """What the capturing sinks see in the caller's context, by `id(sink)`; None if none captures.

        A sink that raises is counted and left out.
        """
        if not self._capturing:
            return None
        if self._pid != os.getpid():
            self._after_fork()
        captured: dict[int, Any] = {}
        for lane in self._capturing:
            sink = lane.sink
            try:
                if isinstance(sink, CapturingSink):
                    captured[id(sink)] = sink.capture()
            except Exception as error:
                lane.failed("capture", error)
        return captured

    def stats(self) -> list[SinkStats]:
        """One entry a sink, in the order in which they were given."""
        return [SinkStats(lane.name, lane.exported, lane.dropped, lane.errors) for lane in self._lanes]

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Whether all sinks took everything published so far and flushed, within `timeout_s` altogether.  Blocks."""
        if self._closed:
            return True
        if self._pid != os.getpid():
            self._after_fork()
        return _wait_all([lane.flush for lane in self._lanes], timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Whether all sinks took everything and closed, within `timeout_s` altogether.  Blocks.

        A sink that is not done by then is abandoned: its waiting spans count as dropped, and its thread dies with the
        process.  Spans published from now on are dropped.  A second call does nothing.
        """
        if self._closed:
            return True
        if self._pid != os.getpid():
            self._after_fork()
        self._closed = True
        done = _wait_all([lane.close for lane in self._lanes], timeout_s)
        for lane in self._lanes:
            lane.abandon()
        return done

    def _after_fork(self) -> None:
        """Threads do not survive a fork; what waited in the parent is the parent's to export."""
        self._pid = os.getpid()
        for lane in self._lanes:
            lane.reset()


def _names(sinks: Sequence[Sink]) -> list[str]:
    kinds = [type(sink).__name__ for sink in sinks]
    counts, seen = Counter(kinds), Counter[str]()
    names: list[str] = []
    for kind in kinds:
        seen[kind] += 1
        names.append(kind if counts[kind] == 1 else f"{kind}-{seen[kind]}")
    return names


def _wait_all(starts: Sequence[Callable[[], Callable[[float], bool]]], timeout_s: float) -> bool:
    """Starts all, then waits for each with what is left of the time."""
    deadline = time.monotonic() + timeout_s
    waits = [start() for start in starts]
    return all([wait(max(0.0, deadline - time.monotonic())) for wait in waits])
