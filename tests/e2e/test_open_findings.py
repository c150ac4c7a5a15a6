"""Promises that do not hold yet: each of these tests fails until the engine keeps its word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    AuthError,
    ContentEvent,
    DoneEvent,
    EngineClosedError,
    ErrorEvent,
    Event,
    InputInvalidError,
    Limits,
    QuotaExceededError,
    Span,
    StoreUnavailableError,
    StreamInterruptedError,
    ToolContext,
)
from promptrails_engine.ports.provider import Delta, Finish, ModelCapabilities, ModelRequest, TextDelta
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.run import emulation, retry, runner
from promptrails_engine.store import MemoryStore
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse
from tests.engine.kit import one_prompt, scripted


class SlowToFinish(MemoryStore):
    """Writes the end of a run only once `gate` is open."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()

    async def finish_execution(self, row: ExecutionRow, spans: Sequence[Span], events: Sequence[Event]) -> None:
        self.arrived.set()
        await self.gate.wait()
        await super().finish_execution(row, spans, events)


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once."""

    async def sleep(seconds: float) -> None:
        return None

    original = retry.AsyncRetrying

    def patched(**kwargs: Any) -> Any:
        return original(sleep=sleep, **kwargs)

    monkeypatch.setattr(retry, "AsyncRetrying", patched)


def being_cancelled() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def in_a_task(work: Callable[[], Any]) -> Any:
    """What `work` returns, run in a task of its own so that a stray cancellation hits nothing else."""
    return await asyncio.create_task(work())


# ------------------------------------------------------------------ the end of a run


async def test_a_run_limit_that_passes_while_the_end_is_written_does_not_cancel_the_caller():
    """runner.py: the deadline is stopped after `_finish`, which runs outside of the code that absorbs it."""
    store = SlowToFinish()
    async with AsyncEngine(
        store, providers=[ScriptedProvider(["x"])], model="scripted/m", limits=Limits(timeout_s=0.02)
    ) as engine:
        agent = await one_prompt(engine)
        asyncio.get_running_loop().call_later(0.1, store.gate.set)

        async def call() -> tuple[str, int]:
            return (await engine.agents.execute(agent, {})).status, being_cancelled()

        status, cancelling = await in_a_task(call)
        assert (status, cancelling) in {("completed", 0), ("failed", 0)}
        (record,) = await engine.executions.list()
        assert record.status == status


async def test_cancel_while_the_end_is_written_still_gives_the_stream_its_last_event():
    """runner.py: `cancel` hits the task inside `_finish`; the row is committed, `done` never said, the task dies."""
    store = SlowToFinish()
    async with AsyncEngine(store, providers=[ScriptedProvider(["x"])], model="scripted/m") as engine:
        agent = await one_prompt(engine)
        stream = engine.agents.stream(agent, {})
        events = [await anext(stream)]
        await store.arrived.wait()
        await engine.executions.cancel(events[0].execution_id)  # type: ignore[union-attr]
        await asyncio.sleep(0)
        store.gate.set()

        async def rest() -> str:
            events.extend([event async for event in stream])
            return (await stream.result()).status

        outcome = (await asyncio.gather(in_a_task(rest), return_exceptions=True))[0]
        assert outcome in {"completed", "cancelled"}
        assert isinstance(events[-1], DoneEvent | ErrorEvent)
        (record,) = await engine.executions.list()
        assert record.status == outcome


async def test_a_caller_cancelled_while_the_end_is_written_leaves_a_terminal_record():
    """runner.py: the shield `_bounded` covers the cancelled path only, not the ordinary `_finish`."""

    class Lossy(SlowToFinish):
        async def finish_execution(self, row: ExecutionRow, spans: Sequence[Span], events: Sequence[Event]) -> None:
            await super().finish_execution(row, spans, events)
            self.written = [event.type for event in events]

    store = Lossy()
    async with AsyncEngine(store, providers=[ScriptedProvider(["x"])], model="scripted/m") as engine:
        agent = await one_prompt(engine)
        call = asyncio.create_task(engine.agents.execute(agent, {}))
        await store.arrived.wait()
        call.cancel()
        await asyncio.sleep(0)
        store.gate.set()
        await asyncio.gather(call, return_exceptions=True)
        (record,) = await engine.executions.list()
        events = [event async for event in engine.executions.stream(record.id)]
        assert record.status in {"completed", "cancelled"}
        assert isinstance(events[-1], DoneEvent | ErrorEvent)


# ------------------------------------------------------------------ cancellation that is not the caller's


async def test_a_provider_that_fails_before_it_streams_leaves_no_deadline_behind(no_waits: None):
    """attempt.py: the deadline starts before `provider.stream(request)`, which is outside of its try."""

    class Refuses:
        name = "refuses"

        def capabilities(self, model: str) -> ModelCapabilities:
            return ModelCapabilities()

        def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
            raise AuthError("no key")

        async def aclose(self) -> None:
            return None

    async with AsyncEngine(providers=[Refuses()], model="refuses/m", limits=Limits(first_token_s=0.02)) as engine:
        agent = await one_prompt(engine)

        async def call() -> tuple[str, str]:
            result = await engine.agents.execute(agent, {})
            await asyncio.sleep(0.1)  # the host goes on; a deadline left behind would cancel it here
            return result.status, result.error_code

        assert await in_a_task(call) == ("failed", "auth")


async def _wait_for_a_cancelled_task() -> None:
    inner = asyncio.ensure_future(asyncio.Event().wait())
    inner.cancel()
    await inner


async def test_a_cancellation_inside_a_provider_is_an_error_of_the_provider(no_waits: None):
    """attempt.py: a CancelledError that nobody asked for is taken for the caller's."""

    class Inner:
        name = "inner"

        def capabilities(self, model: str) -> ModelCapabilities:
            return ModelCapabilities()

        async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
            await _wait_for_a_cancelled_task()
            yield Finish("stop")

        async def aclose(self) -> None:
            return None

    async with AsyncEngine(providers=[Inner()], model="inner/m") as engine:
        agent = await one_prompt(engine)
        assert (await in_a_task(lambda: engine.agents.execute(agent, {}))).status == "failed"


@pytest.mark.parametrize("calls", [1, 2])
async def test_a_cancellation_inside_a_tool_is_an_error_of_the_tool(calls: int):
    """tool_calls.py: an adapter's CancelledError ends the caller's task, though nobody cancelled it."""

    class Inner:
        name = "inner"
        description = "Has a connection that was closed."
        parameters: dict[str, Any] = {"type": "object"}  # noqa: RUF012
        effect = "pure"

        async def call(self, arguments: dict[str, Any], ctx: ToolContext) -> None:
            await _wait_for_a_cancelled_task()

    uses = [ToolUse("inner", {"n": n}) for n in range(calls)]
    provider = ScriptedProvider(
        lambda request: Reply(tool_calls=uses) if request.messages[-1].role == "user" else "told"
    )
    async with AsyncEngine(providers=[provider], model="scripted/m", tools=[Inner()]) as engine:  # type: ignore[list-item]
        agent = await one_prompt(engine, tools=["inner"])
        assert (await in_a_task(lambda: engine.agents.execute(agent, {}))).text == "told"


async def test_a_task_that_is_being_cancelled_may_still_run_an_agent():
    """deadlines.py, runner.py: `uncancel() == 0` asks for a task that was never cancelled; compare with the start."""

    async def never(_: Any) -> None:
        await asyncio.Event().wait()

    async with scripted(never, limits=Limits(timeout_s=0.02)) as (engine, _):
        agent = await one_prompt(engine)
        statuses: list[str] = []

        async def host() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                statuses.append((await engine.agents.execute(agent, {})).error_code)
                raise

        task = asyncio.create_task(host())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert statuses == ["run_timeout"]


async def test_a_tool_that_cancels_its_own_run_leaves_no_cancellation_for_the_host():
    """context.py: the step sees `cancel_requested` and raises; the cancellation itself hits the host's next await."""
    engines: list[AsyncEngine] = []

    async def stop(ctx: ToolContext) -> str:
        """Stop."""
        await engines[0].executions.cancel(ctx.execution_id)
        return "stopped"

    provider = ScriptedProvider(lambda _: ToolUse("stop"))
    async with AsyncEngine(providers=[provider], model="scripted/m", tools=[stop]) as engine:
        engines.append(engine)
        agent = await one_prompt(engine, tools=["stop"])

        async def call() -> str:
            result = await engine.agents.execute(agent, {})
            await asyncio.sleep(0)
            assert being_cancelled() == 0
            return result.status

        assert await in_a_task(call) == "cancelled"


async def test_a_tool_that_swallows_its_cancellation_leaves_none_for_the_host():
    """runner.py: `except Exception` meets RunCancelledError without `uncancel`: the host's task stays marked."""
    started = asyncio.Event()

    async def stubborn() -> str:
        """Go on."""
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "I go on"
        return ""

    provider = ScriptedProvider(lambda _: ToolUse("stubborn"))
    async with AsyncEngine(providers=[provider], model="scripted/m", tools=[stubborn]) as engine:
        agent = await one_prompt(engine, tools=["stubborn"])

        async def call() -> tuple[str, int]:
            return (await engine.agents.execute(agent, {})).status, being_cancelled()

        task = asyncio.create_task(call())
        await started.wait()
        (running,) = await engine.executions.list(status="running")
        await engine.executions.cancel(running.id)
        assert await task == ("cancelled", 0)


async def test_a_tool_that_swallows_the_run_limit_does_not_lift_it():
    """runner.py: an expired deadline is looked at only once the whole strategy is through."""

    async def stubborn() -> str:
        """Go on."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "I go on"
        return ""

    provider = ScriptedProvider(
        lambda request: ToolUse("stubborn") if request.messages[-1].role == "user" else "late answer"
    )
    async with AsyncEngine(
        providers=[provider], model="scripted/m", tools=[stubborn], limits=Limits(timeout_s=0.02)
    ) as engine:
        agent = await one_prompt(engine, tools=["stubborn"])

        async def call() -> tuple[str, str, int]:
            result = await engine.agents.execute(agent, {})
            return result.status, result.error_code, being_cancelled()

        assert await in_a_task(call) == ("failed", "run_timeout", 0)
        assert len(provider.requests) == 1


# ------------------------------------------------------------------ what listeners were told


async def test_a_fallback_does_not_speak_after_content_that_somebody_saw(no_waits: None):
    """model_call.py: `call_model` falls back without asking whether the log can be rewound."""
    first = ScriptedProvider([Reply("Half ", error=StreamInterruptedError("gone"))], name="first")
    second = ScriptedProvider(lambda _: "whole", name="second")
    async with AsyncEngine(providers=[first, second]) as engine:
        agent = await one_prompt(engine, model="first/m", fallback_llm_model_id="second/m")
        stream = engine.agents.stream(agent, {})
        said = "".join([e.content async for e in stream if isinstance(e, ContentEvent)])
        result = await stream.result()
        assert (said, result.error_code, len(second.requests)) == ("Half ", "stream_interrupted", 0)


async def test_what_a_fallback_replaces_is_not_kept_as_content(no_waits: None):
    """model_call.py: an error that is not tried again leaves the failed model's text in the log."""
    first = ScriptedProvider([Reply("Half ", error=QuotaExceededError("out of money"))], name="first")
    second = ScriptedProvider(lambda _: "whole", name="second")
    async with AsyncEngine(providers=[first, second]) as engine:
        agent = await one_prompt(engine, model="first/m", fallback_llm_model_id="second/m")
        result = await engine.agents.execute(agent, {})
        stored = [e async for e in engine.executions.stream(result.execution_id)]
        assert "".join(e.content for e in stored if isinstance(e, ContentEvent)) == result.text == "whole"


async def test_events_that_could_not_be_written_at_once_are_written_late(monkeypatch: pytest.MonkeyPatch):
    """runner.py `_flush`: `stored` grows before the write; one that fails is never made up for."""
    monkeypatch.setattr(runner, "_FLUSH_S", 0.001)
    tried = asyncio.Event()

    class Flaky(MemoryStore):
        @property
        def shared(self) -> bool:
            return True

        async def append_events(self, row: ExecutionRow, events: Sequence[Event]) -> None:
            tried.set()
            raise StoreUnavailableError("busy")

        async def append_spans(self, spans: Sequence[Span]) -> None:
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
    """runner.py `close`: it waits for `ctx.task`, the caller's own task, which may go on for ever after its run."""
    monkeypatch.setattr(runner, "_CANCEL_S", 3600.0)
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
    """requests.py `_checked`: `previous_output` and `steps` of the caller's own are held against nothing."""
    async with scripted(lambda _: "x") as (engine, _):
        schema = {"type": "object", "properties": {"text": {"type": "string"}}}
        agent = await one_prompt(engine, "{{ text }}", input_schema=schema)
        with pytest.raises(InputInvalidError):
            await engine.agents.execute(agent, {"text": "a", "previous_output": float("nan")})


async def test_reading_an_emulated_answer_takes_linear_work(monkeypatch: pytest.MonkeyPatch):
    """emulation.py: the whole text so far is parsed anew, on the loop, for every delta."""
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


# ------------------------------------------------------------------ the store, and closing


async def test_a_lone_surrogate_does_not_spoil_the_traces_of_a_database(tmp_path: Path):
    """rows.py `_span_text`: `lenient_json(parts)` gives one string for the whole row, since `_dump_odd` knows no
    Message; its characters are then read back as the span's fields, and every listing of traces raises TypeError."""
    async with scripted(lambda _: "x", store=str(tmp_path / "app.db")) as (engine, _):
        agent = await one_prompt(engine)
        result = await engine.agents.execute(agent, {"text": "\ud800"})
        spans = await engine.traces.get_by_trace_id(result.trace_id)
        assert spans[0].name == "Agent"
        assert (await engine.traces.list()).meta.total == 3


async def test_a_call_that_closing_overtakes_does_not_run():
    """runner.py: `close` looks at `_live` only, and nothing keeps a run from starting after it: a call that was still
    being planned calls the model on a closed engine, and its record stays `running` in a database for ever."""

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
