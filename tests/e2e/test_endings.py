"""Ends of runs when writing, closing or an adapter goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    DoneEvent,
    Event,
    Limits,
    Span,
    StoreUnavailableError,
)
from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.provider import Delta, Finish, ModelCapabilities, ModelRequest, TextDelta
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.run import runner
from promptrails_engine.store import MemoryStore, SqlStore
from promptrails_engine.testing import ScriptedProvider
from tests.engine.kit import one_prompt
from tests.stores import AroundWrites


async def test_nobody_hears_of_an_end_that_could_not_be_put_on_record():
    """runner.py `_finish`: `finally: log.append(last)` says `done` to listeners though the commit failed."""

    class Full(AroundWrites, MemoryStore):
        async def before(self, write: str, *args: Any) -> None:
            if write == "finish_execution":
                raise StoreUnavailableError("the disk is full")

    async with AsyncEngine(Full(), providers=[ScriptedProvider(["x"])], model="scripted/m") as engine:
        stream = engine.agents.stream(await one_prompt(engine), {})
        seen: list[Event] = []

        async def listen() -> None:
            async for event in stream:
                seen.append(event)

        with pytest.raises(StoreUnavailableError):
            await listen()
        assert not any(isinstance(event, DoneEvent) for event in seen)


async def test_a_stream_that_opens_as_the_engine_closes_does_not_outlive_it():
    """runner.py: `start` makes the task, `_drive` puts the run into `_live` one turn of the loop later; a `close` in
    between sees nothing to wait for, and the run calls the model on a closed engine, for ever if need be."""

    async def never(_: Any) -> None:
        await asyncio.Event().wait()

    provider = ScriptedProvider(never)
    engine = AsyncEngine(providers=[provider], model="scripted/m")
    stream = engine.agents.stream(await one_prompt(engine), {})
    opening = asyncio.create_task(stream.open())
    closing = asyncio.create_task(engine.aclose(grace_s=0.01))
    await asyncio.gather(opening, closing, return_exceptions=True)
    ending = asyncio.create_task(stream.result())
    ended, left = await asyncio.wait({ending}, timeout=2)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    assert ended, "the run goes on"
    assert ending.exception() is not None or ending.result().status == "cancelled"


async def test_a_write_of_events_that_is_repeated_with_more_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """journal.py `_give_back` takes back `stored` for events whose write has failed and yet was done; the end then
    writes events 1 to 3 where 1 is stored, and the store keeps the first of two blocks that begin alike: 2 and 3 are
    lost.  A write whose outcome was unknown does the same."""
    monkeypatch.setattr(runner, "_TEND_S", 0.005)
    tried = asyncio.Event()

    class Half(SqlStore):
        async def write_progress(
            self, row: ExecutionRow, entries: Sequence[JournalEntry], spans: Sequence[Span], events: Sequence[Event]
        ) -> None:
            await super().write_progress(row, entries, (), events)
            tried.set()
            raise StoreUnavailableError("busy")

    async def reply(_: Any) -> str:
        await tried.wait()
        return "x"

    store = Half(tmp_path / "app.db")
    async with AsyncEngine(store, providers=[ScriptedProvider(reply)], model="scripted/m") as engine:
        stream = engine.agents.stream(await one_prompt(engine), {})
        seen = [event async for event in stream]
        result = await stream.result()
        assert [event async for event in engine.executions.stream(result.execution_id)] == seen


async def test_an_adapter_that_swallows_its_cancellation_does_not_lift_a_limit():
    """attempt.py `_drain`: an expired deadline, or a cancelled run, is not looked at between two deltas; the call goes
    on until the provider or the size of the answer ends it."""

    class Stubborn:
        name = "stubborn"
        said = 0

        def capabilities(self, model: str) -> ModelCapabilities:
            return ModelCapabilities()

        async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
            while self.said < 1000:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.001)
                self.said += 1
                yield TextDelta("x")
            yield Finish("stop")

        async def aclose(self) -> None:
            return None

    provider = Stubborn()
    async with AsyncEngine(providers=[provider], model="stubborn/m", limits=Limits(timeout_s=0.02)) as engine:
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.status, result.error_code) == ("failed", "run_timeout")
        assert provider.said < 1000
