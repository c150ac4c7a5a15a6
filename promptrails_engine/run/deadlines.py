"""Deadlines of a loop's runs behind one timer.

A timer handle or timeout scope per model call and per chunk would cost more than the rest of a short run.  Here a call
registers once, moves its deadline by setting a number, and the one timer looks at all of them when the earliest comes.
"""

from __future__ import annotations

import asyncio
import math


class Deadline:
    """A moment (loop time, seconds) at which `task` is cancelled; `expired` tells why it was."""

    __slots__ = ("expired", "task", "when")

    def __init__(self, when: float, task: asyncio.Task[object]) -> None:
        self.when = when
        self.task = task
        self.expired = False

    def absorb(self) -> bool:
        """Whether a CancelledError just caught is this deadline's alone; if so the task goes on as not cancelled."""
        return self.expired and self.task.uncancel() == 0


class Deadlines:
    """All deadlines of one event loop."""

    __slots__ = ("_active", "_handle", "_loop", "_next")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._active: set[Deadline] = set()
        self._next = math.inf
        self._handle: asyncio.TimerHandle | None = None

    def start(self, seconds: float) -> Deadline:
        """Watch the current task for so many seconds."""
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a deadline needs a running task")
        deadline = Deadline(self._loop.time() + seconds, task)
        self._active.add(deadline)
        if deadline.when < self._next:
            self._schedule(deadline.when)
        return deadline

    def now(self) -> float:
        """The loop's time, in seconds."""
        return self._loop.time()

    def move(self, deadline: Deadline, seconds: float, end: float) -> None:
        """Let it be so many seconds from now, but no later than `end`."""
        when = self._loop.time() + seconds
        deadline.when = when = min(when, end)
        if when < self._next:
            self._schedule(when)

    def stop(self, deadline: Deadline) -> None:
        self._active.discard(deadline)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None
        self._next = math.inf

    def _schedule(self, when: float) -> None:
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
            if deadline.when <= now:
                self._active.discard(deadline)
                deadline.expired = True
                deadline.task.cancel("a deadline of the engine passed")
            elif deadline.when < earliest:
                earliest = deadline.when
        if earliest < math.inf:
            self._schedule(earliest)
