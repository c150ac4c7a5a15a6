"""Values that models see as labels only, and that come back in what leaves the run."""

from __future__ import annotations

from typing import Any

from promptrails_engine import SimpleAgentConfig, SubAgentAttachment
from promptrails_engine.testing import Reply, ToolUse
from tests.guardrails.kit import guard, guarded

CALLED: list[str] = []


def call(number: str) -> str:
    """Call a number."""
    CALLED.append(number)
    return "nobody answers"


def labels(**more: Any) -> dict[str, Any]:
    return guard("input", "redact", "labels", **more)


async def test_a_model_sees_labels_and_the_answer_has_the_values() -> None:
    reply = Reply("call [A] or [B] now", chunks=["call ", "[", "A", "] or", " [B", "]", " now"])
    async with guarded([labels()], lambda request: reply) as (engine, agent, provider):
        stream = engine.agents.stream(agent.id, {"text": "555 or 777"})
        heard = [event.content async for event in stream if event.type == "content"]  # type: ignore[union-attr]
        result = await stream.result()
        assert provider.requests[0].messages[-1].content == "[A] or [B]"
        assert result.text == "".join(heard) == "call 555 or 777 now"
        assert len(heard) > 2
        stored = await engine.executions.get(result.execution_id)
        assert stored.input == {"text": "555 or 777"}
        for span in await engine.traces.get_by_trace_id(result.trace_id):
            assert "555" not in f"{span.input} {span.attributes}"


async def test_runs_do_not_share_their_labels() -> None:
    async with guarded([labels()], lambda request: "it is [A]") as (engine, agent, _):
        assert (await engine.agents.execute(agent.id, {"text": "1"})).text == "it is 1"
        assert (await engine.agents.execute(agent.id, {"text": "2"})).text == "it is 2"
        assert (await engine.agents.execute(agent.id, {"text": "none"})).text == "it is [A]"


async def test_a_tool_gets_the_value_that_its_label_stands_for() -> None:
    CALLED.clear()

    def reply(request: Any) -> Any:
        last = request.messages[-1]
        return f"{last.content} at [A]" if last.role == "tool" else ToolUse("call", {"number": "[A]"})

    async with guarded([], reply, tools=[call]) as (engine, _, provider):
        agent = await engine.agents.create(
            "Calls", config=SimpleAgentConfig("Prompt"), tools=["call"], guardrails=[labels()]
        )
        result = await engine.agents.execute(agent.id, {"text": "call 555"})
        assert (CALLED, result.text) == (["555"], "nobody answers at 555")
        assert "555" not in str([request.messages for request in provider.requests])


async def test_an_answer_of_another_agent_comes_back_as_well() -> None:
    def reply(request: Any) -> Any:
        said = request.messages[-1].content
        return ToolUse("helper", {"task": "[A]"}) if request.tools else f"helped with {said}"

    async with guarded([], reply) as (engine, _, _provider):
        await engine.prompts.create("Task", user_prompt="{{ task }}")
        await engine.agents.create("Helper", config=SimpleAgentConfig("Task"))
        subs = [SubAgentAttachment("Helper", alias="helper", mode="handoff", description="Helps.")]
        agent = await engine.agents.create(
            "Desk", config=SimpleAgentConfig("Prompt"), sub_agents=subs, guardrails=[labels()]
        )
        stream = engine.agents.stream(agent.id, {"text": "555"})
        heard = "".join([event.content async for event in stream if event.type == "content"])  # type: ignore[union-attr]
        result = await stream.result()
        assert result.error == ""
        assert result.text == heard == "helped with 555"


async def test_output_guards_see_what_the_model_said() -> None:
    async with guarded([labels(), guard("output", "block")], lambda request: "it is [A]") as (engine, agent, _):
        assert (await engine.agents.execute(agent.id, {"text": "555"})).text == "it is 555"
