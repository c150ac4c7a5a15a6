"""Outputs that somebody has to approve: of simple agents and of chains."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptrails_engine import (
    AlreadyDecidedError,
    ApprovalMismatchError,
    AsyncEngine,
    ChainAgentConfig,
    ConflictError,
    ExecutionResult,
    ForbiddenError,
    HookEvent,
    PromptLink,
    SimpleAgentConfig,
    SubAgentAttachment,
)
from promptrails_engine.testing import Reply, ToolUse
from tests.engine.families import agent
from tests.engine.flows import echo, prompts
from tests.engine.kit import SCHEMA, scripted
from tests.engine.park_kit import decide, events_of, pending, shape_of, types_of

pytestmark = pytest.mark.usefixtures("each_store")

CONTENT = {"content": "<A>", "type": "text"}


async def chain(engine: AsyncEngine, **more: Any) -> None:
    links = [PromptLink(name, name, place) for place, name in enumerate("ab")]
    await engine.agents.create("It", config=ChainAgentConfig(links, approval_required=True), **more)


async def simple(engine: AsyncEngine, **more: Any) -> None:
    config = SimpleAgentConfig("a", approval_required=True, approval_checkpoint_name="look")
    await engine.agents.create("It", config=config, **more)


TWO = {"a": "A", "b": "{{ previous_output }}!"}


@pytest.mark.parametrize(("build", "name", "text"), [(simple, "look", "<A>"), (chain, "approval", "<<A>!>")])
async def test_an_output_is_heard_once_it_is_approved(build: Any, name: str, text: str):
    async with prompts(TWO) as (engine, provider):
        await build(engine)
        heard = [event async for event in engine.agents.stream("It", {})]
        assert [event.type for event in heard] == ["execution", "approval_required"]
        record = await engine.executions.get(heard[0].execution_id)  # type: ignore[union-attr]
        assert (record.status, record.output, record.completed_at) == ("awaiting_approval", None, None)
        waiting = ExecutionResult(execution_id=record.id, trace_id=record.trace_id or "", status=record.status)
        [request] = await pending(engine, waiting)
        assert (request.checkpoint_name, request.payload) == (name, {"content": text, "type": "text"})
        assert heard[1].approval_id == request.id  # type: ignore[union-attr]
        assert heard[1].payload == request.payload  # type: ignore[union-attr]
        calls = len(provider.requests)
        result = await decide(engine, waiting)
        assert (result.status, result.text, len(provider.requests)) == ("completed", text, calls)
        assert await types_of(engine, record.id) == ["execution", "approval_required", "content", "done"]
        said = [event for event in await events_of(engine, record.id) if event.type == "content"]
        assert "".join(event.content for event in said) == text  # type: ignore[union-attr]
        assert result.token_usage == record.token_usage


@pytest.mark.parametrize("build", [simple, chain])
async def test_an_output_that_is_rejected_is_discarded(build: Any):
    async with prompts(TWO) as (engine, _):
        await build(engine)
        waiting = await engine.agents.execute("It", {})
        [request] = await pending(engine, waiting)
        await engine.approvals.decide(request.id, "rejected", "too short", decided_by="ann", resume=False)
        result = await engine.executions.resume(waiting.execution_id)
        assert (result.status, result.output, result.error_code) == ("rejected", None, "approval_rejected")
        assert result.error == "the output was denied by ann: too short"
        record = await engine.executions.get(result.execution_id)
        assert (record.status, record.output, record.error_code) == ("rejected", None, "approval_rejected")
        assert record.token_usage == waiting.token_usage
        assert await types_of(engine, result.execution_id) == ["execution", "approval_required", "error"]
        [(root,)] = [path for path in await shape_of(engine, result) if len(path) == 1]
        assert root[-2:] == ("error", "approval_rejected")


async def test_an_output_under_a_schema_is_approved_as_its_value():
    replies: list[Any] = [{"category": "nothing"}, {"category": "order"}]
    async with prompts({"a": {"user_prompt": "A", "output_schema": SCHEMA}}, replies) as (engine, provider):
        await simple(engine)
        waiting = await engine.agents.execute("It", {})
        [request] = await pending(engine, waiting)
        assert request.payload == {"category": "order"}
        result = await decide(engine, waiting)
        assert result.output == {"category": "order"}
        assert len(provider.requests) == 2
        assert await types_of(engine, result.execution_id) == ["execution", "approval_required", "content", "done"]


async def test_an_output_that_breaks_the_schema_is_put_before_nobody():
    wanted = {"type": "object", "required": ["total"]}
    async with prompts({"a": {"user_prompt": "A", "output_schema": SCHEMA}}, [{"category": "order"}]) as (engine, _):
        await simple(engine, output_schema=wanted)
        result = await engine.agents.execute("It", {})
        assert (result.status, result.error_code) == ("failed", "output_invalid")
        assert len(await engine.approvals.list()) == 0


async def test_the_answer_after_a_handoff_is_not_heard_either():
    async with scripted([ToolUse("helper", {"task": "x"}), "found it"]) as (engine, _):
        await agent(engine, "helper", "H {{ task }}")
        await engine.prompts.create("a", user_prompt="A")
        await simple(engine, sub_agents=[SubAgentAttachment("helper", mode="handoff")])
        waiting = await engine.agents.execute("It", {})
        types = ["execution", "tool_start", "tool_end", "approval_required"]
        assert await types_of(engine, waiting.execution_id) == types
        result = await decide(engine, waiting)
        assert result.text == "found it"
        assert await types_of(engine, result.execution_id) == [*types, "content", "done"]
        assert len((await engine.executions.get(result.execution_id)).children) == 1


async def test_a_pause_leaves_no_mark_on_the_spans():
    async with prompts({"a": "A"}) as (engine, _):
        await simple(engine)
        await engine.agents.create("Free", config=SimpleAgentConfig("a"))
        free = await engine.agents.execute("Free", {})
        result = await decide(engine, await engine.agents.execute("It", {}))
        renamed = [
            tuple(("agent", "It", *own[2:]) if own[1] == "Free" else own for own in path)
            for path in await shape_of(engine, free)
        ]
        assert await shape_of(engine, result) == renamed


async def test_a_run_that_waits_can_be_cancelled():
    async with prompts({"a": "A"}) as (engine, _):
        await simple(engine)
        waiting = await engine.agents.execute("It", {})
        [request] = await pending(engine, waiting)
        record = await engine.executions.cancel(waiting.execution_id)
        assert (record.status, record.error_code) == ("cancelled", "cancelled")
        assert (await engine.approvals.get(request.id)).status == "withdrawn"
        with pytest.raises(AlreadyDecidedError, match="withdrawn"):
            await engine.approvals.decide(request.id, "approved")
        with pytest.raises(ConflictError, match="has ended as cancelled"):
            await engine.executions.resume(waiting.execution_id)
        assert await types_of(engine, waiting.execution_id) == ["execution", "approval_required", "error"]


async def test_a_decision_takes_the_run_up_by_itself():
    async with prompts({"a": "A"}) as (engine, _):
        await simple(engine)
        waiting = await engine.agents.execute("It", {})
        [request] = await pending(engine, waiting)
        stream = engine.executions.stream(waiting.execution_id)
        assert [(await anext(stream)).type for _ in range(2)] == ["execution", "approval_required"]
        await engine.approvals.decide(request.id, "approved")
        assert [event.type async for event in stream] == ["content", "done"]
        assert (await stream.result()).text == "<A>"


async def test_a_stream_that_is_attached_while_it_runs_stays_until_the_end():
    held = asyncio.Event()

    async def reply(request: Any) -> str:
        await held.wait()
        return echo(request)

    async with prompts({"a": "A"}, reply) as (engine, _):
        await simple(engine)
        first = engine.agents.stream("It", {})
        execution = await anext(first)
        second = engine.executions.stream(execution.execution_id)  # type: ignore[union-attr]
        seen = [(await anext(second)).type]
        held.set()
        assert [event.type async for event in first] == ["approval_required"]
        seen.append((await anext(second)).type)
        assert (await first.result()).status == "awaiting_approval"
        [request] = await engine.approvals.list(status="pending")
        await engine.approvals.decide(request.id, "approved")
        seen += [event.type async for event in second]
        assert seen == ["execution", "approval_required", "content", "done"]


# ------------------------------------------------------------------ what is bound, who decides, who is told


async def test_what_was_approved_has_to_be_what_is_said_then():
    """Another version of the agent may come to the same output: the approval was not of that one."""
    async with prompts({"a": "A"}) as (engine, _):
        await simple(engine)
        waiting = await engine.agents.execute("It", {})
        [request] = await pending(engine, waiting)
        version = await engine.agents.get_version("It")
        other = await engine.agents.create_version("It", config=version.config, message="other")
        plan = await engine._parts.planner.plan("It", other.id)
        assert await engine._store.replace_lock("default", waiting.execution_id, other.id, plan.version_lock)
        await engine.approvals.decide(request.id, "approved", resume=False)
        result = await engine.executions.resume(waiting.execution_id)
        assert (result.status, result.error_code) == ("failed", ApprovalMismatchError.code)
        assert "run it again" in result.error


async def test_only_those_assigned_let_it_go_on():
    policy = {"mode": "assigned", "member_ids": ["ann"]}
    async with prompts({"a": "A"}) as (engine, _):
        await simple(engine, approval_policy=policy)
        waiting = await engine.agents.execute("It", {})
        [request] = await pending(engine, waiting)
        with pytest.raises(ForbiddenError):
            await engine.approvals.decide(request.id, "approved", decided_by="bob")
        with pytest.raises(ConflictError, match="waits for a decision"):
            await engine.executions.resume(waiting.execution_id)
        await engine.approvals.decide(request.id, "approved", decided_by="ann", resume=False)
        assert (await engine.executions.resume(waiting.execution_id)).status == "completed"


async def test_hooks_are_told_of_the_wait_and_of_the_decision_once():
    told: list[HookEvent] = []
    hooks = {name: [told.append] for name in ("execution.awaiting_approval", "approval.decided")}
    async with prompts({"a": "A"}, hooks=hooks) as (engine, _):
        await simple(engine, approval_policy={"expires_in_s": 3600})
        waiting = await engine.agents.execute("It", {})
        [request] = await pending(engine, waiting)
        result = await decide(engine, waiting)
    [asked, decided] = sorted(told, key=lambda event: event.event, reverse=True)
    assert asked.event == "execution.awaiting_approval"
    assert asked.data["approval_id"] == decided.data["approval_id"] == request.id
    assert asked.data["execution_id"] == asked.data["root_execution_id"] == result.execution_id
    assert asked.data["payload"] == CONTENT
    assert asked.data["expires_at"] == request.expires_at
    assert request.expires_at is not None
    assert decided.data["decision"] == "approved"


async def test_session_metadata_and_user_are_kept_over_a_pause():
    async with prompts({"a": "A"}, [Reply("fine")]) as (engine, _):
        await simple(engine)
        given: dict[str, Any] = {"session_id": "s", "user_id": "u", "metadata": {"k": [1]}}
        waiting = await engine.agents.execute("It", {"x": 1}, **given)
        result = await decide(engine, waiting)
        record = await engine.executions.get(result.execution_id)
        assert (record.session_id, record.user_id, record.metadata, record.input) == ("s", "u", {"k": [1]}, {"x": 1})
        assert {span.session_id for span in await engine.traces.get_by_trace_id(result.trace_id)} == {"s"}
