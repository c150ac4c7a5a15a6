"""Event streams as a caller holds them: iterate, leave at any time, or ask for the result.

The run goes on whoever listens; leaving a stream changes nothing about it.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, overload

from promptrails_engine.events import DoneEvent, ErrorEvent, Event
from promptrails_engine.faces import Async, Caller, Resource, Sync
from promptrails_engine.ports.store import EXECUTION_TERMINAL, ExecutionRow
from promptrails_engine.results import ExecutionResult
from promptrails_engine.rows import execution_result
from promptrails_engine.run.stream import EventLog

P = ParamSpec("P")


class EventSource(Protocol):
    """Where the events of one execution come from."""

    def follow(self, after: int) -> AsyncIterator[Event]:
        """The events numbered above `after`, until the execution has ended; or, followed as it runs here, until it
        stops for now."""
        ...

    def follow_sync(self, after: int, bridge: Caller) -> Iterator[Event]:
        """As `follow`, from a thread other than the loop's."""
        ...

    async def result(self) -> ExecutionResult:
        """The execution's result, once `follow` has come to its end."""
        ...


class LiveEvents:
    """Events of a run in this process; the task ends with it."""

    def __init__(self, log: EventLog, task: asyncio.Task[ExecutionRow]) -> None:
        self._log = log
        self._task = task

    async def begun(self) -> None:
        """Return once the run is on record.

        Raises:
            PromptRailsError: its input cannot be run.
        """
        first = self._log.follow()
        try:
            await anext(first, None)
        finally:
            await first.aclose()
        if not self._log.events:
            await self.result()

    async def follow(self, after: int) -> AsyncIterator[Event]:
        async for event in self._log.follow(after):
            yield event
        await self.result()  # raises what kept the run from beginning, or from being put on record

    def follow_sync(self, after: int, bridge: Caller) -> Iterator[Event]:
        yield from self._log.follow_sync(after)
        bridge.call(self.result)

    async def result(self) -> ExecutionResult:
        # Shielded: a listener that gives up waiting does not end the run.
        return execution_result(await asyncio.shield(self._task))


class StoredEvents:
    """Events of any execution on record: from the log while it runs in this process, else from the store."""

    def __init__(
        self,
        read: Callable[[int], Awaitable[list[Event]]],
        row: Callable[[], Awaitable[ExecutionRow]],
        log: EventLog | None,
    ) -> None:
        self._read = read
        self._row = row
        self._log = log

    async def follow(self, after: int) -> AsyncIterator[Event]:
        if self._log is not None:
            async for event in self._log.follow(after):
                yield event
                after = event.seq
                if isinstance(event, DoneEvent | ErrorEvent):
                    return
        while True:  # also of a run that has stopped here, and goes on later or elsewhere
            events, ended = await self._batch(after)
            for event in events:
                yield event
                after = event.seq
            if ended:
                return

    def follow_sync(self, after: int, bridge: Caller) -> Iterator[Event]:
        if self._log is not None:
            for event in self._log.follow_sync(after):
                yield event
                after = event.seq
                if isinstance(event, DoneEvent | ErrorEvent):
                    return
        while True:
            events, ended = bridge.call(self._batch, after)
            for event in events:
                yield event
                after = event.seq
            if ended:
                return

    async def result(self) -> ExecutionResult:
        while True:
            row = await self._row()
            if row.status in EXECUTION_TERMINAL:
                return execution_result(row)
            await asyncio.sleep(_POLL_S)  # it may run in another process, which cannot call us

    async def _batch(self, after: int) -> tuple[list[Event], bool]:
        """What has come since, and whether that was the end; waits for either."""
        while True:
            # Asked first: the events of one that has ended are in the store by now.
            ended = (await self._row()).status in EXECUTION_TERMINAL
            events = await self._read(after)
            if events or ended:
                return events, ended
            await asyncio.sleep(_POLL_S)


_POLL_S = 0.25


class AsyncEventStream:
    """The events of one execution, in order: `async for event in stream`.

    The run starts with the first step of the iteration, `async with` or `result`; leaving early does not stop it.
    """

    def __init__(self, opener: Callable[[], Awaitable[EventSource]], after: int) -> None:
        self._opener = opener
        self._after = after
        self._source: EventSource | None = None
        self._events: AsyncIterator[Event] | None = None

    async def open(self) -> EventSource:
        """The source; starts the run at the first call.

        Raises:
            PromptRailsError: unknown id or input that cannot be run.
        """
        if self._source is None:
            self._source = await self._opener()
        return self._source

    @property
    def after(self) -> int:
        return self._after

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        if self._events is None:
            self._events = (await self.open()).follow(self._after)
        return await anext(self._events)

    async def result(self) -> ExecutionResult:
        """The result, once the run has ended; events not yet read may still be read."""
        return await (await self.open()).result()

    async def aclose(self) -> None:
        """Leave the stream; the run goes on."""
        events, self._events = self._events, None
        closing: Any = getattr(events, "aclose", None)
        if closing is not None:
            await closing()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class EventStream:
    """The events of one execution, in order: `for event in stream`.  The run has started; leaving does not stop it."""

    def __init__(self, stream: AsyncEventStream, bridge: Caller) -> None:
        self._bridge = bridge
        self._source = bridge.call(stream.open)
        self._events = self._source.follow_sync(stream.after, bridge)

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def __next__(self) -> Event:
        return next(self._events)

    def result(self) -> ExecutionResult:
        """The result, once the run has ended; events not yet read may still be read."""
        return self._bridge.call(self._source.result)

    def close(self) -> None:
        """Leave the stream; the run goes on."""
        closing: Any = getattr(self._events, "close", None)
        if closing is not None:
            closing()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class streaming(Generic[P]):
    """A method of a resource that returns a stream, in both faces."""

    def __init__(self, function: Callable[Concatenate[Any, P], AsyncEventStream]) -> None:
        self._function = function
        functools.update_wrapper(self, function)  # type: ignore[arg-type]  # for help() and inspect.signature

    @overload
    def __get__(self, obj: None, owner: Any = None) -> streaming[P]: ...
    @overload
    def __get__(self, obj: Resource[Async], owner: Any = None) -> Callable[P, AsyncEventStream]: ...
    @overload
    def __get__(self, obj: Resource[Sync], owner: Any = None) -> Callable[P, EventStream]: ...
    def __get__(self, obj: Any, owner: Any = None) -> Any:
        if obj is None:
            return self
        bound = self._function.__get__(obj)
        bridge: Caller | None = obj._bridge
        if bridge is None:
            return bound

        @functools.wraps(self._function)
        def opened(*args: Any, **kwargs: Any) -> EventStream:
            return EventStream(bound(*args, **kwargs), bridge)

        return opened
