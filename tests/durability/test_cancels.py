"""A run is cancelled from another process, whatever state it is in: it ends as cancelled, with all below it, and no
further effect begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from promptrails_engine import (
    AsyncEngine,
    CompositeAgentConfig,
    CompositeStep,
    ToolContext,
    WorkflowAgentConfig,
    WorkflowNode,
    tool,
)
from promptrails_engine.ports.tool import Effect
from promptrails_engine.store import SqlStore
from tests.durability.forks import report_of


@pytest.mark.once
def test_whatever_a_run_does_another_process_can_cancel_it(empty: str, tmp_path: Path) -> None:
    report = report_of("cancels", empty, tmp_path)
    assert [busy["announced_later"] for busy in report["busy"]] == [0, 0, 0, 0], report["busy"]
    assert set(report["crowd"]) <= {"completed", "cancelled"}
    assert sum(report["crowd"].values()) == 40


class Deaf(SqlStore):
    """Tells nobody who is to be cancelled."""

    async def cancel_requests(self, owner: str) -> list[str]:
        return []


def two_tools(
    store: SqlStore, cancel: Callable[[str], Awaitable[object]], effect: Effect
) -> tuple[AsyncEngine, list[str]]:
    """An engine with a tool that cancels its run from elsewhere, and another one; and what they have done."""
    done: list[str] = []

    @tool
    async def first(ctx: ToolContext) -> str:
        """Do something."""
        await cancel(ctx.execution_id)
        done.append("first")
        return "the first is done"

    @tool(effect=effect)
    async def second() -> str:
        """Do something else."""
        done.append("second")
        return "the second is done"

    return AsyncEngine(store, tools=[first, second], background=0), done


async def make_workflow(engine: AsyncEngine, below: int) -> str:
    """The id of an agent that calls the one tool after the other, so many levels below its own runs."""
    nodes = [
        WorkflowNode("one", node_type="tool", tool="first"),
        WorkflowNode("two", ["one"], node_type="tool", tool="second"),
    ]
    tools = ["first", "second"]
    agent = await engine.agents.create("Level 0", config=WorkflowAgentConfig(nodes), tools=tools)
    for level in range(below):
        steps = [CompositeStep("only", agent.id)]
        agent = await engine.agents.create(f"Level {level + 1}", config=CompositeAgentConfig(steps))
    return agent.id


@pytest.mark.parametrize("below", [0, 2])
async def test_an_effect_is_refused_before_its_process_hears_of_the_cancellation(empty: str, below: int) -> None:
    async def cancel(execution_id: str) -> None:
        tree = await elsewhere.executions.get(execution_id)
        marked = await elsewhere.executions.cancel(tree.root_execution_id or tree.id)
        assert marked.status == "running"

    engine, done = two_tools(Deaf(empty), cancel, "effect")
    async with engine, AsyncEngine(SqlStore(empty), background=0) as elsewhere:
        result = await engine.agents.execute(await make_workflow(engine, below), {})
        assert (result.status, result.error_code) == ("cancelled", "cancelled")
        assert done == ["first"]
        lowest = tree = await elsewhere.executions.tree(result.execution_id)
        for _ in range(below):
            assert lowest.status == "cancelled"
            [lowest] = lowest.children
        assert lowest.status == "cancelled"
        journal = {entry.key: entry for entry in await engine._store.read_journal("default", lowest.id)}
        assert {key: entry.state for key, entry in journal.items()} == {"nodes[one]/tool": "done"}
        assert await elsewhere.executions.doubts(tree.id) == []


async def test_what_is_no_effect_may_still_begin(tmp_path: Path) -> None:
    async def cancel(execution_id: str) -> None:
        await elsewhere.executions.cancel(execution_id)

    engine, done = two_tools(Deaf(tmp_path / "app.db"), cancel, "idempotent")
    async with engine, AsyncEngine(SqlStore(tmp_path / "app.db"), background=0) as elsewhere:
        await engine.agents.execute(await make_workflow(engine, 0), {})
        assert done == ["first", "second"]


async def test_who_waits_for_a_child_that_is_cancelled_elsewhere_goes_on(empty: str) -> None:
    async def cancel(execution_id: str) -> None:
        await elsewhere.executions.cancel(execution_id)

    engine, done = two_tools(Deaf(empty), cancel, "effect")
    async with engine, AsyncEngine(SqlStore(empty), background=0) as elsewhere:
        result = await engine.agents.execute(await make_workflow(engine, 1), {})
        assert (result.status, result.error_code) == ("failed", "child_cancelled")
        assert done == ["first"]
        [child] = (await elsewhere.executions.tree(result.execution_id)).children
        assert child.status == "cancelled"
