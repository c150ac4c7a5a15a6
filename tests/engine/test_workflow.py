"""Agents of type workflow: what runs, with which data, and what comes out."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    BudgetExceededError,
    ConfigurationError,
    DefinitionError,
    Limits,
    TemplateError,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.testing import Reply
from tests.engine.kit import SCHEMA, scripted

NUMBERS = {"type": "array", "items": {"type": "integer"}}


def echo(request: Any) -> str:
    return f"<{request.messages[-1].content}>"


@asynccontextmanager
async def prompts(templates: dict[str, Any], replies: Any = echo, **more: Any):
    """An engine with a prompt for each entry: a template, or the content of a version."""
    async with scripted(replies, **more) as (engine, provider):
        for name, content in templates.items():
            fields = {"user_prompt": content} if isinstance(content, str) else content
            await engine.prompts.create(name, **fields)
        yield engine, provider


def node(id: str, *depends_on: str, **more: Any) -> WorkflowNode:
    if "tool" in more:
        return WorkflowNode(id, list(depends_on), node_type="tool", **more)
    return WorkflowNode(id, list(depends_on), **{"prompt_id": id, **more})


async def workflow(engine: AsyncEngine, *nodes: WorkflowNode, on_failure: Any = None, **more: Any) -> str:
    config = WorkflowAgentConfig(list(nodes), on_failure=on_failure)
    return (await engine.agents.create("Flow", config=config, **more)).id


async def spans_of(engine: AsyncEngine, result: Any) -> dict[str, Any]:
    """The spans with a key, by key."""
    spans = await engine.traces.get_by_trace_id(result.trace_id)
    return {span.attributes["key"]: span for span in spans if "key" in span.attributes}


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


async def routed(engine: AsyncEngine, *more: WorkflowNode, join: Any = None, on_failure: Any = None) -> str:
    return await workflow(
        engine,
        node("route"),
        node("order", "route", condition="route.category == 'order'"),
        node("other", "route", condition="{{ route.category != 'order' }}"),
        *(more or (node("reply", "order", "other", join=join),)),
        on_failure=on_failure,
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
        result = await engine.agents.execute(await workflow(engine, *nodes, on_failure="settle"), {})
        assert result.status == "completed"
        errors = result.output.pop("_errors") if result.output else {}
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
        result = await engine.agents.execute(await workflow(engine, node("a"), node("b", "a"), on_failure="settle"), {})
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
        agent = await workflow(engine, node("a"), node("b"), node("c", "a", "b"), on_failure="settle")
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
        result = await engine.agents.execute(await workflow(engine, node("a"), node("b"), on_failure="settle"), {})
        assert (result.status, result.error_code) == ("failed", "run_timeout")


async def test_input_that_cannot_be_run_leaves_nothing_behind():
    async with prompts({"a": {"user_prompt": "{{ x }}", "config": {"strict": True}}}, []) as (engine, _):
        agent = await workflow(engine, node("a"))
        with pytest.raises(TemplateError, match="'x' is undefined"):
            await engine.agents.execute(agent, {})
        assert (await engine.executions.list()).meta.total == 0


# ------------------------------------------------------------------ definitions


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node("a", "x")], "depends on 'x', which does not exist"),
        ([node("a"), node("a")], "'a' is used twice"),
        ([node("a", "c"), node("b", "a"), node("c", "b")], "circle: a -> b -> c -> a|circle"),
        (
            [node("a"), node("b", condition="steps.a.text")],
            "the condition of node 'b' reads steps.a, on which",
        ),
        (
            [node("a"), node("b", "a", map_over="steps.z.output")],
            "node 'b' reads steps.z, which does not exist",
        ),
        ([node("a"), node("b", input_mapping={"k": "{{ steps.a }}"})], r"input_mapping\.k of node 'b' reads steps.a"),
        ([node("a", condition="1 > 2")], "node 'a' can never run: its condition is always false"),
        ([node("a", condition="a b")], "condition of node a"),
        ([node("a", input_mapping={"k": "{{ 1 + }}"})], r"input_mapping of node a\.k"),
        ([node("a"), node("late", "a"), node("b")], None),
        (
            [node("reads"), node("a")],
            "the user_prompt of the prompt of node 'reads' reads steps.a",
        ),
        ([node("a"), node("reads", "a")], None),
        ([node("flat"), node("a")], "reads 'a', a node on which it does not depend"),
        ([node("flat", input_mapping={"a": "x"}), node("a")], None),
    ],
)
async def test_a_workflow_that_cannot_work_is_refused_when_it_is_made(nodes: Any, said: str | None):
    names = {"a": "a", "b": "b", "c": "c", "late": "x", "reads": "{{ steps.a.text }}", "flat": "{{ a }}{{ text }}"}
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    async with prompts(names, []) as (engine, _):
        if said is None:
            await engine.agents.create("Flow", config=config_of(nodes), input_schema=schema)
            return
        with pytest.raises(DefinitionError, match=said):
            await engine.agents.create("Flow", config=config_of(nodes), input_schema=schema)
        await engine.agents.create("Flow", "workflow")
        with pytest.raises(DefinitionError, match=said):
            await engine.agents.create_version("Flow", config=config_of(nodes), input_schema=schema)


def config_of(nodes: list[WorkflowNode]) -> dict[str, Any]:
    """As data, so that the engine is the first to check it."""
    data = [{key: value for key, value in vars(each).items() if value is not None} for each in nodes]
    return {"type": "workflow", "nodes": data}


async def test_all_that_is_wrong_is_said_at_once():
    async with prompts({"a": "a"}, []) as (engine, _):
        nodes = [node("x", prompt_id="a", condition="false"), node("y", prompt_id="a", map_over="steps.x.output")]
        with pytest.raises(DefinitionError) as caught:
            await engine.agents.create("Flow", config=WorkflowAgentConfig(nodes))
        assert len(caught.value.details["errors"]) == 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": "a", "node_type": "tool"}, "tool node 'a' needs a tool"),
        ({"id": "a"}, "prompt node 'a' needs a prompt_id"),
        ({"id": "a", "prompt_id": "p", "tool": "t"}, "node_type='tool'"),
        ({"id": "a", "prompt_id": "p", "tool": "t", "node_type": "tool"}, "cannot have a prompt_id"),
        ({"id": "a", "prompt_id": "p", "map_concurrency": 2}, "no map_over"),
        ({"id": "a", "prompt_id": "p", "map_over": "x", "map_concurrency": 0}, "map_concurrency"),
        ({"id": "a", "prompt_id": "p", "join": "some"}, "join"),
        ({"id": "_errors", "prompt_id": "p"}, "the engine uses that name itself"),
        ({"id": "a", "node_type": "media"}, "media_provider, media_type and media_model"),
    ],
)
def test_a_node_that_is_not_complete_is_refused(fields: Any, said: str):
    with pytest.raises(DefinitionError, match=said):
        WorkflowNode(**fields)


def test_the_extensions_are_said_only_where_they_are_set():
    plain = WorkflowAgentConfig([WorkflowNode("a", prompt_id="p")])
    assert plain.to_dict() == {"type": "workflow", "nodes": [{"id": "a", "depends_on": [], "prompt_id": "p"}]}
    full = WorkflowAgentConfig(
        [
            WorkflowNode(
                "a", prompt_id="p", condition="x", map_over="y", map_concurrency=2, join="all", input_mapping={}
            )
        ],
        on_failure="settle",
    )
    assert full.to_dict()["nodes"][0] == {
        "id": "a",
        "depends_on": [],
        "prompt_id": "p",
        "input_mapping": {},
        "condition": "x",
        "map_over": "y",
        "map_concurrency": 2,
        "join": "all",
    }
    assert full.to_dict()["on_failure"] == "settle"


async def test_what_is_not_there_is_said_when_it_is_run():
    async with prompts({"a": "a"}, []) as (engine, _):
        unknown = await workflow(engine, node("x", tool="unheard_of"))
        with pytest.raises(DefinitionError, match="unheard_of"):
            await engine.agents.execute(unknown, {})
        media = WorkflowNode("m", node_type="media", media_provider="p", media_type="image", media_model="m")
        agent = await engine.agents.create("Media", config=WorkflowAgentConfig([media]))
        with pytest.raises(ConfigurationError, match="node 'm' of agent 'Media' is a media job"):
            await engine.agents.execute(agent.id, {})


async def test_a_prompt_promoted_later_is_held_against_the_graph_before_the_next_run():
    async with prompts({"a": "a", "b": "b"}) as (engine, _):
        agent = await workflow(engine, node("a"), node("b"))
        await engine.prompts.create_version("b", user_prompt="{{ steps.a.text }}", set_current=True)
        with pytest.raises(DefinitionError, match=r"reads steps\.a, on which it does not depend"):
            await engine.agents.execute(agent, {})


async def test_versions_of_workflows_differ_by_their_nodes():
    async with prompts({"a": "a"}) as (engine, _):
        agent = await workflow(engine, node("a"), node("t", "a", tool="calculate", input_mapping={"x": "1"}))
        config = WorkflowAgentConfig(
            [node("a"), node("t", "a", tool="calculate", input_mapping={"x": "2"}, condition="a")], on_failure="settle"
        )
        await engine.agents.create_version(agent, config=config, set_current=True)
        diff = await engine.agents.diff(agent, "v1")
        paths = {change.path for change in diff.changes}
        assert paths == {"nodes[t].input_mapping.x", "nodes[t].condition", "config.on_failure"}


async def test_one_last_prompt_answers_under_the_schema_of_the_agent():
    async with prompts({"a": "a", "b": "b"}, ["text", {"category": "other"}]) as (engine, provider):
        agent = await workflow(engine, node("a"), node("b", "a"), output_schema=SCHEMA)
        assert (await engine.agents.execute(agent, {})).output == {"category": "other"}
        assert [request.output_schema is not None for request in provider.requests] == [False, True]
