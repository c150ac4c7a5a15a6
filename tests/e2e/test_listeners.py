"""What listeners are told, what is refused, and what closing waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    ContentEvent,
    EngineClosedError,
    Event,
    InputInvalidError,
    QuotaExceededError,
    Span,
    StoreUnavailableError,
    StreamInterruptedError,
)
from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.provider import Delta, Finish, TextDelta
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.run import emulation, runner
from promptrails_engine.store import MemoryStore
from promptrails_engine.testing import Reply, ScriptedProvider
from tests.engine.kit import one_prompt, scripted


async def in_a_task(work: Callable[[], Any]) -> Any:
    """What `work` returns, run in a task of its own so that a stray cancellation hits nothing else."""
    return await asyncio.create_task(work())


# ------------------------------------------------------------------ what listeners were told


async def test_a_fallback_does_not_speak_after_content_that_somebody_saw(waits: list[float]):
    first = ScriptedProvider([Reply("Half ", error=StreamInterruptedError("gone"))], name="first")
    second = ScriptedProvider(lambda _: "whole", name="second")
    async with AsyncEngine(providers=[first, second]) as engine:
        agent = await one_prompt(engine, model="first/m", fallback_llm_model_id="second/m")
        stream = engine.agents.stream(agent, {})
        said = "".join([e.content async for e in stream if isinstance(e, ContentEvent)])
        result = await stream.result()
        assert (said, result.error_code, len(second.requests)) == ("Half ", "stream_interrupted", 0)


async def test_what_a_fallback_replaces_is_not_kept_as_content(waits: list[float]):
    first = ScriptedProvider([Reply("Half ", error=QuotaExceededError("out of money"))], name="first")
    second = ScriptedProvider(lambda _: "whole", name="second")
    async with AsyncEngine(providers=[first, second]) as engine:
        agent = await one_prompt(engine, model="first/m", fallback_llm_model_id="second/m")
        result = await engine.agents.execute(agent, {})
        stored = [e async for e in engine.executions.stream(result.execution_id)]
        assert "".join(e.content for e in stored if isinstance(e, ContentEvent)) == result.text == "whole"


async def test_events_that_could_not_be_written_at_once_are_written_late(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "_TEND_S", 0.001)
    tried = asyncio.Event()

    class Flaky(MemoryStore):
        @property
        def shared(self) -> bool:
            return True

        async def write_progress(
            self, row: ExecutionRow, entries: Sequence[JournalEntry], spans: Sequence[Span], events: Sequence[Event]
        ) -> None:
            tried.set()
            raise StoreUnavailableError("busy")

    async def reply(_: Any) -> str:
        await tried.wait()
        await asyncio.sleep(0)
        return "x"

    async with AsyncEngine(Flaky(), providers=[ScriptedProvider(reply)], model="scripted/m") as engine:
        stream = engine.agents.stream(await one_prompt(engine), {})
        seen = [event async for event in stream]
        result = await stream.result()
        stored = [event async for event in engine.executions.stream(result.execution_id)]
        assert [event.seq for event in stored] == [event.seq for event in seen] == [1, 2, 3]


# ------------------------------------------------------------------ other


async def test_closing_waits_for_runs_and_not_for_their_callers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "CANCEL_S", 3600.0)
    started, done = asyncio.Event(), asyncio.Event()

    async def never(_: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    engine = AsyncEngine(providers=[ScriptedProvider(never)], model="scripted/m")
    agent = await one_prompt(engine)

    async def host() -> str:
        result = await engine.agents.execute(agent, {})
        await done.wait()
        return result.status

    task = asyncio.create_task(host())
    await started.wait()
    closing = asyncio.create_task(engine.aclose(grace_s=0.01))
    closed, _ = await asyncio.wait({closing}, timeout=3)
    done.set()
    assert await task == "cancelled"
    await closing
    assert closed


async def test_input_that_is_no_json_is_refused_under_every_name():
    async with scripted(lambda _: "x") as (engine, _):
        schema = {"type": "object", "properties": {"text": {"type": "string"}}}
        agent = await one_prompt(engine, "{{ text }}", input_schema=schema)
        with pytest.raises(InputInvalidError):
            await engine.agents.execute(agent, {"text": "a", "previous_output": float("nan")})


async def test_reading_an_emulated_answer_takes_linear_work(monkeypatch: pytest.MonkeyPatch):
    parsed = 0
    original = emulation.from_json

    def counting(data: str, **options: Any) -> Any:
        nonlocal parsed
        parsed += len(data)
        return original(data, **options)

    monkeypatch.setattr(emulation, "from_json", counting)
    whole = '{"answer":"' + "word " * 4000 + '"}'

    async def deltas() -> AsyncIterator[Delta]:
        for start in range(0, len(whole), 4):
            yield TextDelta(whole[start : start + 4])
        yield Finish("stop")

    text = "".join([d.text async for d in emulation.read_emulated(deltas(), "id") if isinstance(d, TextDelta)])
    assert text == "word " * 4000
    assert parsed < 50 * len(whole)


async def test_a_call_that_closing_overtakes_does_not_run():

    class SlowToPlan(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.asked = asyncio.Event()
            self.gate = asyncio.Event()

        async def definitions_stamp(self, workspace_id: str) -> int:
            self.asked.set()
            await self.gate.wait()
            return await super().definitions_stamp(workspace_id)

    store = SlowToPlan()
    provider = ScriptedProvider(lambda _: "x")
    engine = AsyncEngine(store, providers=[provider], model="scripted/m")
    agent = await one_prompt(engine)
    call = asyncio.create_task(engine.agents.execute(agent, {}))
    await store.asked.wait()
    await engine.aclose()
    store.gate.set()
    (outcome,) = await asyncio.gather(call, return_exceptions=True)
    assert (type(outcome), provider.requests) == (EngineClosedError, [])


async def test_a_lone_surrogate_does_not_spoil_the_traces_of_a_database(tmp_path: Path):
    async with scripted(lambda _: "x", store=str(tmp_path / "app.db")) as (engine, _):
        agent = await one_prompt(engine)
        result = await engine.agents.execute(agent, {"text": "\ud800"})
        spans = await engine.traces.get_by_trace_id(result.trace_id)
        assert spans[0].name == "Agent"
        assert (await engine.traces.list()).meta.total == 3
