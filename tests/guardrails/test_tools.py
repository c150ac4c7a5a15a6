"""Guards on what goes into tools, and on what comes back from them."""

from __future__ import annotations

from typing import Any

from promptrails_engine import SimpleAgentConfig, WorkflowAgentConfig, WorkflowNode
from promptrails_engine.testing import ToolUse
from tests.guardrails.kit import guard, guarded, spans_of

CALLED: list[str] = []


def look_up(what: str) -> dict[str, str]:
    """Look it up."""
    CALLED.append(what)
    return {"found": f"{what} is 99"}


def reply(request: Any) -> Any:
    last = request.messages[-1]
    return f"it said {last.content}" if last.role == "tool" else ToolUse("look_up", {"what": "room 12"})


async def test_arguments_and_results_are_guarded() -> None:
    CALLED.clear()
    guards = [
        guard("input", apply_to=["tool_arguments"], replacement="[ARG]"),
        guard("output", apply_to=["tool_results"], replacement="[RES]"),
    ]
    async with guarded(guards, reply, tools=[look_up]) as (engine, _, provider):
        agent = await engine.agents.create(
            "Calls", config=SimpleAgentConfig("Prompt"), tools=["look_up"], guardrails=guards
        )
        result = await engine.agents.execute(agent.id, {"text": "input 5 is not looked at"})
        assert CALLED == ["room [ARG]"]
        assert provider.requests[0].messages[-1].content == "input 5 is not looked at"
        assert result.text == 'it said {"found":"room [ARG] is [RES]"}'
        assert len(await spans_of(engine, result.trace_id)) == 2


async def test_a_blocked_call_ends_the_run_and_is_not_made() -> None:
    CALLED.clear()
    guards = [guard("input", "block", apply_to=["tool_arguments"])]
    async with guarded([], reply, tools=[look_up]) as (engine, _, _provider):
        agent = await engine.agents.create(
            "Calls", config=SimpleAgentConfig("Prompt"), tools=["look_up"], guardrails=guards
        )
        result = await engine.agents.execute(agent.id, {"text": "x"})
        assert (result.status, result.error_code) == ("failed", "guardrail_blocked")
        assert CALLED == []


async def test_a_blocked_result_ends_the_run_with_the_call_closed() -> None:
    guards = [guard("output", "block", apply_to=["tool_results"])]
    async with guarded([], reply, tools=[look_up]) as (engine, _, _provider):
        agent = await engine.agents.create(
            "Calls", config=SimpleAgentConfig("Prompt"), tools=["look_up"], guardrails=guards
        )
        events = [event.type async for event in engine.agents.stream(agent.id, {"text": "x"})]
        assert events == ["execution", "tool_start", "tool_end", "error"]


async def test_tools_of_a_workflow_are_guarded_as_well() -> None:
    CALLED.clear()
    node = WorkflowNode("a", node_type="tool", tool="look_up", input_mapping={"what": "room 12"})
    guards = [guard("input", apply_to=["tool_arguments"]), guard("output", apply_to=["tool_results"], replacement="#")]
    async with guarded([], tools=[look_up]) as (engine, _, _provider):
        agent = await engine.agents.create("Flow", config=WorkflowAgentConfig([node]), guardrails=guards)
        result = await engine.agents.execute(agent.id, {})
        assert CALLED == ["room [N]"]
        assert result.output == {"found": "room [N] is #"}
