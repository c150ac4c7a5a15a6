"""Approvals below: agents that are called as tools, handed the run, or run as steps of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    ConflictError,
    ExecutionResult,
    HookEvent,
    SimpleAgentConfig,
    SubAgentAttachment,
)
from tests.engine.families import agent, composite, step
from tests.engine.kit import scripted
from tests.engine.park_kit import (
    Ledger,
    decide,
    events_of,
    guarded,
    pending,
    shape_of,
    tree_of,
    types_of,
    worker,
)

pytestmark = pytest.mark.usefixtures("each_store")

CALLED = ["tool_start", "tool_end"]


async def desk(engine: AsyncEngine, *subs: SubAgentAttachment, helper: Any = "say {{ task }}") -> None:
    """`Desk`, which asks `helper`, whose writing is guarded."""
    await agent(engine, "helper", helper, tools=guarded("write"))
    await agent(engine, "Desk", "ask it", sub_agents=subs)


DELEGATE = SubAgentAttachment("helper", requires_approval=True)
HANDOFF = SubAgentAttachment("helper", mode="handoff", requires_approval=True)
FREE = SubAgentAttachment("helper")
FREE_HANDOFF = SubAgentAttachment("helper", mode="handoff")


# ------------------------------------------------------------------ called as tools


@pytest.mark.parametrize(("sub", "text", "calls"), [(DELEGATE, "[<say it>]", 3), (HANDOFF, "<say it>", 2)])
async def test_a_call_of_an_agent_waits(sub: SubAgentAttachment, text: str, calls: int):
    async with scripted(worker, tools=[Ledger().tool("write")]) as (engine, provider):
        await desk(engine, sub)
        waiting = await engine.agents.execute("Desk", {})
        [request] = await pending(engine, waiting)
        assert (request.checkpoint_name, request.payload["arguments"]) == ("helper", {"task": "it"})
        assert (await engine.executions.get(waiting.execution_id)).children == []
        result = await decide(engine, waiting)
        assert (result.text, len(provider.requests)) == (text, calls)
        assert await types_of(engine, result.execution_id) == [
            "execution",
            "approval_required",
            *CALLED,
            "content",
            "done",
        ]
        [child] = (await engine.executions.get(result.execution_id)).children
        assert child.status == "completed"


@pytest.mark.parametrize("sub", [DELEGATE, HANDOFF])
async def test_of_a_denied_agent_the_model_is_told_and_nothing_starts(sub: SubAgentAttachment):
    async with scripted(worker, tools=[Ledger().tool("write")]) as (engine, provider):
        await desk(engine, sub)
        result = await decide(engine, await engine.agents.execute("Desk", {}), "rejected")
        assert (result.status, result.text) == ("completed", '[{"error":"denied"}]')
        assert (await engine.executions.get(result.execution_id)).children == []
        assert len(provider.requests) == 2


@pytest.mark.parametrize(("sub", "text"), [(FREE, "[[write did it]]"), (FREE_HANDOFF, "[write did it]")])
async def test_a_call_inside_an_agent_waits_with_all_above_it(sub: SubAgentAttachment, text: str):
    ledger, told = Ledger(), list[HookEvent]()
    hooks = {"execution.awaiting_approval": [told.append]}
    async with scripted(worker, tools=[ledger.tool("write")], hooks=hooks) as (engine, provider):
        await desk(engine, sub, helper="write {{ task }}")
        heard = [event async for event in engine.agents.stream("Desk", {})]
        assert [event.type for event in heard][-1] == "approval_required"
        waiting = await engine.executions.get(heard[0].execution_id)  # type: ignore[union-attr]
        assert waiting.status == "awaiting_approval"
        [child] = waiting.children
        assert child.status == "awaiting_approval"
        [request] = await engine.approvals.list(root_execution_id=waiting.id)
        assert (request.execution_id, request.root_execution_id) == (child.id, waiting.id)
        assert heard[-1].approval_id == request.id  # type: ignore[union-attr]
        await engine.approvals.decide(request.id, "approved", resume=False)
        result = await engine.executions.resume(waiting.id)
        assert (result.text, ledger.lines) == (text, ["write it"])
        assert len(provider.requests) == (4 if sub is FREE else 3)
        types = await types_of(engine, result.execution_id)
        assert types.count("tool_start") == types.count("tool_end") == (1 if sub is FREE else 2)
        assert types.count("approval_required") == 1
        assert [event.execution_id for event in await events_of(engine, child.id) if event.seq == 1] == [child.id]  # type: ignore[union-attr]
    assert [event.data["execution_id"] for event in told] == [child.id]


async def test_a_child_that_waits_is_no_run_of_its_own():
    async with scripted(worker, tools=[Ledger().tool("write")]) as (engine, _):
        await desk(engine, FREE, helper="write {{ task }}")
        waiting = await engine.agents.execute("Desk", {})
        [child] = (await engine.executions.get(waiting.execution_id)).children
        with pytest.raises(ConflictError, match=f"resume its root, '{waiting.execution_id}'"):
            await engine.executions.resume(child.id)
        with pytest.raises(ConflictError, match="root"):
            await engine.executions.cancel(child.id)
        await engine.executions.cancel(waiting.execution_id)
        tree = await engine.executions.tree(waiting.execution_id)
        assert (tree.status, tree.children[0].status) == ("cancelled", "cancelled")


async def test_agents_asked_side_by_side_wait_side_by_side():
    ledger = Ledger()
    async with scripted(worker, tools=[ledger.tool("write")]) as (engine, provider):
        for name, text in {"a": "write a", "b": "write b", "c": "say c"}.items():
            await agent(engine, name, text, input_schema={"type": "object"}, tools=guarded("write"))
        await agent(engine, "Desk", "ask them", sub_agents=["a", "b", "c"])
        waiting = await engine.agents.execute("Desk", {})
        assert len(await pending(engine, waiting)) == 2
        tree = await engine.executions.tree(waiting.execution_id)
        assert sorted(child.status for child in tree.children) == ["awaiting_approval"] * 2 + ["completed"]
        result = await decide(engine, waiting, "approved", "rejected")
        assert ledger.lines in (["write a"], ["write b"])
        assert len(provider.requests) == 7
        assert len((await engine.executions.tree(result.execution_id)).children) == 3
        types = await types_of(engine, result.execution_id)
        assert (types.count("tool_start"), types.count("tool_end")) == (3, 3)


async def test_a_delegate_whose_output_is_rejected_is_a_result_that_the_model_sees():
    async with scripted(worker) as (engine, provider):
        prompt = await engine.prompts.create("p", user_prompt="say {{ task }}")
        await engine.agents.create("helper", config=SimpleAgentConfig(prompt.id, approval_required=True))
        await agent(engine, "Desk", "ask it", sub_agents=["helper"])
        result = await decide(engine, await engine.agents.execute("Desk", {}), "rejected")
        assert result.status == "completed"
        assert "the output was denied" in provider.requests[-1].messages[-1].content
        tree = await engine.executions.tree(result.execution_id)
        assert (tree.children[0].status, tree.children[0].error_code) == ("rejected", "approval_rejected")


# ------------------------------------------------------------------ steps of composites


async def test_steps_of_a_composite_wait_and_go_on():
    ledger = Ledger()
    async with scripted(worker, tools=[ledger.tool("write")]) as (engine, provider):
        for name in "abc":
            await agent(engine, name, f"write {name}", tools=guarded("write"))
        await agent(engine, "free", "say free")
        await composite(engine, step("a"), step("free"), step("b", "free"), step("c", "a", "b"))
        waiting = await engine.agents.execute("Team", {})
        assert sorted(request.payload["arguments"]["what"] for request in await pending(engine, waiting)) == ["a", "b"]
        waiting = await decide(engine, waiting)
        assert sorted(ledger.lines) == ["write a", "write b"]
        result = await decide(engine, waiting)
        assert (result.text, ledger.lines[2:], len(provider.requests)) == ("[write did c]", ["write c"], 7)
        assert result.token_usage["total_tokens"] == sum(
            span.total_tokens or 0 for span in await engine.traces.get_by_trace_id(result.trace_id)
        )


async def test_approvals_of_a_tree_that_is_deep():
    ledger = Ledger()
    async with scripted(worker, tools=[ledger.tool("write")]) as (engine, provider):
        await agent(engine, "leaf", "write leaf", tools=guarded("write"))
        below = "leaf"
        for name in ("one", "two", "three"):
            below = await composite(engine, step("x", agent_id=below), name=name)
        waiting = await engine.agents.execute("three", {})
        tree = await engine.executions.tree(waiting.execution_id)
        statuses: list[str] = []
        while True:
            statuses.append(tree.status)
            assert "approval_required" in await types_of(engine, tree.id)
            if not tree.children:
                break
            [tree] = tree.children
        assert statuses == ["awaiting_approval"] * 4
        result = await decide(engine, waiting)
        assert (result.text, ledger.lines, len(provider.requests)) == ("[write did leaf]", ["write leaf"], 2)
        assert await types_of(engine, result.execution_id) == [
            "execution",
            "approval_required",
            *CALLED,
            "content",
            "done",
        ]
        assert (await tree_of(engine, result))[0] == "completed"


@pytest.mark.parametrize("policy", ["fail_fast", "settle"])
async def test_a_step_whose_output_is_rejected_fails(policy: str):
    async with scripted(worker) as (engine, _):
        prompt = await engine.prompts.create("p", user_prompt="say it")
        await engine.agents.create("a", config=SimpleAgentConfig(prompt.id, approval_required=True))
        await agent(engine, "b", "say b")
        await composite(engine, step("a"), step("b"), policy=policy)
        result = await decide(engine, await engine.agents.execute("Team", {}), "rejected")
        if policy == "fail_fast":
            assert (result.status, result.error_code) == ("failed", "approval_rejected")
        else:
            assert result.status == "completed"
            assert result.output is not None
            assert result.output["errors"]["a"]["code"] == "approval_rejected"


async def test_what_waits_below_a_run_that_fails_is_withdrawn():
    """And no span is left open, nor points at one that is not there."""
    ledger, parked = Ledger(), asyncio.Event()

    async def reply(request: Any) -> Any:
        if request.messages[-1].content.startswith("no"):
            await parked.wait()
        return worker(request)

    async def told(event: HookEvent) -> None:
        parked.set()

    hooks = {"execution.awaiting_approval": [told]}
    async with scripted(reply, tools=[ledger.tool("write")], hooks=hooks) as (engine, _):
        await agent(engine, "leaf", "write leaf", tools=guarded("write"))
        inner = await composite(engine, step("x", agent_id="leaf"), name="inner")
        await agent(engine, "b", "no")
        await composite(engine, step("inner", agent_id=inner), step("b"))
        result = await engine.agents.execute("Team", {})
        assert (result.status, result.error_code) == ("failed", "bad_request")
        [request] = await engine.approvals.list()
        assert request.status == "withdrawn"
        tree = await engine.executions.tree(result.execution_id)
        assert sorted(child.status for child in tree.children) == ["cancelled", "failed"]
        [inner_tree] = [child for child in tree.children if child.children]
        assert (inner_tree.children[0].status, inner_tree.children[0].error_code) == ("cancelled", "cancelled")
        assert (await types_of(engine, inner_tree.children[0].id))[-1] == "error"
        kinds = [path[-1][0] for path in await shape_of(engine, result)]
        assert kinds.count("workflow") == 2
        assert kinds.count("agent_step") == 3
        assert ledger.lines == []


@asynccontextmanager
async def half_waiting(
    ledger: Ledger, **options: Any
) -> AsyncIterator[tuple[AsyncEngine, asyncio.Task[ExecutionResult], asyncio.Event]]:
    """A team of which `a` waits to be approved while `b` runs: its run, and what lets `b` end."""
    held, parked = asyncio.Event(), asyncio.Event()

    async def reply(request: Any) -> Any:
        if request.messages[-1].content.startswith("say"):
            await held.wait()
        return worker(request)

    async def told(event: HookEvent) -> None:
        parked.set()

    hooks = {"execution.awaiting_approval": [told]}
    async with scripted(reply, tools=[ledger.tool("write")], hooks=hooks, **options) as (engine, _):
        await agent(engine, "a", "write a", tools=guarded("write"))
        await agent(engine, "b", "say b")
        await composite(engine, step("a"), step("b"))
        running = asyncio.create_task(engine.agents.execute("Team", {}))
        await parked.wait()
        yield engine, running, held


async def test_what_waits_below_a_run_that_is_cancelled_is_withdrawn():
    async with half_waiting(Ledger()) as (engine, running, _):
        [top] = await engine.executions.list()
        await engine.executions.cancel(top.id)
        result = await running
        assert result.status == "cancelled"
        assert [request.status for request in await engine.approvals.list()] == ["withdrawn"]


async def test_a_run_that_was_decided_before_it_had_stopped_goes_on_where_no_places_are_left():
    ledger = Ledger()
    async with half_waiting(ledger, background=0) as (engine, running, held):
        [request] = await engine.approvals.list()
        await engine.approvals.decide(request.id, "approved")
        held.set()
        stopped = await running
        ended = await engine.executions.stream(stopped.execution_id).result()
        assert ended.status == "completed"
        assert len(ledger.lines) == 1
