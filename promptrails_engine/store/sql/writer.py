"""One thread that writes: it takes what all runs have queued and commits it as one group.

Callers await futures of their own loop; each batch wakes each loop once.  A write may also be left with `post`, which
waits for nobody: it goes out with the next group, or after a short while.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from promptrails_engine.errors import StoreError, StoreUnavailableError

W = TypeVar("W")

LINGER_S = 0.02
"""How long a posted write may wait for company."""
MAX_QUEUED = 10_000
MAX_QUEUED_SIZE = 64 * 1024 * 1024
GROUP_WRITES = 256
GROUP_SIZE = 8 * 1024 * 1024
IDLE_S = 1.0
"""After so long without a write `idle` is called, once."""

_log = logging.getLogger("promptrails_engine.store")


@dataclass(slots=True)
class Outcome:
    """How one write of a group ended: with a value, or with an error."""

    value: Any = None
    error: Exception | None = None


@dataclass(slots=True, eq=False)
class _Ticket(Generic[W]):
    write: W | None
    """None only nudges the thread."""
    size: int
    loop: asyncio.AbstractEventLoop | None = None
    future: asyncio.Future[Any] | None = None
    posted_at: float = 0.0


class GroupWriter(Generic[W]):
    """Gives writes to `commit` in groups, in the order in which they came; posted ones before the rest of the group.

    `commit` returns one outcome for each write, and is only ever called on the writer's thread; so is `idle`, and
    `release` is the last call there.
    """

    def __init__(
        self,
        commit: Callable[[list[W]], Sequence[Outcome]],
        release: Callable[[], None],
        idle: Callable[[], None] | None = None,
    ) -> None:
        self._commit = commit
        self._release = release
        self._idle = idle
        self._wrote = False
        self._queue: SimpleQueue[_Ticket[W]] = SimpleQueue()
        self._posted: deque[_Ticket[W]] = deque()
        self._posting = False
        self._nudge_at = 0.0
        self._lock = threading.Lock()
        self._count = 0
        self._size = 0
        self._closed = False
        self._waiters: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        # A daemon: an interpreter that ends without close() must not hang, and what was acknowledged is on disk.
        self._thread = threading.Thread(target=self._run, name="promptrails-store-writer", daemon=True)
        self._thread.start()

    async def submit(self, write: W | None, size: int = 0) -> Any:
        """What `commit` returned for this write, once its group is committed.  Waits for room in the queue.

        Raises:
            StoreError: the write failed, or the store is closed.
        """
        loop = asyncio.get_running_loop()
        while not self._reserve(size):
            await self._room(loop)
        return await self._queued(loop, write, size)

    def submitted(self, write: W, size: int) -> Awaitable[Any]:
        """As `submit`, for the path of each run: what is returned is to be awaited at once."""
        loop = asyncio.get_running_loop()
        return self._queued(loop, write, size) if self._reserve(size) else self.submit(write, size)

    def _queued(self, loop: asyncio.AbstractEventLoop, write: W | None, size: int) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.put(_Ticket(write, size, loop, future))
        return future

    def post(self, write: W, size: int) -> bool:
        """Leave a write for the next group; False, and nothing done, where the queue is full."""
        loop = asyncio.get_running_loop()
        if not self._reserve(size):
            return False
        now = time.monotonic()
        self._posted.append(_Ticket(write, size, posted_at=now))
        if now >= self._nudge_at:
            self._arm(loop, now, LINGER_S)
        return True

    async def settle(self) -> None:
        """Returns when every write posted before is committed, or has failed."""
        if self._posted or self._posting:
            await self.submit(None)

    async def close(self) -> None:
        """Write what is queued, and end the thread.  May be called twice."""
        with self._lock:
            self._closed = True
            self._queue.put(_Ticket(None, 0))
        await asyncio.to_thread(self._thread.join)
        self._wake_waiters()

    # ------------------------------------------------------------------ the queue

    def _reserve(self, size: int) -> bool:
        with self._lock:
            if self._closed:
                raise StoreError("The store is closed; open it again before using it.", code="store_closed")
            full = self._count >= MAX_QUEUED or (self._size + size > MAX_QUEUED_SIZE and self._count > 0)
            if not full:
                self._count += 1
                self._size += size
            return not full

    async def _room(self, loop: asyncio.AbstractEventLoop) -> None:
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append((loop, waiter))
        self._queue.put(_Ticket(None, 0))  # a group may have ended just before the waiter was there to be woken
        await waiter

    def _arm(self, loop: asyncio.AbstractEventLoop, now: float, delay: float) -> None:
        self._nudge_at = now + delay
        loop.call_later(delay, self._nudge, loop)

    def _nudge(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            oldest = self._posted[0].posted_at
        except IndexError:  # gone with what followed it, as those of short runs do
            return
        now = time.monotonic()
        if now - oldest < LINGER_S:
            self._arm(loop, now, LINGER_S - (now - oldest))
        else:
            self._queue.put(_Ticket(None, 0))

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        while True:
            tickets = self._collect()
            if tickets:
                self._write(tickets)
            self._wake_waiters()
            with self._lock:
                if self._closed and self._count == 0:  # a write reserved before close() is still to come
                    break
        try:
            self._release()
        except Exception:
            _log.warning("The store's connection did not close cleanly.", exc_info=True)

    def _collect(self) -> list[_Ticket[W]]:
        try:
            queued = [self._queue.get(timeout=self._patience())]
        except Empty:
            queued = []
            self._rest()
        size = queued[0].size if queued else 0
        while len(queued) < GROUP_WRITES and size < GROUP_SIZE:
            try:
                ticket = self._queue.get_nowait()
            except Empty:
                break
            size += ticket.size
            queued.append(ticket)
        # Taken after the queue, so that the beginning of a run is there whenever its end is.
        self._posting = True
        posted: list[_Ticket[W]] = []
        while self._posted:
            posted.append(self._posted.popleft())
        self._posting = bool(posted)
        return posted + [ticket for ticket in queued if ticket.write is not None or ticket.future is not None]

    def _patience(self) -> float | None:
        if self._closed:  # nobody may be left to put the ticket that a posted write waits for
            return LINGER_S
        return IDLE_S if self._wrote and self._idle is not None else None

    def _rest(self) -> None:
        self._wrote = False
        if self._idle is not None and not self._closed:
            try:
                self._idle()
            except Exception:
                _log.warning("What the store's writer does between writes failed.", exc_info=True)

    def _write(self, tickets: list[_Ticket[W]]) -> None:
        writes = [ticket.write for ticket in tickets if ticket.write is not None]
        outcomes = iter(self._committed(writes))
        self._posting = False
        self._wrote = True
        by_loop: defaultdict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = defaultdict(list)
        size = 0
        for ticket in tickets:
            size += ticket.size
            outcome = Outcome() if ticket.write is None else next(outcomes)
            if ticket.loop is not None and ticket.future is not None:
                by_loop[ticket.loop].append((ticket.future, outcome))
            elif outcome.error is not None:
                _log.warning("A queued write failed: %s", outcome.error)
        with self._lock:
            self._count -= len(tickets)
            self._size -= size
        for loop, settled in by_loop.items():
            _call(loop, _settle, settled)

    def _committed(self, writes: list[W]) -> Sequence[Outcome]:
        if not writes:
            return ()
        try:
            return self._commit(writes)
        except Exception as error:  # the thread outlives whatever a write does to it
            _log.error("The store's writer failed.", exc_info=True)
            message = f"The store's writer failed ({type(error).__name__}); see its log."
            return [Outcome(error=StoreUnavailableError(message)) for _ in writes]

    def _wake_waiters(self) -> None:
        for _ in range(len(self._waiters)):
            loop, waiter = self._waiters.popleft()
            _call(loop, _settle, [(waiter, Outcome())])


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], argument: object) -> None:
    with suppress(RuntimeError):  # that loop is closed: nobody waits any more
        loop.call_soon_threadsafe(callback, argument)


def _settle(settled: list[tuple[asyncio.Future[Any], Outcome]]) -> None:
    for future, outcome in settled:
        if future.done():
            continue  # its caller was cancelled
        if outcome.error is None:
            future.set_result(outcome.value)
        else:
            future.set_exception(outcome.error)
