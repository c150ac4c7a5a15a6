"""A sink that keeps spans in memory: for tests and notebooks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from promptrails_engine.ports.sink import Span


class MemorySink:
    """Keeps the newest `max_spans` spans.  Read it after `engine.flush()`, since spans arrive on another thread."""

    def __init__(self, max_spans: int = 10_000) -> None:
        self._lock = threading.Lock()
        self._spans: deque[Span] = deque(maxlen=max_spans)

    @property
    def spans(self) -> list[Span]:
        """The spans, oldest first; children come before their parents."""
        with self._lock:
            return list(self._spans)

    def clear(self) -> None:
        """Forget all spans."""
        with self._lock:
            self._spans.clear()

    def export(self, spans: Sequence[Span]) -> None:
        with self._lock:
            self._spans.extend(spans)

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """The spans stay readable."""
