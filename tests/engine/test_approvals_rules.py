"""What ends a wait without a decision, and what a decision is bound to."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    ApprovalExpiredError,
    ApprovalMismatchError,
    AsyncEngine,
    Limits,
    SimpleAgentConfig,
    WorkflowNode,
    tool,
)
from promptrails_engine.errors import DefinitionError
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse
from tests.engine import crash_kit
from tests.engine.families import agent, composite, step
from tests.engine.flows import echo, node, prompts, workflow
from tests.engine.kit import scripted
from tests.engine.park_kit import Ledger, approved, decide, guarded, pending, types_of

each_store = pytest.mark.usefixtures("each_store")


class LongAgo:
    """A clock by which what is asked for has expired already: the store has a clock of its own."""

    monotonic = staticmethod(time.monotonic)

    @staticmethod
    def now() -> float:
        return 1_760_000_000.0


SOON = {"expires_in_s": 60}
ASK = ToolUse("write", {"what": "one"})


async def output(engine: AsyncEngine) -> None:
    await engine.prompts.create("p", user_prompt="A")
    config = SimpleAgentConfig("p", approval_required=True)
    await engine.agents.create("It", config=config, approval_policy=SOON)


async def call(engine: AsyncEngine) -> None:
    await agent(engine, "It", "A", tools=guarded("write"), approval_policy=SOON)


async def below(engine: AsyncEngine) -> None:
    await agent(engine, "leaf", "A", tools=guarded("write"), approval_policy=SOON)
    await composite(engine, step("leaf"), name="It")


def replies(build: Any) -> list[Any]:
    return ["text"] if build is output else [ASK]


@each_store
@pytest.mark.parametrize("build", [output, call, below])
async def test_what_nobody_decides_in_time_fails_by_itself(build: Any):
    ledger = Ledger()
    clock = LongAgo()
    async with scripted(replies(build), tools=[ledger.tool("write")], clock=clock) as (engine, _):
        await build(engine)
        waiting = await engine.agents.execute("It", {})
        assert waiting.status == "awaiting_approval"
        result = await engine.executions.stream(waiting.execution_id).result()
        assert (result.status, result.error_code, ledger.lines) == ("failed", "approval_expired", [])
        assert "before anybody decided it" in result.error
        assert (await types_of(engine, result.execution_id))[-1] == "error"
        [request] = await engine.approvals.list()
        assert request.status == "expired"
        with pytest.raises(ApprovalExpiredError, match="run the agent again"):
            await engine.approvals.decide(request.id, "approved")


@each_store
async def test_without_places_what_has_expired_is_left_to_others():
    async with scripted(["text"], clock=LongAgo(), background=0) as (engine, _):
        await output(engine)
        waiting = await engine.agents.execute("It", {})
        [request] = await engine.approvals.list()
        assert request.status == "expired"
        assert (await engine.executions.get(waiting.execution_id)).status == "pending"
        result = await engine.executions.resume(waiting.execution_id)
        assert (result.status, result.error_code) == ("failed", "approval_expired")


@each_store
async def test_one_of_several_calls_that_expired_ends_a_run_with_a_time_limit_too():
    """As what it is, not as a cancellation that nobody has asked for."""
    both = Reply(tool_calls=[ASK, ToolUse("look", {"what": "out"})])
    tools = [Ledger().tool("write"), Ledger().tool("look", "pure")]
    async with scripted([both], tools=tools, clock=LongAgo(), background=0) as (engine, _):
        await agent(engine, "It", "A", tools=[*guarded("write"), "look"], approval_policy=SOON)
        waiting = await engine.agents.execute("It", {}, limits=Limits(timeout_s=60))
        await engine.approvals.list()
        result = await engine.executions.resume(waiting.execution_id)
        assert (result.status, result.error_code) == ("failed", "approval_expired")


@each_store
async def test_a_node_that_expired_may_be_borne():
    ledger = Ledger()
    both = [ASK, "fine"]
    more: dict[str, Any] = {"tools": [ledger.tool("write")], "clock": LongAgo(), "background": 0}
    async with prompts({"a": "A", "b": "B"}, lambda r: both[r.messages[-1].content == "B"], **more) as (engine, _):
        gate = WorkflowNode("gate", ["b"], node_type="approval")
        policy: Any = {"failure_policy": "settle", "approval_policy": SOON, "tools": guarded("write")}
        await workflow(engine, node("a"), node("b"), gate, node("c", prompt_id="b"), **policy)
        waiting = await engine.agents.execute("Flow", {})
        assert len(await engine.approvals.list(status="expired")) == 2
        result = await engine.executions.resume(waiting.execution_id)
        assert result.output is not None
        assert result.output["c"]["content"] == "fine"
        errors = {name: error["code"] for name, error in result.output["errors"].items()}
        assert errors == {"a": "approval_expired", "gate": "approval_expired"}
        assert ledger.lines == []


# ------------------------------------------------------------------ what was approved is what is done


def engine_on(path: Path, written: Any, replies: Any) -> AsyncEngine:
    return crash_kit.engine_on(path, replies, tools=[written])


def tool_with(ledger: list[str], **extra: Any) -> Any:
    if not extra:

        @tool
        async def write(what: str) -> str:
            """Writes."""
            ledger.append(what)
            return "done"

        return write

    @tool(name="write")
    async def write_anew(what: str, to: str = "everybody") -> str:
        """Writes."""
        ledger.append(f"{what} to {to}")
        return "done"

    return write_anew


@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_a_decision_about_a_tool_that_has_changed_since_is_void(tmp_path: Path, decision: Any):
    written: list[str] = []
    path = tmp_path / "app.db"
    async with engine_on(path, tool_with(written), [ASK]) as engine:
        await agent(engine, "It", "A", tools=guarded("write"))
        waiting = await engine.agents.execute("It", {})
        [request] = await pending(engine, waiting)
        await engine.approvals.decide(request.id, decision, resume=False)
    async with engine_on(path, tool_with(written, more=True), []) as engine:
        result = await engine.executions.resume(waiting.execution_id)
        assert (result.status, result.error_code) == ("failed", ApprovalMismatchError.code)
        assert (request.id in result.error, written) == (True, [])


async def test_a_run_that_waits_keeps_the_versions_that_it_began_with(tmp_path: Path):
    written: list[str] = []
    path = tmp_path / "app.db"
    async with engine_on(path, tool_with(written), [ASK]) as engine:
        await agent(engine, "It", "A", tools=guarded("write"))
        waiting = await engine.agents.execute("It", {})
        prompt = await engine.prompts.get("It")
        await engine.prompts.create_version(prompt.id, user_prompt="other", set_current=True)
        await engine.agents.update("It", name="Other")
        await engine.agents.archive("Other")
    async with engine_on(path, tool_with(written), ["done"]) as engine:
        result = await approved(engine, waiting)
        assert (result.text, written) == ("done", ["one"])


async def test_a_run_whose_tool_is_missing_waits_for_an_engine_that_has_it(tmp_path: Path):
    written: list[str] = []
    path = tmp_path / "app.db"
    async with engine_on(path, tool_with(written), [ASK]) as engine:
        await agent(engine, "It", "A", tools=guarded("write"))
        waiting = await engine.agents.execute("It", {})
    async with AsyncEngine(str(path), providers=[ScriptedProvider([])], background=0) as engine:
        with pytest.raises(DefinitionError, match="'write'"):
            await decide(engine, waiting)
        assert (await engine.executions.get(waiting.execution_id)).status == "pending"
    async with engine_on(path, tool_with(written), ["done"]) as engine:
        assert (await engine.executions.resume(waiting.execution_id)).text == "done"
        assert written == ["one"]


async def test_what_was_asked_in_one_process_is_decided_and_done_in_others(tmp_path: Path):
    written: list[str] = []
    path = tmp_path / "app.db"
    async with engine_on(path, tool_with(written), [Reply("Let me.", tool_calls=[ASK])]) as engine:
        await agent(engine, "It", "A", tools=guarded("write"))
        waiting = await engine.agents.execute("It", {}, limits=Limits(max_tool_calls=1), session_id="s")
    async with engine_on(path, tool_with(written), []) as engine:
        [request] = await pending(engine, waiting)
        await engine.approvals.decide(request.id, "approved", resume=False)
    async with engine_on(path, tool_with(written), ["Done."]) as engine:
        result = await engine.executions.resume(waiting.execution_id)
        assert (result.text, written) == ("Done.", ["one"])
        record = await engine.executions.get(result.execution_id)
        assert record.session_id == "s"
        assert await types_of(engine, result.execution_id) == [
            "execution",
            "content",
            "approval_required",
            "tool_start",
            "tool_end",
            "content",
            "done",
        ]


@each_store
async def test_limits_of_the_call_are_those_of_the_whole_run():
    ledger = Ledger()
    asks = [ToolUse("write", {"what": "one"}), ToolUse("write", {"what": "two"})]
    async with scripted(asks, tools=[ledger.tool("write")]) as (engine, _):
        await agent(engine, "It", "A", tools=guarded("write"), run_budget={"max_tool_calls": 9})
        waiting = await engine.agents.execute("It", {}, limits=Limits(max_tool_calls=1))
        result = await approved(engine, waiting)
        assert (result.error_code, ledger.lines) == ("budget_exceeded", ["write one"])


@each_store
async def test_a_decision_before_the_run_has_quite_stopped_is_not_lost():
    """A child waits, and is decided, while its sibling still runs."""
    ledger = Ledger()
    decided = asyncio.Event()

    async def at_once(event: Any) -> None:
        await engine.approvals.decide(event.data["approval_id"], "approved")
        decided.set()

    async def reply(request: Any) -> Any:
        last = request.messages[-1]
        if last.content == "slow":
            await decided.wait()
        return ASK if last.content == "A" else echo(request)

    hooks = {"execution.awaiting_approval": [at_once]}
    async with scripted(reply, tools=[ledger.tool("write")], hooks=hooks) as (engine, _):
        await agent(engine, "a", "A", tools=guarded("write"))
        await agent(engine, "slow", "slow")
        await composite(engine, step("a"), step("slow"), name="It")
        waiting = await engine.agents.execute("It", {})
        result = await engine.executions.stream(waiting.execution_id).result()
        assert (result.status, ledger.lines) == ("completed", ["write one"])
