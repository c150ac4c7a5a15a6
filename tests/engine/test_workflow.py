"""Agents of type workflow: which data pass from node to node, and what comes out."""

from __future__ import annotations

from typing import Any

import pytest

from promptrails_engine import (
    BudgetExceededError,
    Limits,
)
from tests.engine.flows import echo, node, prompts, spans_of, workflow
from tests.engine.kit import SCHEMA, scripted

NUMBERS = {"type": "array", "items": {"type": "integer"}}


# ------------------------------------------------------------------ data


async def test_results_pass_on_by_every_name():
    templates = {
        "draft": "{{ topic }}",
        "title": "T {{ previous_output }}",
        "facts": {"user_prompt": "F {{ draft }}", "output_schema": SCHEMA},
        "final": "{{ topic }}|{{ title }}|{{ steps.title.text }}|{{ steps.facts.output.category }}|{{ facts.number }}"
        "|{{ steps.draft.output.content }}|{{ previous_output }}",
    }

    def replies(request: Any) -> Any:
        return {"category": "order", "number": 7} if request.messages[-1].content.startswith("F ") else echo(request)

    async with prompts(templates, replies) as (engine, provider):
        nodes = node("final", "title", "facts"), node("draft"), node("title", "draft"), node("facts", "draft")
        result = await engine.agents.execute(await workflow(engine, *nodes), {"topic": "cats"})
        assert result.status == "completed", result.error
        assert result.text == "<cats|<T <cats>>|<T <cats>>|order|7|<cats>|>"
        assert result.output == {"content": result.text, "type": "text"}
        assert [request.messages[-1].content for request in provider.requests[:1]] == ["cats"]
        spans = await spans_of(engine, result)
        assert {"nodes[draft]", "nodes[draft]/prompt", "nodes[draft]/llm[0]", "nodes[final]"} <= set(spans)
        root = next(span for span in await engine.traces.get_by_trace_id(result.trace_id) if not span.parent_span_id)
        assert root.kind == "workflow"
        assert {span.kind for key, span in spans.items() if key.endswith("]") and "/" not in key} == {"agent_step"}
        assert spans["nodes[title]"].output == {"content": "<T <cats>>", "type": "text"}


async def test_several_last_nodes_are_keyed_by_their_ids():
    async with prompts({"a": "{{ x }}", "b": "B{{ a }}", "c": "C{{ a }}"}) as (engine, _):
        agent = await workflow(engine, node("a"), node("b", "a"), node("c", "a"))
        result = await engine.agents.execute(agent, {"x": 1})
        assert result.output == {
            "b": {"content": "<B<1>>", "type": "text"},
            "c": {"content": "<C<1>>", "type": "text"},
        }
        events = [event async for event in engine.agents.stream(agent, {"x": 1})]
        assert [event.type for event in events] == ["execution", "content", "done"]


async def test_the_answer_of_the_last_node_streams_and_no_other():
    async with prompts({"a": "one two", "b": "three four"}, ["first answer", "second answer"]) as (engine, _):
        agent = await workflow(engine, node("a"), node("b", "a"))
        events = [event async for event in engine.agents.stream(agent, {})]
        assert [event.type for event in events] == ["execution", "content", "content", "done"]
        assert "".join(event.content for event in events if event.type == "content") == "second answer"


async def test_a_node_sees_only_what_it_depends_on():
    async with prompts({"a": "a", "b": "b", "c": "{{ steps | length }}{{ b is defined }}"}) as (engine, _):
        agent = await workflow(engine, node("a"), node("b"), node("c", "a"))
        result = await engine.agents.execute(agent, {})
        assert result.output is not None
        assert result.output["c"]["content"] == "<1False>"


async def test_input_mappings_give_prompts_what_they_call_by_other_names():
    schema = {"type": "object", "properties": {"rows": NUMBERS, "unit": {"default": "kg"}}, "required": ["rows"]}
    templates = {
        "list": {"user_prompt": "{{ topic }}", "output_schema": NUMBERS},
        "sum": {"user_prompt": "{{ rows | sum }} {{ unit }} {{ topic }} {{ line }}", "input_schema": schema},
    }
    mapping = {"rows": "{{ list }}", "topic": "{{ input.topic | upper }}", "line": "n={{ list | length }}"}
    async with prompts(templates, [[1, 2, 3], "done"]) as (engine, provider):
        agent = await workflow(engine, node("list"), node("sum", "list", input_mapping=mapping))
        result = await engine.agents.execute(agent, {"topic": "cats"})
        assert result.text == "done"
        assert provider.requests[1].messages[-1].content == "6 kg CATS n=3"


# ------------------------------------------------------------------ tools


def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


async def test_tools_are_called_with_mapped_arguments():
    async with prompts({"say": "{{ sum }} {{ steps.sum.output + 1 }} {{ steps.sum.text }}"}, tools=[add]) as (
        engine,
        _,
    ):
        mapping = {"a": "{{ input.n }}", "b": 2}
        agent = await workflow(engine, node("sum", tool="add", input_mapping=mapping), node("say", "sum"))
        result = await engine.agents.execute(agent, {"n": 40})
        assert result.text == "<42 43 42>"
        spans = await spans_of(engine, result)
        assert spans["nodes[sum]/tool"].kind == "tool"
        assert spans["nodes[sum]/tool"].attributes["parameters"] == {"a": 40, "b": 2}
        lock = (await engine.executions.get(result.execution_id)).version_lock
        assert set(lock["tools"]) == {"add"}
        assert len(lock["prompts"]) == 1
        events = [event.type async for event in engine.executions.stream(result.execution_id)]
        assert events[:3] == ["execution", "tool_start", "tool_end"]


@pytest.mark.parametrize(
    ("found", "output"),
    [
        (42, {"value": 42}),
        ([1, 2], {"value": [1, 2]}),
        ({"a": 1}, {"a": 1}),
        ("hello", {"content": "hello", "type": "text"}),
        (None, {"value": None}),
    ],
)
async def test_a_workflow_of_tools_alone_runs(found: Any, output: Any):
    def give() -> Any:
        """Gives."""
        return found

    async with scripted([], tools=[give]) as (engine, _):
        result = await engine.agents.execute(await workflow(engine, node("only", tool="give")), {})
        assert result.output == output
        assert (await engine.executions.get(result.execution_id)).status == "completed"


async def test_a_tool_cannot_change_what_others_see():
    def spoil(rows: list[int]) -> int:
        """Spoils."""
        rows.clear()
        return 0

    async with prompts({"say": "{{ input_rows }}{{ rows }}{{ made }}"}, tools=[spoil, lambda_rows]) as (engine, _):
        agent = await workflow(
            engine,
            node("made", tool="lambda_rows"),
            node("spoil", "made", tool="spoil", input_mapping={"rows": "{{ made }}"}),
            node("spoil2", "made", tool="spoil", input_mapping={"rows": "{{ input.rows }}"}),
            node("say", "spoil", "spoil2", "made"),
        )
        result = await engine.agents.execute(agent, {"rows": [1]})
        assert result.text == "<[1][1, 2]>"


def lambda_rows() -> list[int]:
    """Rows."""
    return [1, 2]


async def test_a_tool_that_fails_ends_the_run_and_says_why():
    def broken(a: int) -> int:
        """Breaks."""
        raise RuntimeError("no luck")

    async with scripted([], tools=[broken]) as (engine, _):
        agent = await workflow(engine, node("x", tool="broken", input_mapping={"a": "{{ input.a }}"}))
        failed = await engine.agents.execute(agent, {"a": 1})
        assert (failed.status, failed.error_code) == ("failed", "tool_failed")
        assert "no luck" in failed.error
        wrong = await engine.agents.execute(agent, {"a": "many"})
        assert wrong.error_code == "tool_args_invalid"
        assert (await spans_of(engine, wrong))["nodes[x]"].status == "error"


async def test_tools_count_against_the_limit_of_the_run():
    async with scripted([], tools=[add]) as (engine, _):
        mapping = {"a": "{{ item }}", "b": 1}
        agent = await workflow(engine, node("x", tool="add", input_mapping=mapping, map_over="[1, 2, 3]"))
        assert (await engine.agents.execute(agent, {}, limits=Limits(max_tool_calls=3))).output == {"value": [2, 3, 4]}
        refused = await engine.agents.execute(agent, {}, limits=Limits(max_tool_calls=2))
        assert refused.error_code == BudgetExceededError.code


async def test_only_what_is_read_is_handed_over_and_noted():
    schema = {"type": "object", "properties": {"a": {}, "b": {}}}
    templates = {
        "a": "a",
        "b": "b{{ previous_output }}",
        "c": "c{{ steps.a.text }}",
        "d": {"user_prompt": "d", "input_schema": schema},
        "e": "{% set all = steps %}{{ all | list | join(' ') }}",
    }
    async with prompts(templates) as (engine, _):
        nodes = node("a"), node("b", "a"), node("c", "b"), node("d", "c"), node("e", "d")
        result = await engine.agents.execute(await workflow(engine, *nodes), {})
        assert result.text == "<a b c d>"
        spans = await spans_of(engine, result)
        seen = {name: spans[f"nodes[{name}]/prompt"].input for name in "abcde"}
        assert set(seen["a"]) == set()
        assert set(seen["b"]) == {"steps", "previous_output"}
        assert set(seen["c"]) == {"a", "steps", "previous_output"}
        assert set(seen["c"]["steps"]) == {"a"}
        assert set(seen["d"]) == {"a", "b", "steps", "previous_output"}
        assert set(seen["e"]["steps"]) == {"a", "b", "c", "d"}
