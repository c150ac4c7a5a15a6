"""Streams: one loop with plain calls, listeners that come and go, cancelling."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptrails_engine import (
    ContentEvent,
    DoneEvent,
    ErrorEvent,
    ExecutionEvent,
    InputInvalidError,
    NotFoundError,
    ThinkingEvent,
    event_from_dict,
    event_to_dict,
)
from promptrails_engine.testing import Reply
from tests.engine.kit import one_prompt, scripted

pytestmark = pytest.mark.usefixtures("each_store")


async def test_a_stream_and_a_plain_call_leave_the_same_record():
    async with scripted(lambda _: Reply("one two three", thinking="hm")) as (engine, _):
        agent = await one_prompt(engine)
        plain = await engine.agents.execute(agent, {"text": "t"})
        stream = engine.agents.stream(agent, {"text": "t"})
        live = [event async for event in stream]
        streamed = await stream.result()
        assert [type(e) for e in live] == [ExecutionEvent, ThinkingEvent, *[ContentEvent] * 3, DoneEvent]
        assert (plain.output, plain.token_usage, plain.status) == (
            streamed.output,
            streamed.token_usage,
            streamed.status,
        )
        stored = [[e async for e in engine.executions.stream(r.execution_id)] for r in (plain, streamed)]
        assert stored[1] == live
        assert stored[0][1:] == live[1:]
        a, b = [await engine.traces.get_by_trace_id(r.trace_id) for r in (plain, streamed)]
        assert [(s.kind, s.name, s.input, s.output) for s in a] == [(s.kind, s.name, s.input, s.output) for s in b]


async def test_events_survive_json():
    async with scripted([Reply("one", thinking="hm")]) as (engine, _):
        events = [e async for e in engine.agents.stream(await one_prompt(engine), {})]
        assert [event_from_dict(event_to_dict(e)) for e in events] == events
        assert event_to_dict(events[-1])["output"] == {"content": "one", "type": "text"}


async def test_a_stream_attaches_after_a_number_during_and_after_the_run():
    gate = asyncio.Event()

    async def reply(_: Any) -> Reply:
        return Reply("a b c d")

    async with scripted(reply) as (engine, provider):
        agent = await one_prompt(engine)

        original = provider.stream

        async def held(request: Any):
            async for delta in original(request):
                yield delta
                if getattr(delta, "text", "") == "b ":
                    await gate.wait()

        provider.stream = held  # type: ignore[method-assign]
        first = engine.agents.stream(agent, {})
        head = [await anext(first) for _ in range(3)]
        execution_id = head[0].execution_id  # type: ignore[union-attr]
        await first.aclose()
        during = engine.executions.stream(execution_id, after=2)
        assert (await anext(during)) == head[2]
        assert (await engine.executions.get(execution_id)).status == "running"
        gate.set()
        rest = [e async for e in during]
        after = [e async for e in engine.executions.stream(execution_id, after=3)]
        assert after == rest
        assert [e.seq for e in rest] == [4, 5, 6]
        assert (await during.result()).text == "a b c d"


async def test_a_listener_that_leaves_does_not_stop_the_run():
    release = asyncio.Event()

    async def reply(_: Any) -> str:
        await release.wait()
        return "done anyway"

    async with scripted(reply) as (engine, _):
        stream = engine.agents.stream(await one_prompt(engine), {})
        first = await anext(stream)
        assert isinstance(first, ExecutionEvent)
        await stream.aclose()
        release.set()
        result = await engine.executions.stream(first.execution_id).result()
        assert (result.status, result.text) == ("completed", "done anyway")


async def test_a_slow_listener_misses_nothing_and_delays_nobody():
    async with scripted([Reply(chunks=["x"] * 500)]) as (engine, _):
        stream = engine.agents.stream(await one_prompt(engine), {})
        await anext(stream)
        assert (await stream.result()).status == "completed"  # with 501 events not read yet
        assert len([e async for e in stream]) == 501


async def test_what_cannot_be_run_raises_from_the_stream_and_leaves_nothing():
    async with scripted([]) as (engine, _):
        agent = await one_prompt(engine, input_schema={"required": ["text"]})
        with pytest.raises(InputInvalidError):
            await anext(engine.agents.stream(agent, {}))
        with pytest.raises(NotFoundError):
            await anext(engine.agents.stream("nobody", {}))
        with pytest.raises(NotFoundError):
            await anext(engine.executions.stream("nothing"))
        assert (await engine.executions.list()).meta.total == 0


async def test_cancelling_ends_a_run_as_cancelled():
    started = asyncio.Event()

    async def reply(_: Any) -> str:
        started.set()
        await asyncio.Event().wait()
        return "never"

    async with scripted(reply) as (engine, _):
        agent = await one_prompt(engine)
        stream = engine.agents.stream(agent, {})
        execution_id = (await anext(stream)).execution_id  # type: ignore[union-attr]
        await started.wait()
        await engine.executions.cancel(execution_id)
        rest = [e async for e in stream]
        assert isinstance(rest[-1], ErrorEvent)
        assert rest[-1].code == "cancelled"
        record = await engine.executions.get(execution_id)
        assert (record.status, record.error_code) == ("cancelled", "cancelled")
        assert (await engine.executions.cancel(execution_id)).status == "cancelled"
        with pytest.raises(NotFoundError):
            await engine.executions.cancel("nothing")
        spans = await engine.traces.list(execution_id=execution_id, status="error")
        assert {s.error_type for s in spans} == {"cancelled"}


async def test_cancelling_a_plain_call_returns_a_cancelled_result_to_its_caller():
    started = asyncio.Event()

    async def reply(_: Any) -> str:
        started.set()
        await asyncio.Event().wait()
        return "never"

    async with scripted(reply) as (engine, _):
        agent = await one_prompt(engine)
        call = asyncio.create_task(engine.agents.execute(agent, {}))
        await started.wait()
        (running,) = await engine.executions.list(status="running")
        await engine.executions.cancel(running.id)
        assert (await call).status == "cancelled"


async def test_a_caller_that_is_cancelled_takes_its_plain_call_along():
    started = asyncio.Event()

    async def reply(_: Any) -> str:
        started.set()
        await asyncio.Event().wait()
        return "never"

    async with scripted(reply) as (engine, _):
        agent = await one_prompt(engine)
        call = asyncio.create_task(engine.agents.execute(agent, {}))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert [e.status for e in await engine.executions.list()] == ["cancelled"]


async def test_closing_the_engine_ends_what_still_runs():
    async def reply(_: Any) -> str:
        await asyncio.Event().wait()
        return "never"

    async with scripted(reply) as (engine, _):
        agent = await one_prompt(engine)
        stream = engine.agents.stream(agent, {})
        await anext(stream)
        await engine.aclose(grace_s=0.01)
        # On a store that outlives the process somebody else may go on with it.
        assert (await stream.result()).status == ("pending" if engine._store.shared else "cancelled")


async def test_many_runs_at_once_do_not_mix():
    async def reply(request: Any) -> str:
        await asyncio.sleep(0)
        return f"<{request.messages[-1].content}>"

    async with scripted(reply) as (engine, _):
        agent = await one_prompt(engine, "{{ n }}")
        results = await asyncio.gather(*(engine.agents.execute(agent, {"n": n}) for n in range(200)))
        assert [r.text for r in results] == [f"<{n}>" for n in range(200)]
        assert len({r.execution_id for r in results}) == 200
        for result in results[::50]:
            spans = await engine.traces.get_by_trace_id(result.trace_id)
            assert {s.execution_id for s in spans} == {result.execution_id}
