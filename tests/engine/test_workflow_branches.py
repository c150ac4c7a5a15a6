"""Agents of type workflow: branches, lists, failures and ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    Limits,
    TemplateError,
    WorkflowNode,
)
from promptrails_engine.testing import Reply
from tests.engine.flows import echo, node, prompts, spans_of, workflow
from tests.engine.kit import SCHEMA, scripted

# ------------------------------------------------------------------ conditions


ROUTE = {
    "route": {"user_prompt": "{{ text }}", "output_schema": SCHEMA},
    "order": "order {{ route.number }}",
    "other": "other",
    "reply": "{{ order or 'no order' }}/{{ other or 'nothing else' }}/{{ steps.order.text }}",
}


def route(request: Any) -> Any:
    content = request.messages[-1].content
    return {"category": "order", "number": 5} if content == "five" else echo(request)


async def routed(engine: AsyncEngine, *more: WorkflowNode, join: Any = None, failure_policy: Any = "fail_fast") -> str:
    return await workflow(
        engine,
        node("route"),
        node("order", "route", condition="route.category == 'order'"),
        node("other", "route", condition="{{ route.category != 'order' }}"),
        *(more or (node("reply", "order", "other", join=join),)),
        failure_policy=failure_policy,
    )


async def test_a_false_condition_skips_a_branch_and_says_so():
    async with prompts(ROUTE, route) as (engine, provider):
        result = await engine.agents.execute(await routed(engine), {"text": "five"})
        assert result.text == "<<order 5>/nothing else/<order 5>>"
        assert len(provider.requests) == 3
        skipped = (await spans_of(engine, result))["nodes[other]"]
        assert "its condition is false: {{ route.category != 'order' }}" in skipped.attributes["skipped"]
        assert skipped.status == "ok"


async def test_what_depends_on_skipped_nodes_alone_is_skipped_as_well():
    async with prompts({**ROUTE, "after": "after"}, route) as (engine, _):
        agent = await routed(engine, node("after", "other"))
        result = await engine.agents.execute(agent, {"text": "five"})
        assert result.output == {"order": {"content": "<order 5>", "type": "text"}, "after": None}
        assert (
            "all that it depends on was skipped: other"
            in (await spans_of(engine, result))["nodes[after]"].attributes["skipped"]
        )


@pytest.mark.parametrize(
    ("join", "output"),
    [
        (None, {"content": "<<order 5>/nothing else/<order 5>>", "type": "text"}),
        ("any", {"content": "<<order 5>/nothing else/<order 5>>", "type": "text"}),
        ("always", {"content": "<<order 5>/nothing else/<order 5>>", "type": "text"}),
        ("all", {"value": None}),
    ],
)
async def test_joins_say_whether_skipped_parents_matter(join: Any, output: Any):
    async with prompts(ROUTE, route) as (engine, _):
        result = await engine.agents.execute(await routed(engine, join=join), {"text": "five"})
        assert result.output == output


async def test_a_run_of_which_every_node_is_skipped_is_on_record():
    async with prompts({"a": "a", "b": "b"}, []) as (engine, _):
        agent = await workflow(engine, node("a", condition="go"), node("b", "a"))
        result = await engine.agents.execute(agent, {})
        assert (result.status, result.output) == ("completed", {"value": None})
        assert (await engine.executions.get(result.execution_id)).status == "completed"


async def test_always_runs_after_all_were_skipped():
    async with prompts({"a": "a", "b": "b{{ a }}{{ steps.a.output is none }}"}) as (engine, _):
        agent = await workflow(engine, node("a", condition="go"), node("b", "a", join="always"))
        assert (await engine.agents.execute(agent, {})).text == "<bNoneTrue>"


# ------------------------------------------------------------------ map


async def test_a_node_runs_once_for_each_item_in_order():
    templates = {
        "split": {"user_prompt": "{{ text }}", "output_schema": {"type": "array"}},
        "each": "{{ index }}:{{ item }}",
        "join": "{{ each | join(',') }} {{ steps.each.output | length }} {{ previous_output }}",
    }

    async def replies(request: Any) -> Any:
        content = request.messages[-1].content
        if content == "go":
            return ["x", "y", "z"]
        for _ in range(9 - 3 * int(content[0]) if content[0].isdigit() else 0):
            await asyncio.sleep(0)
        return content.upper()

    async with prompts(templates, replies) as (engine, _):
        agent = await workflow(engine, node("split"), node("each", "split", map_over="split"), node("join", "each"))
        result = await engine.agents.execute(agent, {"text": "go"})
        assert result.text == '0:X,1:Y,2:Z 3 ["0:X","1:Y","2:Z"]'.upper()
        spans = await spans_of(engine, result)
        assert spans["nodes[each]"].output == ["0:X", "1:Y", "2:Z"]
        for index in range(3):
            item = spans[f"nodes[each][{index}]"]
            assert item.parent_span_id == spans["nodes[each]"].span_id
            assert spans[f"nodes[each][{index}]/llm[0]"].parent_span_id == item.span_id


async def test_only_so_many_items_run_at_once():
    running = most = 0

    async def replies(request: Any) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1
        return "ok"

    async with prompts({"each": "{{ item }}"}, replies) as (engine, _):
        agent = await workflow(engine, node("each", map_over="range(20)", map_concurrency=3))
        result = await engine.agents.execute(agent, {})
        assert result.output == {"value": ["ok"] * 20}
        assert most == 3


@pytest.mark.parametrize(("items", "said"), [("text", "gives text|string"), ("missing", "null"), ("{'a': 1}", "dict")])
async def test_a_map_over_something_else_than_a_list_says_so(items: str, said: str):
    async with prompts({"each": "{{ item }}"}, []) as (engine, _):
        agent = await workflow(engine, node("each", map_over=items))
        with pytest.raises(TemplateError, match=said):
            await engine.agents.execute(agent, {"text": "abc"})


async def test_an_empty_list_gives_an_empty_list():
    async with prompts({"each": "{{ item }}"}, []) as (engine, _):
        result = await engine.agents.execute(await workflow(engine, node("each", map_over="[]")), {})
        assert (result.status, result.output) == ("completed", {"value": []})


async def test_the_first_failing_item_fails_the_node():
    def replies(request: Any) -> Any:
        return RuntimeError("no") if request.messages[-1].content == "2" else "ok"

    async with prompts({"each": "{{ item }}"}, replies) as (engine, provider):
        agent = await workflow(engine, node("each", map_over="range(50)", map_concurrency=1))
        assert (await engine.agents.execute(agent, {})).status == "failed"
        assert len(provider.requests) == 3


# ------------------------------------------------------------------ failures


def failing(word: str) -> Any:
    def replies(request: Any) -> Any:
        content = request.messages[-1].content
        return Reply(refusal="I will not") if content.startswith(word) else echo(request)

    return replies


FOUR = {"a": "a", "b": "b{{ a }}", "c": "c{{ b }}", "d": "d{{ a }}", "e": "e{{ c or 'nothing' }}"}


async def test_the_first_failure_ends_the_run_by_default():
    async with prompts(FOUR, failing("b")) as (engine, _):
        agent = await workflow(engine, node("a"), node("b", "a"), node("c", "b"), node("d", "a"))
        result = await engine.agents.execute(agent, {})
        assert (result.status, result.error_code, result.output) == ("failed", "refused", None)


async def test_settling_keeps_what_succeeded_and_says_what_did_not():
    async with prompts(FOUR, failing("b")) as (engine, _):
        nodes = node("a"), node("b", "a"), node("c", "b"), node("d", "a"), node("e", "c", join="always")
        result = await engine.agents.execute(await workflow(engine, *nodes, failure_policy="settle"), {})
        assert result.status == "completed"
        errors = result.output.pop("errors") if result.output else {}
        assert result.output == {
            "d": {"content": "<d<a>>", "type": "text"},
            "e": {"content": "<enothing>", "type": "text"},
        }
        assert errors["b"]["code"] == "refused"
        assert "I will not" in errors["b"]["message"]
        assert errors["c"] == {"code": "blocked", "message": "it depends on 'b', which failed"}
        spans = await spans_of(engine, result)
        assert spans["nodes[b]"].status == "error"
        assert spans["nodes[c]"].attributes["skipped"] == "it depends on 'b', which failed"


async def test_settling_fails_where_nothing_came_out():
    async with prompts(FOUR, failing("a")) as (engine, _):
        result = await engine.agents.execute(
            await workflow(engine, node("a"), node("b", "a"), failure_policy="settle"), {}
        )
        assert (result.status, result.error_code) == ("failed", "refused")


async def test_a_cancelled_run_stops_all_its_nodes():
    begun, stopped = asyncio.Event(), list[str]()

    async def replies(request: Any) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(request.messages[-1].content)
        return ""

    async with prompts({"a": "a", "b": "b", "c": "c"}, replies) as (engine, _):
        agent = await workflow(engine, node("a"), node("b"), node("c", "a", "b"), failure_policy="settle")
        stream = engine.agents.stream(agent, {})
        first = await anext(aiter(stream))
        await begun.wait()
        await asyncio.sleep(0)
        await engine.executions.cancel(first.execution_id)
        assert [event.type async for event in stream] == ["error"]
        assert sorted(stopped) == ["a", "b"]
        assert (await engine.executions.get(first.execution_id)).status == "cancelled"


async def test_the_time_limit_of_the_run_stops_all_its_nodes():
    async def replies(request: Any) -> str:
        await asyncio.Event().wait()
        return ""

    async with prompts({"a": "a", "b": "b"}, replies, limits=Limits(timeout_s=0.05)) as (engine, _):
        result = await engine.agents.execute(await workflow(engine, node("a"), node("b"), failure_policy="settle"), {})
        assert (result.status, result.error_code) == ("failed", "run_timeout")


async def test_input_that_cannot_be_run_leaves_nothing_behind():
    async with prompts({"a": {"user_prompt": "{{ x }}", "config": {"strict": True}}}, []) as (engine, _):
        agent = await workflow(engine, node("a"))
        with pytest.raises(TemplateError, match="'x' is undefined"):
            await engine.agents.execute(agent, {})
        assert (await engine.executions.list()).meta.total == 0


async def test_a_workflow_on_disk_is_drawn_by_another_engine(tmp_path: Path):
    store = str(tmp_path / "app.db")
    async with prompts({"a": "a", "b": "b", "c": "{{ a }}{{ b }}"}, store=store) as (engine, _):
        agent = await workflow(engine, node("a"), node("b"), node("c", "a", "b"), node("d", "c", prompt_id="a"))
        events = [event async for event in engine.agents.stream(agent, {})]
        assert [event.type for event in events] == ["execution", "content", "done"]
        execution_id = events[0].execution_id
    async with scripted([], store=store) as (engine, _):
        execution = await engine.executions.get(execution_id)
        assert execution.text == "<a>"
        text = (await engine.agents.draw("Flow", execution_id=execution_id)).text
        assert "class n0,n1,n2,n3 done" in text
        assert (
            len(await engine.traces.get_by_trace_id((await engine.executions.get(execution_id)).trace_id or "")) == 13
        )
