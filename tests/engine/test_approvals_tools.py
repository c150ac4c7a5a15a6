"""Tool calls that somebody has to approve: alone, side by side, and over several pauses."""

from __future__ import annotations

from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    Limits,
    PromptLink,
    RateLimitError,
    ServerError,
    SimpleAgentConfig,
    TokenUsage,
    ToolContext,
    tool,
)
from promptrails_engine.testing import Reply, ToolUse
from tests.engine.families import PRICED, agent
from tests.engine.kit import SCHEMA, one_prompt, scripted
from tests.engine.park_kit import (
    Ledger,
    approved,
    decide,
    events_of,
    guarded,
    pending,
    shape_of,
    tree_of,
    types_of,
)

pytestmark = pytest.mark.usefixtures("each_store")

ASK = ToolUse("write", {"what": "one"})
PAUSE = ["approval_required", "tool_start", "tool_end"]


def tool_results(provider: Any, request: int) -> list[str]:
    return [message.content for message in provider.requests[request].messages if message.role == "tool"]


async def test_a_call_is_made_once_it_is_approved():
    ledger = Ledger()
    async with scripted([ASK, "done"], tools=[ledger.tool("write")]) as (engine, provider):
        waiting = await engine.agents.execute(await one_prompt(engine, agent_tools=guarded("write")), {"text": "x"})
        [request] = await pending(engine, waiting)
        assert (waiting.status, ledger.lines, request.checkpoint_name) == ("awaiting_approval", [], "write")
        assert request.payload == {"tool": "write", "arguments": {"what": "one"}, "call_id": "call_1_0"}
        result = await decide(engine, waiting)
        assert (result.text, ledger.lines) == ("done", ["write one"])
        assert tool_results(provider, 1) == ["write did one"]
        assert await types_of(engine, result.execution_id) == ["execution", *PAUSE, "content", "done"]


async def test_of_a_call_that_is_denied_the_model_is_told():
    ledger = Ledger()
    async with scripted([ASK, "without it"], tools=[ledger.tool("write")]) as (engine, provider):
        waiting = await engine.agents.execute(await one_prompt(engine, agent_tools=guarded("write")), {"text": "x"})
        [request] = await pending(engine, waiting)
        await engine.approvals.decide(request.id, "rejected", "not today", decided_by="ann", resume=False)
        result = await engine.executions.resume(waiting.execution_id)
        assert (result.status, result.text, ledger.lines) == ("completed", "without it", [])
        assert tool_results(provider, 1) == ['{"error":"denied by ann: not today"}']
        [denied] = [path[-1] for path in await shape_of(engine, result) if path[-1][0] == "tool"]
        assert denied == ("tool", "write", "prompt/llm[0]/tool[0]", "error", "tool_denied")


@pytest.mark.parametrize("first", ["approved", "rejected"])
async def test_what_is_over_is_neither_done_nor_told_again_after_the_next_pause(first: str):
    """Denied, failed, unknown and wrong calls leave nothing in the journal: their results are worked out anew."""
    ledger = Ledger()
    wrong = Reply(tool_calls=[ToolUse("write", "{"), ToolUse("nothing"), ToolUse("pure", {"what": 5})])
    replies = [ASK, wrong, ToolUse("pure", {"what": "p"}), ToolUse("write", {"what": "two"}), "done"]
    tools = [ledger.tool("write"), ledger.tool("pure", "pure")]
    async with scripted(replies, tools=tools) as (engine, provider):
        id = await one_prompt(engine, agent_tools=[*guarded("write"), "pure"])
        waiting = await decide(engine, await engine.agents.execute(id, {"text": "x"}), first)
        result = await decide(engine, waiting)
        assert (result.text, len(provider.requests)) == ("done", 5)
        assert ledger.counts["write one"] == (first == "approved")
        assert ledger.counts["write two"] == 1
        called = ["tool_start", "tool_end"]
        types = await types_of(engine, result.execution_id)
        assert types[:4] == ["execution", *PAUSE]
        assert types[-7:] == [*called, *PAUSE, "content", "done"]
        assert (types.count("tool_start"), types.count("tool_end")) == (6, 6)
        assert len([path for path in await shape_of(engine, result) if path[-1][0] == "tool"]) == 6


async def test_of_several_calls_the_others_go_on_and_each_waits_by_itself():
    ledger = Ledger()
    calls = [ToolUse("write", {"what": what}) for what in ("one", "two", "three")]
    both = Reply(tool_calls=[*calls, ToolUse("look", {"what": "out"}), ToolUse("note", {"what": "it"})])
    tools = [ledger.tool("write"), ledger.tool("look", "pure"), ledger.tool("note", "idempotent")]
    async with scripted([both, "done"], tools=tools) as (engine, provider):
        id = await one_prompt(engine, agent_tools=[*guarded("write"), "look", "note"])
        waiting = await engine.agents.execute(id, {"text": "x"})
        assert sorted(ledger.lines) == ["look out", "note it"]
        requests = await pending(engine, waiting)
        assert [request.payload["arguments"]["what"] for request in requests] == ["one", "two", "three"]
        result = await decide(engine, waiting, "approved", "rejected", "approved")
        assert result.text == "done"
        counts = {name: count for name, count in ledger.counts.items() if name != "look out"}  # which may run again
        assert counts == {"note it": 1, "write one": 1, "write three": 1}
        assert tool_results(provider, 1) == [
            "write did one",
            '{"error":"denied"}',
            "write did three",
            "look did out",
            "note did it",
        ]
        types = await types_of(engine, result.execution_id)
        assert (types.count("approval_required"), types.count("tool_start"), types.count("tool_end")) == (3, 5, 5)


async def test_calls_in_turns_wait_in_turns():
    ledger = Ledger()
    replies = [ToolUse("write", {"what": str(number)}) for number in range(4)]
    async with scripted([*replies, "done"], tools=[ledger.tool("write")]) as (engine, provider):
        result = await engine.agents.execute(await one_prompt(engine, agent_tools=guarded("write")), {"text": "x"})
        for number in range(4):
            assert (result.status, len(provider.requests)) == ("awaiting_approval", number + 1)
            assert len(await pending(engine, result)) == 1
            result = await decide(engine, result)
        assert (result.text, ledger.lines) == ("done", [f"write {number}" for number in range(4)])
        assert await types_of(engine, result.execution_id) == ["execution", *PAUSE * 4, "content", "done"]


async def test_equal_ids_of_calls_are_told_apart():
    """Some models number the calls of each answer anew."""
    ledger = Ledger()
    replies = [ToolUse("write", {"what": what}, id="call_0") for what in ("one", "two", "three")]
    async with scripted([*replies, "done"], tools=[ledger.tool("write")]) as (engine, _):
        id = await one_prompt(engine, agent_tools=guarded("write"))
        result = await approved(engine, await engine.agents.execute(id, {"text": "x"}))
        assert ledger.lines == ["write one", "write two", "write three"]
        assert await types_of(engine, result.execution_id) == ["execution", *PAUSE * 3, "content", "done"]


async def test_a_call_that_fails_after_its_approval_is_not_made_again():
    ledger = Ledger()
    replies = [ASK, ToolUse("other", {"what": "two"}), "done"]
    tools = [ledger.tool("write", fails=True), ledger.tool("other")]
    async with scripted(replies, tools=tools) as (engine, provider):
        id = await one_prompt(engine, agent_tools=guarded("write", "other"))
        result = await approved(engine, await engine.agents.execute(id, {"text": "x"}))
        assert (result.text, ledger.lines) == ("done", ["write one", "other two"])
        assert "write is broken" in tool_results(provider, 2)[0]
        assert tool_results(provider, 2)[0] == tool_results(provider, 1)[0]


async def test_a_chain_goes_on_at_the_step_that_waited():
    ledger = Ledger()

    def reply(request: Any) -> Any:
        last = request.messages[-1]
        return f"<{last.content}>" if last.role == "tool" else ToolUse("write", {"what": last.content})

    async with scripted(reply, tools=[ledger.tool("write")]) as (engine, provider):
        for name, text in {"a": "A", "b": "B {{ previous_output }}"}.items():
            await engine.prompts.create(name, user_prompt=text)
        links = [PromptLink("a", "first", 0), PromptLink("b", "second", 1)]
        await engine.agents.create("It", config=ChainAgentConfig(links), tools=guarded("write"))
        waiting = await engine.agents.execute("It", {})
        [request] = await pending(engine, waiting)
        assert request.key == "steps[0]/llm[0]/tool[0]/approval"
        waiting = await decide(engine, waiting)
        [request] = await pending(engine, waiting)
        assert request.key == "steps[1]/llm[0]/tool[0]/approval"
        assert (await decide(engine, waiting)).text == "<write did B <write did A>>"
        assert ledger.lines == ["write A", "write B <write did A>"]
        assert len(provider.requests) == 4


async def test_calls_of_repair_turns_wait_too():
    ledger = Ledger()
    replies: list[Any] = [ASK, {"category": "?"}, ToolUse("write", {"what": "two"}), {"category": "order"}]
    async with scripted(replies, tools=[ledger.tool("write")]) as (engine, provider):
        id = await one_prompt(engine, output_schema=SCHEMA, agent_tools=guarded("write"))
        result = await approved(engine, await engine.agents.execute(id, {"text": "x"}))
        assert (result.output, ledger.lines) == ({"category": "order"}, ["write one", "write two"])
        assert len(provider.requests) == 4
        keys = [path[-1][2] for path in await shape_of(engine, result) if path[-1][0] == "llm"]
        assert keys == ["prompt/llm[0]", "prompt/llm[1]", "prompt/repair[0]/llm[0]", "prompt/repair[0]/llm[1]"]


# ------------------------------------------------------------------ limits and totals over pauses


@pytest.mark.parametrize(
    ("limits", "whats", "code"),
    [
        (Limits(max_tool_calls=2), "012", "budget_exceeded"),
        (Limits(max_rounds=2), "01", "tool_loop"),
        (Limits(max_repeated_calls=2), "000", "tool_loop"),
    ],
)
async def test_limits_of_calls_and_rounds_hold_over_pauses(limits: Limits, whats: str, code: str):
    ledger = Ledger()
    replies = [ToolUse("write", {"what": what}) for what in whats]
    async with scripted(replies, tools=[ledger.tool("write")]) as (engine, provider):
        id = await one_prompt(engine, agent_tools=guarded("write"))
        result = await approved(engine, await engine.agents.execute(id, {"text": "x"}, limits=limits))
        assert (result.status, result.error_code) == ("failed", code)
        assert ledger.lines == [f"write {what}" for what in whats[:-1]]
        assert len(provider.requests) == len(whats)


@pytest.mark.parametrize(("most", "status", "cost"), [(10_000, "completed", 355.0), (400, "failed", 350.0)])
async def test_money_that_was_spent_before_a_pause_is_spent(most: float, status: str, cost: float):
    """400 USD are enough for the first call, and not for another."""
    ledger = Ledger()
    dear = Reply(tool_calls=[ASK], usage=TokenUsage(340, 10, 350))
    replies = [dear, "done"] if status == "completed" else [dear]
    async with scripted(replies, tools=[ledger.tool("write")], models=[PRICED]) as (engine, _):
        prompt = {"user_prompt": "A", "llm_model_id": "mine", "max_tokens": 10}
        await agent(engine, "It", prompt, tools=guarded("write"))
        waiting = await engine.agents.execute("It", {}, limits=Limits(max_cost=most))
        assert (waiting.status, waiting.cost) == ("awaiting_approval", 350.0), waiting.error
        result = await decide(engine, waiting)
        assert (result.status, result.cost) == (status, cost)
        assert result.error_code == ("" if status == "completed" else "budget_exceeded")


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize(
    "failing",
    [
        RateLimitError("slow down", retry_after_s=0.0),
        ServerError("down"),
        Reply("half an answer", error=ServerError("down")),
        Reply(),
    ],
)
async def test_attempts_that_were_lost_before_a_pause_cost_what_they_did(failing: Any):
    ledger = Ledger()
    totals: list[Any] = []
    for attached in (["write"], guarded("write")):
        replies = [failing, ASK, failing, "done"]
        tools = [ledger.tool("write")]
        workspace = f"{len(attached)} {attached[0]}"
        async with scripted(replies, tools=tools, models=[PRICED], workspace_id=workspace) as (engine, _):
            await agent(engine, "It", {"user_prompt": "A", "llm_model_id": "mine"}, tools=attached)
            result = await approved(engine, await engine.agents.execute("It", {}))
            assert result.text == "done"
            totals.append((await tree_of(engine, result), await shape_of(engine, result)))
    assert totals[0] == totals[1]
    assert ledger.lines == ["write one", "write one"]


async def test_tools_keep_their_state_over_pauses():
    @tool
    async def count(ctx: ToolContext) -> int:
        """Counts."""
        value = 1 + (await ctx.state.get("count") or 0)
        await ctx.state.set("count", value)
        return value

    async def run(engine: AsyncEngine, session: str) -> Any:
        return await approved(engine, await engine.agents.execute("It", {}, session_id=session))

    async with scripted([ToolUse("count"), ToolUse("count"), "done"] * 2, tools=[count]) as (engine, provider):
        prompt = await engine.prompts.create("P", user_prompt="A")
        await engine.agents.create("It", config=SimpleAgentConfig(prompt.id), tools=guarded("count"))
        await run(engine, "s")
        await run(engine, "s")
        assert tool_results(provider, 2) == ["1", "2"]
        assert tool_results(provider, 5) == ["3", "4"]


async def test_all_that_a_listener_heard_before_a_pause_stands():
    ledger = Ledger()
    replies = [Reply("Let me write.", tool_calls=[ASK]), "Done now."]
    async with scripted(replies, tools=[ledger.tool("write")]) as (engine, _):
        id = await one_prompt(engine, agent_tools=guarded("write"))
        heard = [event async for event in engine.agents.stream(id, {"text": "x"})]
        execution_id: str = heard[0].execution_id  # type: ignore[union-attr]
        [request] = await engine.approvals.list(root_execution_id=execution_id)
        await engine.approvals.decide(request.id, "approved", resume=False)
        await engine.executions.resume(execution_id)
        events = await events_of(engine, execution_id)
        assert events[: len(heard)] == heard
        assert "restart" not in await types_of(engine, execution_id)
        said = [event.content for event in events if event.type == "content"]
        assert "".join(said) == "Let me write.Done now."
