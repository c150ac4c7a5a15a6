"""One sink's queue and thread."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Literal

from promptrails_engine.ports.sink import Sink, Span

_log = logging.getLogger("promptrails_engine.tracing")
_MOST_KINDS = 32
_LONGEST_REASON = 300
_BATCH = 512

_Call = Literal["export", "flush", "close", "capture"]


class _Mark:
    """A place in the queue: what stands before it has been exported when `done` is set."""

    __slots__ = ("closes", "done")

    def __init__(self, closes: bool) -> None:
        self.closes = closes
        self.done = threading.Event()


class Lane:
    """Carries spans to one sink in order.  `put` is called by publishers, the sink's methods by the lane's thread."""

    def __init__(self, name: str, sink: Sink, size: int, mask: Callable[[str], str] | None) -> None:
        self.name = name
        self.sink = sink
        self._size = size
        self._mask = mask
        self.reset()

    def reset(self) -> None:
        """Start anew, without a thread, with nothing waiting."""
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Sequence[Span] | _Mark] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._waiting = 0
        self._open = True
        self._abandoned = False
        self._logged: set[str] = set()
        self.exported = 0
        self.dropped = 0
        self.errors = 0

    # -------------------------------------------------------------- publishers' side

    def put(self, batch: Sequence[Span]) -> None:
        """Take the batch, or as much of it as there is room for; never waits for the sink, never raises."""
        with self._lock:
            room = self._size - self._waiting if self._open and self._has_thread() else 0
            if room < len(batch):
                self.dropped += len(batch) - max(0, room)
                if room <= 0:
                    return
                batch = batch[:room]
            self._waiting += len(batch)
            self._queue.put(batch)

    def flush(self) -> Callable[[float], bool]:
        """Ask for a flush; the result waits for it and tells whether it is done."""
        with self._lock:
            if self._thread is None:  # nothing was ever exported
                return _at_once
            return self._put_mark(closes=False)

    def close(self) -> Callable[[float], bool]:
        """Ask the thread to finish, close the sink and end; the result waits for it and tells whether it is done."""
        with self._lock:
            if not self._has_thread():
                return _never
            self._open = False
            return self._put_mark(closes=True)

    def abandon(self) -> None:
        """Give up on what is still waiting."""
        with self._lock:
            self._open = False
            self._abandoned = True
            self.dropped += self._waiting
            self._waiting = 0

    def failed(self, call: _Call, error: BaseException) -> None:
        """Count an error of the sink; log it if it is the first of its kind."""
        kind = f"{call} {type(error).__qualname__}"
        with self._lock:
            self.errors += 1
            if kind in self._logged or len(self._logged) >= _MOST_KINDS:
                return
            self._logged.add(kind)
        _log.warning("Sink %s failed in %s: %s (further ones are only counted)", self.name, call, self._reason(error))

    def _reason(self, error: BaseException) -> str:
        try:
            text = f"{type(error).__name__}: {error}"
            return (self._mask(text) if self._mask else text)[:_LONGEST_REASON]
        except Exception:  # a broken __str__ must not end the thread
            return type(error).__name__

    def _put_mark(self, *, closes: bool) -> Callable[[float], bool]:
        mark = _Mark(closes)
        self._queue.put(mark)
        return mark.done.wait

    def _has_thread(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name=f"sink-{self.name}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has none to give, or the interpreter is shutting down
                return False
            self._thread = thread
        return True

    # -------------------------------------------------------------- the thread's side

    def _work(self) -> None:
        while True:
            item = self._queue.get()
            mark = item if isinstance(item, _Mark) else self._export_from(item)
            del item  # a waiting thread holds on to no spans
            if mark is not None:
                self._reach(mark)
                if mark.closes:
                    return

    def _export_from(self, first: Sequence[Span]) -> _Mark | None:
        """Export this batch and those behind it, up to 512 spans; the mark that ended them, if one did."""
        spans = list(first)
        mark: _Mark | None = None
        while mark is None and len(spans) < _BATCH:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if isinstance(item, _Mark):
                mark = item
            else:
                spans.extend(item)
        self._export(spans)
        return mark

    def _export(self, spans: Sequence[Span]) -> None:
        if self._abandoned:  # all that waited has been counted as dropped
            return
        taken = self._call("export", lambda: self.sink.export(spans))
        with self._lock:
            if self._waiting == 0:  # abandoned meanwhile: counted as dropped already
                return
            self._waiting -= len(spans)
            if taken:
                self.exported += len(spans)
            else:
                self.dropped += len(spans)

    def _reach(self, mark: _Mark) -> None:
        self._call("flush", self.sink.flush)
        if mark.closes:
            self._call("close", self.sink.close)
        mark.done.set()

    def _call(self, call: _Call, action: Callable[[], None]) -> bool:
        try:
            action()
        except BaseException as error:  # even SystemExit: it would only end this thread
            self.failed(call, error)
            return False
        return True


def _at_once(timeout_s: float) -> bool:
    return True


def _never(timeout_s: float) -> bool:
    return False
