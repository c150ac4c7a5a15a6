"""Where scanners work: on threads that are left behind, and replaced, where a scanner does not come back."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Thread, current_thread
from typing import Any, Generic, TypeVar

from promptrails_engine.ports.scanner import Verdict
from promptrails_engine.run.guards import Guard

R = TypeVar("R")

_AT_ONCE_CHARS = 256
"""Shorter texts are scanned where they are, by scanners of which it is known that they take no time: a thread would
cost more than the scan."""
_THREADS = 4
_MOST_THREADS = 64
"""With those that are stuck, and those that stand in for slow ones."""
_SLOW_S = 0.25
"""A scan that waits for a thread for so long gets one more."""


class Scans:
    """Where the scanners of one engine work.

    A scan that takes too long, or is not needed any more, leaves its thread behind: that ends when the scanner comes
    back, and another takes its place.  No thread keeps the process from ending.
    """

    def __init__(self) -> None:
        self._pool = _Pool()

    async def scan(self, guard: Guard, texts: Sequence[str]) -> list[Verdict]:
        """A verdict a text.

        Raises:
            TimeoutError: the scanner took too long; its thread is left to end by itself.
            Exception: whatever the scanner raises.
        """
        scan = guard.scanner.scan
        return await self._run(guard, lambda: [scan(text) for text in texts], sum(map(len, texts)))

    async def settled(self, guard: Guard, text: str) -> int | None:
        """Where a growing text can be cut for the guard.

        Raises:
            TimeoutError: the scanner took too long.
            Exception: whatever the scanner raises.
        """
        return await self._run(guard, lambda: guard.scanner.settled(text), len(text))

    def close(self) -> None:
        """Take no more scans; those that wait for a thread are dropped."""
        self._pool.close()

    async def _run(self, guard: Guard, work: Callable[[], R], chars: int) -> R:
        if guard.quick and chars <= _AT_ONCE_CHARS:
            return work()
        if self._pool.pid != os.getpid():
            self._pool = _Pool()  # threads stay behind in a fork
        pool, loop = self._pool, asyncio.get_running_loop()
        job = _Job(work, loop)
        pool.put(job)
        grow = loop.call_later(_SLOW_S, pool.help, job)
        try:
            async with asyncio.timeout(guard.timeout_s):
                return await job.future
        finally:
            grow.cancel()
            pool.leave(job)


class _Job(Generic[R]):
    """One scan, and who waits for it."""

    __slots__ = ("_loop", "_work", "future", "is_done", "thread")

    def __init__(self, work: Callable[[], R], loop: asyncio.AbstractEventLoop) -> None:
        self._work = work
        self._loop = loop
        self.future: asyncio.Future[R] = loop.create_future()
        self.thread: Thread | None = None
        """Set once it has begun."""
        self.is_done = False

    def run(self) -> None:
        try:
            result = self._work()
        except BaseException as error:  # nobody but who waits may hear of it: it may repeat the text
            self.is_done = True
            awaitable = isinstance(error, Exception) and not isinstance(error, StopIteration)
            self._tell(self._fail, error if awaitable else RuntimeError(type(error).__name__))
        else:
            self.is_done = True
            self._tell(self._succeed, result)

    def _tell(self, how: Callable[[Any], None], what: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(how, what)
        except RuntimeError:
            return  # the loop is closed, and nobody waits any more

    def _succeed(self, result: R) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def _fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Pool:
    """Threads that take jobs in their order."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._turn = Condition()
        self._jobs: deque[_Job[Any]] = deque()
        self._threads: set[Thread] = set()
        """All that are alive, stuck ones too."""
        self._left: set[Thread] = set()
        """Those of them that take no more jobs: nobody waits for what they do."""
        self._idle = 0
        self._closed = False

    def put(self, job: _Job[Any]) -> None:
        with self._turn:
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._turn.notify()
            elif len(self._threads) - len(self._left) < _THREADS:
                self._grow()

    def help(self, job: _Job[Any]) -> None:
        """Make a thread for a job that still waits for one."""
        with self._turn:
            if job.thread is None and job in self._jobs:
                self._grow()

    def leave(self, job: _Job[Any]) -> None:
        """Wait for a job no longer; a thread that is busy with it is replaced as soon as somebody needs one."""
        with self._turn:
            if job.thread is None:
                if job in self._jobs:
                    self._jobs.remove(job)
            elif not job.is_done:
                self._left.add(job.thread)
                if self._jobs:
                    self._grow()

    def close(self) -> None:
        with self._turn:
            self._closed = True
            self._jobs.clear()
            self._turn.notify_all()

    def _grow(self) -> None:
        if len(self._threads) < _MOST_THREADS and not self._closed:
            thread = Thread(target=self._work, name="promptrails scanner", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _work(self) -> None:
        """The life of one thread; `job` of the one before is let go, for it holds a text."""
        me = current_thread()
        while (job := self._next(me)) is not None:
            job.run()
            del job

    def _next(self, me: Thread) -> _Job[Any] | None:
        """The next job of a thread; None where it is not needed any more."""
        with self._turn:
            while not self._jobs:
                if self._closed or me in self._left or len(self._threads) - len(self._left) > _THREADS:
                    break
                self._idle += 1
                self._turn.wait()
                self._idle -= 1
            if not self._jobs or me in self._left or self._closed:
                self._threads.discard(me)
                self._left.discard(me)
                return None
            job = self._jobs.popleft()
            job.thread = me
            return job
