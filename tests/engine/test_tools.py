"""The tool loop: results, failures, limits, and what the model is told of them."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from promptrails_engine import Limits, ToolContext, ToolError, tool
from promptrails_engine.events import ContentEvent, ToolEndEvent, ToolStartEvent
from promptrails_engine.ports.provider import ModelCapabilities
from promptrails_engine.testing import Reply, ToolUse
from tests.engine.kit import one_prompt, scripted


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def where_am_i() -> str:
    """Name the thread."""
    return threading.current_thread().name


@tool
async def fails(how: str) -> str:
    """Fail."""
    if how == "told":
        raise ToolError("no such order")
    raise KeyError(how)


async def _seen(replies: list[Any], *tools: Any, limits: Limits | None = None) -> tuple[Any, list[Any], Any]:
    """The result, the messages of the last request, and the result's spans of kind tool."""
    async with scripted(replies, tools=tools, limits=limits) as (engine, provider):
        agent = await one_prompt(engine, "go", agent_tools=[t.name for t in tools])
        result = await engine.agents.execute(agent, {})
        spans = await engine.traces.list(kind="tool", execution_id=result.execution_id)
        return result, list(provider.requests[-1].messages), list(spans)


async def test_a_tool_call_is_run_and_its_result_given_back():
    result, messages, spans = await _seen([ToolUse("add", {"a": 1, "b": 2}, id="c1"), "It is 3."], add)
    assert result.text == "It is 3."
    assert [m.role for m in messages] == ["user", "assistant", "tool"]
    assert (messages[2].content, messages[2].tool_call_id, messages[2].name) == ("3", "c1", "add")
    assert messages[1].tool_calls[0].arguments == '{"a":1,"b":2}'
    (span,) = spans
    assert span.attributes["tool_name"] == "add"
    assert span.attributes["parameters"] == {"a": 1, "b": 2}
    assert span.output == "3"


async def test_the_reasoning_before_a_call_goes_back_with_it():
    asked = Reply(thinking="Sum first.", tool_calls=(ToolUse("add", {"a": 1, "b": 2}),))
    _, messages, _ = await _seen([asked, "3."], add)
    assert [m.thinking for m in messages] == ["", "Sum first.", ""]


async def test_the_model_is_shown_the_tools():
    async with scripted(["x"], tools=[add]) as (engine, provider):
        agent = await one_prompt(engine, "go", agent_tools=["add"])
        await engine.agents.execute(agent, {})
        (spec,) = provider.requests[0].tools
        assert (spec.name, spec.description) == ("add", "Add two numbers.")
        assert spec.parameters["required"] == ["a", "b"]
        assert (await engine.agents.preview(agent, {}))[0].tools[0]["name"] == "add"


@pytest.mark.parametrize(
    ("call", "said", "code"),
    [
        (ToolUse("ad", {"a": 1, "b": 2}), "add", "tool_unknown"),
        (ToolUse("ADD", {"a": 1, "b": 2}), "add", "tool_unknown"),
        (ToolUse("add", '{"a": 1, "b"'), "JSON", "tool_args_invalid"),
        (ToolUse("add", "[1, 2]"), "object", "tool_args_invalid"),
        (ToolUse("add", {"a": "one", "b": 2}), "/a", "tool_args_invalid"),
        (ToolUse("add", {"a": 1, "b": 2, "c": 3}), "c", "tool_args_invalid"),
        (ToolUse("fails", {"how": "told"}), "no such order", "tool_failed"),
        (ToolUse("fails", {"how": "crash"}), "KeyError", "tool_failed"),
    ],
)
async def test_whatever_goes_wrong_with_a_call_is_told_to_the_model(call: ToolUse, said: str, code: str):
    result, messages, spans = await _seen([call, "Sorry."], add, fails)
    assert (result.status, result.text) == ("completed", "Sorry.")
    assert said in json.loads(messages[-1].content)["error"]
    assert [(s.status, s.error_type) for s in spans] == [("error", code)]


async def test_parallel_calls_run_side_by_side_and_answer_in_order():
    gate = asyncio.Event()
    running = 0

    @tool
    async def meet(n: int) -> int:
        """Wait for the other."""
        nonlocal running
        running += 1
        if running == 2:
            gate.set()
        await gate.wait()
        return n

    calls = Reply(tool_calls=[ToolUse("meet", {"n": 1}, id="x"), ToolUse("meet", {"n": 2}, id="y")])
    result, messages, _ = await _seen([calls, "done"], meet)
    assert result.status == "completed"
    assert [(m.tool_call_id, m.content) for m in messages[-2:]] == [("x", "1"), ("y", "2")]


async def test_one_failing_call_does_not_stop_its_neighbours():
    calls = Reply(tool_calls=[ToolUse("fails", {"how": "x"}, id="x"), ToolUse("add", {"a": 1, "b": 1}, id="y")])
    _, messages, _ = await _seen([calls, "done"], fails, add)
    assert "error" in messages[-2].content
    assert messages[-1].content == "2"


async def test_two_calls_of_one_id_are_refused_as_a_whole():
    ran: list[int] = []

    @tool
    async def note(n: int) -> int:
        """Note."""
        ran.append(n)
        return n

    calls = Reply(tool_calls=[ToolUse("note", {"n": 1}, id="same"), ToolUse("note", {"n": 2}, id="same")])
    result, messages, _ = await _seen([calls, "done"], note)
    assert result.status == "completed"
    assert ran == []
    assert all("share an id" in m.content for m in messages[-2:])


async def test_an_id_reused_in_a_later_turn_is_normal():
    replies = [ToolUse("add", {"a": 1, "b": 1}, id="c"), ToolUse("add", {"a": 2, "b": 2}, id="c"), "done"]
    result, messages, _ = await _seen(replies, add)
    assert result.text == "done"
    assert [m.content for m in messages if m.role == "tool"] == ["2", "4"]


async def test_sync_functions_run_off_the_loop():
    _, messages, _ = await _seen([ToolUse("where_am_i"), "done"], where_am_i)
    assert messages[-1].content != threading.main_thread().name


async def test_a_tool_learns_of_its_run_and_keeps_state_for_the_session():
    seen: list[ToolContext] = []

    @tool
    async def remember(ctx: ToolContext, n: int) -> int:
        """Remember."""
        seen.append(ctx)
        before = await ctx.state.get("n") or 0
        await ctx.state.set("n", before + n)
        return before + n

    async with scripted(lambda r: _once(r, ToolUse("remember", {"n": 2})), tools=[remember]) as (engine, _):
        agent = await one_prompt(engine, "go", agent_tools=["remember", "state"])
        first = await engine.agents.execute(agent, {}, session_id="s", user_id="u")
        second = await engine.agents.execute(agent, {}, session_id="s")
        alone = await engine.agents.execute(agent, {})
        assert [first.text, second.text, alone.text] == ["got 2", "got 4", "got 2"]
        assert (seen[0].execution_id, seen[0].session_id, seen[0].user_id) == (first.execution_id, "s", "u")


def _once(request: Any, call: ToolUse) -> Any:
    last = request.messages[-1]
    return f"got {last.content}" if last.role == "tool" else call


async def test_the_built_in_tools_are_there_by_name():
    replies = [ToolUse("calculator", {"expression": "2**10 + 1"}), "ok"]
    async with scripted(replies) as (engine, provider):
        agent = await one_prompt(engine, "go", tools=["calculator", "current_time", "current_date"])
        await engine.agents.execute(agent, {})
        assert "1025" in provider.requests[-1].messages[-1].content
        assert [t.name for t in provider.requests[0].tools] == ["calculator", "current_time", "current_date"]


async def test_tools_are_withheld_in_the_last_round():
    calls = [ToolUse("add", {"a": n, "b": 0}) for n in range(2)]
    async with scripted([*calls, "final"], tools=[add], limits=Limits(max_rounds=3)) as (engine, provider):
        agent = await one_prompt(engine, "go", agent_tools=["add"])
        assert (await engine.agents.execute(agent, {})).text == "final"
        assert [len(r.tools) for r in provider.requests] == [1, 1, 0]


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_rounds=4, max_repeated_calls=100), "tool_loop"),
        (Limits(max_repeated_calls=2), "tool_loop"),
        (Limits(max_tool_calls=2, max_repeated_calls=100), "budget_exceeded"),
        (Limits(max_tool_calls=0), "budget_exceeded"),
    ],
)
async def test_a_model_that_never_stops_calling_is_stopped(limits: Limits, code: str):
    async with scripted(lambda _: ToolUse("add", {"a": 1, "b": 1}), tools=[add], limits=limits) as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine, "go", agent_tools=["add"]), {})
        assert (result.status, result.error_code) == ("failed", code)


async def test_a_cut_answer_runs_no_call_and_is_asked_for_once_more():
    ran: list[int] = []

    @tool
    async def note(n: int) -> int:
        """Note."""
        ran.append(n)
        return n

    cut = Reply(tool_calls=[ToolUse("note", {"n": 1})], finish="length")
    result, _, _ = await _seen([cut, ToolUse("note", {"n": 2}), "done"], note)
    assert (result.text, ran) == ("done", [2])
    result, _, _ = await _seen([cut, cut], note)
    assert (result.error_code, ran) == ("output_truncated", [2])


async def test_the_stream_says_when_tools_start_and_end():
    async with scripted(
        [Reply("Let me see. ", tool_calls=[ToolUse("add", {"a": 1, "b": 2}, id="c")]), "3"], tools=[add]
    ) as (
        engine,
        _,
    ):
        agent = await one_prompt(engine, "go", agent_tools=["add"])
        events = [e async for e in engine.agents.stream(agent, {})]
        assert ToolStartEvent("c", "add", seq=5) in events
        assert ToolEndEvent("c", "add", "3", seq=6) in events
        assert "".join(e.content for e in events if isinstance(e, ContentEvent)) == "Let me see. 3"
        assert [e.seq for e in events] == list(range(1, len(events) + 1))


async def test_an_unknown_tool_is_refused_before_anything_runs():
    async with scripted([]) as (engine, _):
        agent = await one_prompt(engine, "go", agent_tools=["nope"])
        with pytest.raises(Exception, match="nope") as refused:
            await engine.agents.execute(agent, {})
        assert refused.value.__class__.__name__ == "DefinitionError"
        assert (await engine.executions.list()).meta.total == 0


class TestEmulation:
    """Models without tool calls of their own."""

    capabilities = ModelCapabilities(tools="emulated")

    async def test_tools_are_offered_in_the_messages_and_calls_read_from_json(self):
        replies = ['{"tool": "add", "arguments": {"a": 1, "b": 2}}', '{"answer": "It is 3."}']
        async with scripted(replies, tools=[add], capabilities=self.capabilities) as (engine, provider):
            agent = await one_prompt(engine, "go", system_prompt="S.", agent_tools=["add"])
            preview = (await engine.agents.preview(agent, {}))[0]
            events = [e async for e in engine.agents.stream(agent, {})]
            assert "".join(e.content for e in events if isinstance(e, ContentEvent)) == "It is 3."
            first, second = provider.requests
            assert preview.messages == [m.to_dict() for m in first.messages]
            assert not first.tools
            assert first.output_schema == preview.output_schema
            assert "Add two numbers." in first.messages[0].content
            assert {m.role for m in second.messages} == {"system", "user", "assistant"}
            assert second.messages[-1].content == "Result of add: 3"

    async def test_in_the_last_round_nothing_but_an_answer_is_left(self):
        replies = ['{"tool": "add", "arguments": {"a": 1, "b": 2}}', '{"answer": "It is 3."}']
        limits = Limits(max_rounds=2)
        async with scripted(replies, tools=[add], capabilities=self.capabilities, limits=limits) as (engine, provider):
            agent = await one_prompt(engine, "go", agent_tools=["add"])
            assert (await engine.agents.execute(agent, {})).text == "It is 3."
            assert provider.requests[1].output_schema["required"] == ["answer"]
            assert provider.requests[1].messages[0].role == "user"

    async def test_the_answers_text_is_streamed_as_it_grows(self):
        reply = Reply(chunks=['{"answer":', ' "One', " two\\n", 'three"', "}"])
        async with scripted([reply], tools=[add], capabilities=self.capabilities) as (engine, _):
            agent = await one_prompt(engine, "go", agent_tools=["add"])
            events = [e async for e in engine.agents.stream(agent, {})]
            pieces = [e.content for e in events if isinstance(e, ContentEvent)]
            assert "".join(pieces) == "One two\nthree"
            assert len(pieces) >= 3

    async def test_a_schema_holds_for_the_answer_inside(self):
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        async with scripted(['{"answer": {"n": 4}}'], tools=[add], capabilities=self.capabilities) as (engine, _):
            agent = await one_prompt(engine, "go", agent_tools=["add"], output_schema=schema)
            assert (await engine.agents.execute(agent, {})).output == {"n": 4}

    async def test_a_model_that_answers_in_plain_text_is_taken_at_its_word(self):
        async with scripted(["Just text."], tools=[add], capabilities=self.capabilities) as (engine, _):
            agent = await one_prompt(engine, "go", agent_tools=["add"])
            assert (await engine.agents.execute(agent, {})).text == "Just text."
