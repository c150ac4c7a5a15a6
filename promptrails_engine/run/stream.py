"""The events of one execution: a numbered log that any number of listeners follow at their own pace.

A listener holds a position in the log, not a queue: a slow one delays nobody and costs nothing, one that leaves
changes nothing, and one that comes late reads from wherever it likes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import replace

from promptrails_engine.events import ContentEvent, Event, ThinkingEvent, ToolEndEvent, ToolStartEvent


class EventLog:
    """Written by the run on the engine's loop; read from anywhere."""

    __slots__ = ("_wakers", "closed", "events", "listeners", "restarted", "stored")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False
        self.listeners = 0
        """How many have ever attached: what they may have read cannot be taken back."""
        self.restarted = False
        """Whether some of what was said has been taken back."""
        self.stored = 0
        """How many events are in the store already."""
        self._wakers: list[Callable[[], None]] = []

    def prime(self, events: Sequence[Event]) -> None:
        """Begin with what is in the store."""
        self.events += events
        self.stored = len(self.events)

    def append(self, event: Event) -> None:
        """Number the event and add it."""
        self.events.append(event)
        event.seq = len(self.events)
        if self._wakers:
            self._wake()

    def close(self) -> None:
        """No event will follow."""
        self.closed = True
        if self._wakers:
            self._wake()

    def rewind(self, length: int) -> bool:
        """Forget the events beyond `length`, unless somebody may have seen them."""
        if len(self.events) == length:
            return True
        if self.listeners or self.stored > length:
            return False
        del self.events[length:]
        return True

    async def follow(self, after: int = 0) -> AsyncGenerator[Event, None]:
        """The events numbered above `after`, as they come, until the log is closed."""
        loop = asyncio.get_running_loop()
        events = self.events
        position = max(after, 0)
        self.listeners += 1
        while True:
            while position < len(events):
                yield events[position]
                position += 1
            if self.closed:
                return
            arrived: asyncio.Future[None] = loop.create_future()
            self._wakers.append(_async_waker(loop, arrived))
            if position < len(events) or self.closed:
                continue
            await arrived

    def follow_sync(self, after: int = 0) -> Iterator[Event]:
        """As `follow`, for a thread other than the loop's."""
        events = self.events
        position = max(after, 0)
        self.listeners += 1
        while True:
            while position < len(events):
                yield events[position]
                position += 1
            if self.closed:
                return
            arrived = threading.Event()
            self._wakers.append(arrived.set)
            # What came between the last look and the waker being there has woken nobody: look once more.
            if position < len(events) or self.closed:
                continue
            arrived.wait()

    def _wake(self) -> None:
        wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()


class RelayedLog(EventLog):
    """The log of a child whose answer is that of its parent: what the child says the parent says too.

    Nothing else writes to the parent's log meanwhile.
    """

    __slots__ = ("_above",)

    def __init__(self, above: EventLog) -> None:
        super().__init__()
        self._above = above

    def append(self, event: Event) -> None:
        """Number the event and add it, and a copy of it above."""
        super().append(event)
        if isinstance(event, _RELAYED):
            self._above.append(replace(event))

    def rewind(self, length: int) -> bool:
        """Forget the events beyond `length` here and above, unless somebody may have seen them."""
        if self.stored > length or (self.listeners and len(self.events) > length):
            return False
        copies = sum(isinstance(event, _RELAYED) for event in self.events[length:])
        if not self._above.rewind(len(self._above.events) - copies):
            return False
        del self.events[length:]
        return True


_RELAYED = (ContentEvent, ThinkingEvent, ToolStartEvent, ToolEndEvent)


def _async_waker(loop: asyncio.AbstractEventLoop, arrived: asyncio.Future[None]) -> Callable[[], None]:
    def resolve() -> None:
        if not arrived.done():
            arrived.set_result(None)

    def wake() -> None:
        # The log is written on the engine's loop; an async listener on another loop has to be woken through its own.
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is loop:
            resolve()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(resolve)

    return wake
