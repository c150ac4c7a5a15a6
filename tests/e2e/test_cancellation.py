"""Cancellation and limits of time, whenever they come and whoever swallows them: they end the run and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    AuthError,
    DoneEvent,
    ErrorEvent,
    Limits,
    ToolContext,
)
from promptrails_engine.ports.provider import Delta, Finish, ModelCapabilities, ModelRequest
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse
from tests.engine.kit import one_prompt, scripted
from tests.stores import SlowToFinish


def being_cancelled() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def in_a_task(work: Callable[[], Any]) -> Any:
    """What `work` returns, run in a task of its own so that a stray cancellation hits nothing else."""
    return await asyncio.create_task(work())


# ------------------------------------------------------------------ the end of a run


async def test_a_run_limit_that_passes_while_the_end_is_written_does_not_cancel_the_caller():
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
    store = SlowToFinish()
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


async def test_a_provider_that_fails_before_it_streams_leaves_no_deadline_behind(waits: list[float]):

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


async def test_a_cancellation_inside_a_provider_is_an_error_of_the_provider(waits: list[float]):

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


async def test_a_model_that_swallows_the_callers_cancellation_at_its_very_end_does_not_keep_it():
    said = asyncio.Event()

    class Lingering(ScriptedProvider):
        async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
            async for delta in super().stream(request):
                yield delta
            said.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    async with AsyncEngine(providers=[Lingering(["whole"])], model="scripted/m") as engine:
        call = asyncio.create_task(engine.agents.execute(await one_prompt(engine), {}))
        await said.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert [execution.status for execution in await engine.executions.list()] == ["cancelled"]


async def test_a_tool_that_swallows_its_cancellation_leaves_none_for_the_host():
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
