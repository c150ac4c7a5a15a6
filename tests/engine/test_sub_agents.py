"""Agents that a model calls as tools: asked for a result, or handed the run."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest

from promptrails_engine import (
    ArchivedError,
    ChainAgentConfig,
    DefinitionError,
    Limits,
    NotFoundError,
    PromptLink,
    SimpleAgentConfig,
    SubAgentAttachment,
    tool,
)
from promptrails_engine.ports.provider import ModelCapabilities
from promptrails_engine.testing import Reply, ToolUse
from tests.engine.families import Held, agent
from tests.engine.flows import spans_of
from tests.engine.kit import SCHEMA, scripted

pytestmark = pytest.mark.usefixtures("each_store")


@asynccontextmanager
async def desk(replies: Any, *subs: Any, contents: Any = None, desk: Any = "Desk {{ q }}", **more: Any):
    """An engine with the agents `helper` ("H {{ task }}") and `other`, and `Desk`, which has them as sub-agents."""
    async with scripted(replies, **more) as (engine, provider):
        for name, content in {"helper": "H {{ task }}", "other": "O {{ task }}", **(contents or {})}.items():
            await agent(engine, name, content)
        await agent(engine, "Desk", desk, sub_agents=subs or ("helper",))
        yield engine, provider


HANDOFF = SubAgentAttachment("helper", mode="handoff")
ASK = ToolUse("helper", {"task": "find it"})


# ------------------------------------------------------------------ delegate


async def test_a_delegates_answer_is_the_result_of_the_call():
    async with desk([ASK, "found", "It was found."]) as (engine, provider):
        result = await engine.agents.execute("Desk", {"q": "?"})
        assert result.text == "It was found."
        asked, below, last = provider.requests
        assert [spec.name for spec in asked.tools] == ["helper"]
        assert asked.tools[0].parameters["required"] == ["task"]
        assert [message.content for message in below.messages] == ["H find it"]
        assert below.tools == ()
        assert (last.messages[-1].role, last.messages[-1].content) == ("tool", "found")
        (child,) = (await engine.executions.get(result.execution_id)).children
        assert (child.status, child.input, child.text) == ("completed", {"task": "find it"}, "found")
        spans = await spans_of(engine, result)
        called = spans["prompt/llm[0]/tool[0]"]
        assert (called.kind, called.attributes["tool_type"]) == ("tool", "agent")
        assert called.attributes["child_execution_id"] == child.id
        root = [s for s in spans.values() if s.execution_id == child.id]
        assert root
        assert result.token_usage["total_tokens"] == sum(
            s.total_tokens or 0 for s in await engine.traces.get_by_trace_id(result.trace_id) if s.kind == "llm"
        )


async def test_listeners_hear_the_call_and_not_what_the_delegate_says():
    async with desk([ASK, "found", "It was found."]) as (engine, _):
        events = [event async for event in engine.agents.stream("Desk", {})]
        assert [event.type for event in events] == ["execution", "tool_start", "tool_end", *["content"] * 3, "done"]
        assert events[2].summary == "found"  # type: ignore[union-attr]


async def test_the_tool_is_named_described_and_typed_by_the_agent():
    async with scripted([Reply(tool_calls=[ToolUse("order_desk", {"number": 5})]), "five", "done"]) as (
        engine,
        provider,
    ):
        schema = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
        await agent(engine, "Order desk!", "N {{ number }}", input_schema=schema, description="Knows orders.")
        await agent(engine, "two", "T", description="Two.")
        subs = [
            {"agent_id": "two", "alias": "second", "description": "The other.", "sort_order": 2},
            {"agent_id": "Order desk!", "sort_order": 1},
        ]
        await agent(engine, "Desk", "D", sub_agents=subs)
        assert (await engine.agents.execute("Desk", {})).text == "done"
        shown = [(spec.name, spec.description) for spec in provider.requests[0].tools]
        assert shown == [("order_desk", "Knows orders."), ("second", "The other.")]
        assert provider.requests[0].tools[0].parameters["properties"] == {"number": {"type": "integer"}}
        assert provider.requests[1].messages[-1].content == "N 5"
        preview = (await engine.agents.preview("Desk", {}))[0]
        assert [spec["name"] for spec in preview.tools] == ["order_desk", "second"]


async def test_an_agent_whose_prompt_has_a_schema_is_called_by_it():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    contents = {"helper": {"user_prompt": "N {{ n }}", "input_schema": schema}}
    async with desk([ToolUse("helper", {"n": 3}), "three", "done"], contents=contents) as (engine, provider):
        await engine.agents.execute("Desk", {})
        assert provider.requests[1].messages[-1].content == "N 3"


async def test_wrong_arguments_are_told_to_the_model_and_start_nothing():
    replies = [ToolUse("helper", {"tusk": 1}), ToolUse("helper", "{"), ASK, "found", "done"]
    async with desk(replies) as (engine, provider):
        result = await engine.agents.execute("Desk", {})
        assert result.text == "done"
        assert "task" in provider.requests[1].messages[-1].content
        assert "not valid JSON" in provider.requests[2].messages[-1].content
        assert len((await engine.executions.get(result.execution_id)).children) == 1


async def test_a_delegate_that_fails_is_a_result_that_the_model_sees():
    async with desk([ASK, Reply("no", finish="content_filter"), "I could not."]) as (engine, provider):
        result = await engine.agents.execute("Desk", {})
        assert result.text == "I could not."
        assert "agent 'helper' failed" in provider.requests[2].messages[-1].content
        (child,) = (await engine.executions.get(result.execution_id)).children
        assert (child.status, child.error_code) == ("failed", "content_filtered")


async def test_a_delegate_that_is_cancelled_fails_its_call_alone():
    held = Held("H find")
    said: list[str] = []

    async def replies(request: Any) -> Any:
        if request.messages[-1].content.startswith("Desk"):
            return ASK
        if request.messages[-1].role == "tool":
            said.append(request.messages[-1].content)
            return "without it"
        return await held(request)

    async with desk(replies) as (engine, _):
        task = asyncio.create_task(engine.agents.execute("Desk", {}))
        await held.reached.wait()
        helper = (await engine.agents.get("helper")).id
        (child,) = await engine.executions.list(agent_id=helper, include_children=True)
        await engine.executions.cancel(child.id)
        assert (await task).text == "without it"
        assert "was cancelled" in said[0]


async def test_cancelling_a_supervisor_cancels_its_delegates():
    both = asyncio.Barrier(3)

    async def replies(request: Any) -> Any:
        if request.messages[-1].content.startswith("Desk"):
            return Reply(tool_calls=[ASK, ToolUse("other", {"task": "find more"})])
        await both.wait()
        return await asyncio.Event().wait()

    async with desk(replies, "helper", "other") as (engine, _):
        task = asyncio.create_task(engine.agents.execute("Desk", {}))
        await both.wait()
        (top,) = await engine.executions.list()
        await engine.executions.cancel(top.id)
        assert (await task).status == "cancelled"
        tree = await engine.executions.tree(top.id)
        assert [one.status for one in tree.children] == ["cancelled", "cancelled"]


async def test_delegates_run_side_by_side():
    async def replies(request: Any) -> Any:
        content = request.messages[-1].content
        if content.startswith("Desk"):
            return Reply(tool_calls=[ToolUse("helper", {"task": "1"}), ToolUse("other", {"task": "2"})])
        return ", ".join(m.content for m in request.messages if m.role == "tool") or f"<{content}>"

    async with desk(replies, "helper", "other") as (engine, _):
        result = await engine.agents.execute("Desk", {})
        assert result.text == "<H 1>, <O 2>"
        assert len((await engine.executions.get(result.execution_id)).children) == 2


async def test_limits_on_children_are_told_to_the_model():
    async with desk([ASK, "found", ASK, "enough"]) as (engine, provider):
        result = await engine.agents.execute("Desk", {}, limits=Limits(max_children=1))
        assert result.text == "enough"
        assert "may have 1 child executions" in provider.requests[3].messages[-1].content


async def test_sub_agents_of_sub_agents_run():
    async with scripted([ToolUse("b", {"task": "x"}), ToolUse("c", {"task": "y"}), "C", "B", "A"]) as (
        engine,
        _,
    ):
        await agent(engine, "c", "c {{ task }}")
        await agent(engine, "b", "b {{ task }}", sub_agents=["c"])
        await agent(engine, "a", "a", sub_agents=["b"])
        result = await engine.agents.execute("a", {})
        assert result.text == "A"
        tree = await engine.executions.tree(result.execution_id)
        assert tree.children[0].children[0].text == "C"
        assert len(tree.version_lock["agents"]) == 2


async def test_models_without_tools_of_their_own_can_ask_too():
    ask = '{"tool": "helper", "arguments": {"task": "find it"}}'
    capabilities = ModelCapabilities(tools="emulated")
    async with desk([ask, "found", '{"answer": "done"}'], capabilities=capabilities) as (engine, provider):
        assert (await engine.agents.execute("Desk", {})).text == "done"
        assert provider.requests[1].messages[-1].content == "H find it"


# ------------------------------------------------------------------ context


@pytest.mark.parametrize("mode", ["delegate", "handoff"])
async def test_a_window_shows_the_conversation_so_far(mode: Any):
    sub = SubAgentAttachment("helper", mode=mode, context_mode="window")
    contents = {"helper": {"system_prompt": "You help.", "user_prompt": "H {{ task }}"}}
    replies = [
        ToolUse("look"),
        Reply("Let me ask.", tool_calls=[ASK]),
        "found",
        *(["done"] if mode == "delegate" else []),
    ]

    @tool
    def look() -> str:
        """Looks."""
        return "nothing here"

    prompt = {"system_prompt": "You are a desk.", "user_prompt": "Where is {{ q }}?", "config": {"tools": ["look"]}}
    async with desk(replies, sub, contents=contents, desk=prompt, tools=[look]) as (engine, provider):
        await engine.agents.execute("Desk", {"q": "it"})
        below = provider.requests[2]
        assert [(message.role, message.content) for message in below.messages] == [
            ("system", "You help."),
            ("user", "Where is it?"),
            ("assistant", "Let me ask."),
            ("user", "H find it"),
        ]
        assert all(not message.tool_calls for message in below.messages)


# ------------------------------------------------------------------ handoff


async def test_after_a_handoff_the_other_agents_answer_is_the_runs():
    async with desk([ASK, Reply(chunks=["I ", "found ", "it."])], HANDOFF) as (engine, provider):
        events = [event async for event in engine.agents.stream("Desk", {})]
        assert [event.type for event in events] == ["execution", "tool_start", "tool_end", *["content"] * 3, "done"]
        assert events[2].summary == "handed over to agent 'helper'"  # type: ignore[union-attr]
        assert [event.content for event in events if event.type == "content"] == ["I ", "found ", "it."]
        assert events[-1].output == {"content": "I found it.", "type": "text"}  # type: ignore[union-attr]
        assert len(provider.requests) == 2
        record = await engine.executions.get(events[0].execution_id)  # type: ignore[union-attr]
        assert (record.status, record.text) == ("completed", "I found it.")
        assert record.children[0].text == "I found it."


async def test_a_handoff_passes_on_what_the_other_agent_does():
    @tool
    def look() -> str:
        """Looks."""
        return "there"

    async with scripted([ASK, ToolUse("look"), "found"], tools=[look]) as (engine, _):
        await agent(engine, "helper", "H {{ task }}", tools=["look"])
        await agent(engine, "Desk", "D", sub_agents=[HANDOFF])
        events = [event async for event in engine.agents.stream("Desk", {})]
        names = [event.name for event in events if event.type == "tool_start"]
        assert names == ["helper", "look"]


async def test_a_handoff_ends_a_chain():
    async with scripted([ASK, "found it"]) as (engine, provider):
        await agent(engine, "helper", "H {{ task }}")
        for name in ("first", "second"):
            await engine.prompts.create(name, user_prompt=name)
        links = [PromptLink("first", "one", 0), PromptLink("second", "two", 1)]
        await engine.agents.create("Chain", config=ChainAgentConfig(links), sub_agents=[HANDOFF])
        events = [event async for event in engine.agents.stream("Chain", {})]
        assert events[-1].output == {"content": "found it", "type": "text"}  # type: ignore[union-attr]
        assert "".join(event.content for event in events if event.type == "content") == "found it"
        assert len(provider.requests) == 2


async def test_a_handoff_that_fails_fails_the_run():
    async with desk([ASK, Reply("no", finish="content_filter")], HANDOFF) as (engine, _):
        result = await engine.agents.execute("Desk", {})
        assert (result.status, result.error_code) == ("failed", "content_filtered")
        assert "agent 'helper' failed" in result.error


async def test_a_handoff_has_to_be_the_only_call():
    both = Reply(tool_calls=[ASK, ToolUse("other", {"task": "x"})])
    async with desk([both, ToolUse("helper", {}), ASK, "found"], HANDOFF, "other") as (engine, provider):
        result = await engine.agents.execute("Desk", {})
        assert result.text == "found"
        assert [message.content for message in provider.requests[1].messages if message.role == "tool"] == [
            '{"error":"\'helper\' takes over; none was run. Call it alone."}'
        ] * 2
        assert "task" in provider.requests[2].messages[-1].content
        assert len((await engine.executions.get(result.execution_id)).children) == 1


async def test_a_handoff_brings_the_other_agents_output_under_the_agents_schema():
    contents = {"helper": {"user_prompt": "H {{ task }}", "output_schema": SCHEMA}}
    replies = [ASK, {"category": "order"}, ASK, {"category": "order"}]
    async with desk(replies, HANDOFF, contents=contents) as (engine, _):
        desk_agent = await engine.agents.get("Desk")
        assert desk_agent.current_version is not None
        assert (await engine.agents.execute("Desk", {})).output == {"category": "order"}
        config = desk_agent.current_version.config
        wanted = {"type": "object", "required": ["total"]}
        await engine.agents.create_version(
            "Desk", config=config, sub_agents=[HANDOFF], output_schema=wanted, set_current=True
        )
        assert (await engine.agents.execute("Desk", {})).error_code == "output_invalid"


# ------------------------------------------------------------------ definitions


@pytest.mark.parametrize(
    ("subs", "error", "said"),
    [
        (["nobody"], NotFoundError, "nobody"),
        ([{"agent_id": "helper", "alias": "no spaces"}], DefinitionError, "alias"),
        ([{"agent_id": "helper", "mode": "ask"}], DefinitionError, "mode"),
        ([{"agent_id": "helper", "colour": "red"}], DefinitionError, "colour"),
        (
            [{"agent_id": "helper", "alias": "x"}, {"agent_id": "other", "alias": "x"}],
            DefinitionError,
            "two tools of the agent are named 'x'",
        ),
        ([{"agent_id": "helper", "alias": "calculator"}], DefinitionError, "two tools of the agent are named"),
    ],
)
async def test_sub_agents_that_cannot_work_are_refused_when_the_version_is_made(subs: Any, error: Any, said: str):
    async with desk([]) as (engine, _):
        with pytest.raises(error, match=said):
            await agent(engine, "new", "N", sub_agents=subs, tools=["calculator"])


async def test_other_types_have_no_sub_agents():
    async with desk([]) as (engine, _):
        config = {"type": "composite", "steps": [{"id": "s", "agent_id": "helper"}]}
        with pytest.raises(DefinitionError, match="sub_agents are for agents of type simple and chain"):
            await engine.agents.create("new", config=config, sub_agents=["other"])


async def test_sub_agents_that_are_not_there_are_found_before_anything_runs():
    async with desk([]) as (engine, _):
        await engine.agents.archive("helper")
        with pytest.raises(ArchivedError, match="helper"):
            await engine.agents.execute("Desk", {})


async def test_names_that_clash_are_found_before_anything_runs():
    async with scripted([]) as (engine, _):
        for name in ("The Helper", "the-helper!", "日本"):
            await agent(engine, name, "x")
        await agent(engine, "One", "1", sub_agents=["The Helper", {"agent_id": "the-helper!", "alias": "the_helper"}])
        with pytest.raises(DefinitionError, match="two sub-agents of agent 'One' are named 'the_helper'"):
            await engine.agents.execute("One", {})
        await agent(engine, "Two", "2", sub_agents=["日本"])
        with pytest.raises(DefinitionError, match="alias"):
            await engine.agents.execute("Two", {})


async def test_supervisors_in_a_circle_are_refused():
    async with desk([]) as (engine, _):
        prompt = await engine.prompts.get("helper")
        with pytest.raises(DefinitionError, match="circle: helper -> Desk -> helper"):
            await engine.agents.create_version("helper", config=SimpleAgentConfig(prompt.id), sub_agents=["Desk"])


async def test_versions_differ_by_their_sub_agents():
    async with desk([]) as (engine, _):
        version = await engine.agents.get_version("Desk")
        other = (await engine.agents.get("other")).id
        assert version.sub_agents == [{"agent_id": (await engine.agents.get("helper")).id}]
        await engine.agents.create_version(
            "Desk", "v2", version.config, sub_agents=[*version.sub_agents, SubAgentAttachment("other", mode="handoff")]
        )
        diff = await engine.agents.diff("Desk", "v1", "v2")
        assert [(change.part, change.kind) for change in diff.changes] == [("links", "added")]
        assert other in diff.changes[0].path
