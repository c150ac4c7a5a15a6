"""Deadlines of a loop's runs behind one timer.

A timer handle or timeout scope per model call and per chunk would cost more than the rest of a short run.  Here a call
registers once, stays alive by setting a number, and the one timer looks at all of them when the earliest comes.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress


class Deadline:
    """A moment at which `task` is cancelled; `expired` tells why it was.

    It comes `idle` seconds after `touched`, and no later than `end` (loop time, seconds): a call stays alive by setting
    `touched`, which costs nothing else.
    """

    __slots__ = ("baseline", "end", "expired", "idle", "task", "touched")

    def __init__(self, touched: float, idle: float, end: float, task: asyncio.Task[object]) -> None:
        self.touched = touched
        self.idle = idle
        self.end = end
        self.task = task
        self.baseline = task.cancelling()
        self.expired = False

    @property
    def when(self) -> float:
        return min(self.touched + self.idle, self.end)


async def take_back(task: asyncio.Task[object], asked: int, baseline: int, *, delivered: bool) -> bool:
    """Undo the cancellations of the current task that the engine itself asked for, `asked` times.

    `delivered` says that a CancelledError has been caught.  Where it has not, it may be on its way still, or somebody
    may have swallowed it: it is met here, so that it does not hit what comes next.  Returns whether nobody else has
    asked for one since `baseline` (of `Task.cancelling`) was read.
    """
    if asked and not delivered:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
    for _ in range(asked):
        task.uncancel()
    return task.cancelling() <= baseline


class Deadlines:
    """All deadlines of one event loop."""

    __slots__ = ("_active", "_handle", "_loop", "_next", "now")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._active: set[Deadline] = set()
        self._next = math.inf
        self._handle: asyncio.TimerHandle | None = None
        self.now = loop.time
        """The loop's time, in seconds."""

    def start(self, now: float, seconds: float, end: float = math.inf) -> Deadline:
        """Watch the current task from `now`: for so many seconds, until `end` at most."""
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a deadline needs a running task")
        deadline = Deadline(now, seconds, end, task)
        self._active.add(deadline)
        if now + seconds < self._next or end < self._next:
            self._schedule(deadline.when)
        return deadline

    def rearm(self, deadline: Deadline, idle: float) -> None:
        """From now on, let it come after so many idle seconds."""
        deadline.touched = self.now()
        deadline.idle = idle
        if deadline.touched + idle < self._next or deadline.end < self._next:
            self._schedule(deadline.when)

    def stop(self, deadline: Deadline) -> None:
        self._active.discard(deadline)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None
        self._next = math.inf

    def _schedule(self, when: float) -> None:
        if when >= self._next:
            return
        if self._handle is not None:
            self._handle.cancel()
        self._next = when
        self._handle = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        self._handle = None
        self._next = math.inf
        now = self._loop.time()
        earliest = math.inf
        for deadline in list(self._active):
            when = deadline.when
            if when <= now:
                self._active.discard(deadline)
                deadline.expired = True
                deadline.task.cancel("a deadline of the engine passed")
            elif when < earliest:
                earliest = when
        if earliest < math.inf:
            self._schedule(earliest)
