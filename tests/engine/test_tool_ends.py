"""How calls of tools end, whether a model or a node of a workflow makes them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptrails_engine import AsyncEngine, FunctionTool, tool
from promptrails_engine.events import ToolEndEvent
from promptrails_engine.testing import ToolUse
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
