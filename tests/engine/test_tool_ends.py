"""How calls of tools end, whether a model or a node of a workflow makes them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import AsyncEngine, FunctionTool, ToolError, ToolUnknownError, tool
from promptrails_engine.events import ToolEndEvent
from promptrails_engine.testing import ToolUse
from tests.engine.crash_kit import Script, die, engine_on, flushed, mortal, recovered
from tests.engine.families import agent
from tests.engine.flows import node, workflow
from tests.engine.kit import scripted
from tests.engine.park_kit import events_of


async def by_model(engine: AsyncEngine, name: str) -> str:
    return await agent(engine, "It", "go", tools=[name])


async def by_node(engine: AsyncEngine, name: str) -> str:
    return await workflow(engine, node("x", tool=name))


def deaf(how: str, called: asyncio.Event) -> FunctionTool[..., Any]:
    """A tool that takes its cancellation for something else."""

    async def stubborn() -> str:
        called.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if how == "raises":
                raise ConnectionError("the line is dead") from None
        return "I go on"

    return tool(stubborn, name="stubborn", description="Goes on.")


@pytest.mark.parametrize("how", ["returns", "raises"])
@pytest.mark.parametrize("build", [by_model, by_node])
async def test_a_step_whose_tool_swallows_its_cancellation_ends_with_it(build: Any, how: str):
    called = asyncio.Event()
    async with scripted(lambda _: ToolUse("stubborn"), tools=[deaf(how, called)]) as (engine, provider):
        run = asyncio.create_task(engine.agents.execute(await build(engine, "stubborn"), {}))
        await called.wait()
        (running,) = await engine.executions.list(status="running")
        await engine.executions.cancel(running.id)
        result = await run
        assert result.status == "cancelled"
        [call] = [span for span in await engine.traces.get_by_trace_id(result.trace_id) if span.kind == "tool"]
        assert (call.status, call.error_type) == ("error", "cancelled")
        ends = [event for event in await events_of(engine, running.id) if isinstance(event, ToolEndEvent)]
        assert [end.summary for end in ends] == ["cancelled"]
        assert len(provider.requests) == (build is by_model)


@pytest.mark.parametrize("error", [ToolError("no", code="odd"), ToolUnknownError("no"), ValueError("no")])
async def test_a_failure_on_record_is_the_failure_that_it_was(tmp_path: Path, error: Exception):
    calls: list[str] = []

    async def fail() -> None:
        calls.append("fail")
        raise error

    broken = tool(fail, name="broken", description="Fails.", effect="effect")

    async def flow(engine: AsyncEngine) -> None:
        await engine.prompts.create("say", user_prompt="say")
        nodes = (node("x", tool="broken"), node("y", prompt_id="say"))
        await workflow(engine, *nodes, failure_policy="settle")

    async with engine_on(tmp_path / "whole.db", lambda _: "said", tools=[broken]) as engine:
        await flow(engine)
        whole = (await engine.agents.execute("Flow", {})).output
    script = Script(lambda _: "said", die_at=1)
    async with mortal(tmp_path / "app.db", script, tools=[broken]) as engine:
        await flow(engine)
        async for event in engine.agents.stream("Flow", {}):
            if isinstance(event, ToolEndEvent):
                break
        await script.dying.wait()
        await flushed(engine)
        (running,) = await engine.executions.list(status="running")
        await die(engine, tmp_path / "app.db")
    async with engine_on(tmp_path / "app.db", lambda _: "said", tools=[broken]) as engine:
        result = await recovered(engine, running.id)
        [call] = [span for span in await engine.traces.get_by_trace_id(result.trace_id) if span.kind == "tool"]
        assert call.error_type == getattr(error, "code", "tool_failed")
    assert whole is not None
    assert whole["errors"]["x"]["code"] == getattr(error, "code", "tool_failed")
    assert (result.output, calls) == (whole, ["fail", "fail"])
