"""Agents of type composite, and workflow nodes that run agents: data, output, streams, branches, versions."""

from __future__ import annotations

from typing import Any

import pytest

from promptrails_engine import (
    ArchivedError,
    CompositeAgentConfig,
    DefinitionError,
    InputInvalidError,
    NotFoundError,
    ProviderUnavailableError,
    SimpleAgentConfig,
)
from promptrails_engine.testing import Reply
from tests.engine.families import Held, agent, agents, composite, names_of, step
from tests.engine.flows import echo, node, prompts, spans_of, workflow
from tests.engine.kit import SCHEMA

pytestmark = pytest.mark.usefixtures("each_store")

NUMBERS = {"type": "array", "items": {"type": "integer"}}


# ------------------------------------------------------------------ data


async def test_each_step_runs_its_agent_with_the_input_that_it_maps():
    contents = {
        "draft": "D {{ topic }}",
        "facts": {"user_prompt": "F {{ topic }}", "output_schema": SCHEMA},
        "final": "{{ text }}|{{ number }}|{{ again }}|{{ topic is defined }}",
    }

    def replies(request: Any) -> Any:
        return {"category": "order", "number": 7} if request.messages[-1].content.startswith("F ") else echo(request)

    async with agents(contents, replies) as (engine, _):
        mapping = {"text": "{{ draft | upper }}", "number": "{{ facts.number }}", "again": "{{ steps.draft.output }}"}
        team = await composite(
            engine, step("final", "draft", "facts", input_mapping=mapping), step("draft"), step("facts")
        )
        result = await engine.agents.execute(team, {"topic": "cats"})
        assert result.status == "completed", result.error
        assert result.text == "<<D CATS>|7|{'content': '<D cats>', 'type': 'text'}|False>"
        top = await engine.executions.get(result.execution_id)
        assert [one.input for one in top.children][-1] == {
            "text": "<D CATS>",
            "number": 7,
            "again": {"content": "<D cats>", "type": "text"},
        }
        assert {tuple(one.input.items()) for one in top.children[:2]} == {(("topic", "cats"),)}
        spans = await spans_of(engine, result)
        assert {"steps[draft]", "steps[facts]", "steps[final]"} <= set(spans)
        assert spans["steps[final]"].attributes["child_execution_id"] == top.children[-1].id


async def test_the_output_is_that_of_the_last_steps():
    def replies(request: Any) -> Any:
        return [1, 2] if request.messages[-1].content == "C" else echo(request)

    contents = {"a": "{{ x }}", "b": "B", "c": {"user_prompt": "C", "output_schema": NUMBERS}}
    async with agents(contents, replies) as (engine, _):
        result = await engine.agents.execute(await composite(engine, step("a"), step("b", "a"), step("c", "a")), {})
        assert result.output == {"b": {"content": "<B>", "type": "text"}, "c": {"value": [1, 2]}}
        single = await composite(engine, step("a"), step("c", "a"), name="One")
        assert (await engine.agents.execute(single, {})).output == {"value": [1, 2]}


async def test_agents_of_every_type_are_steps():
    async with agents({"a": "A {{ x }}", "b": "B {{ x }}"}) as (engine, _):
        inner = await composite(engine, step("a"), step("b", "a", input_mapping={"x": "{{ a }}"}), name="inner")
        flow = await workflow(engine, node("n", node_type="agent", prompt_id=None, agent_id="a"))
        team = await composite(
            engine,
            step("one", agent_id=inner),
            step("two", "one", agent_id=flow, input_mapping={"x": "{{ one }}"}),
            name="outer",
        )
        result = await engine.agents.execute(team, {"x": 1})
        assert result.text == "<A <B <A 1>>>"
        top = await engine.executions.tree(result.execution_id)
        assert await names_of(engine, top) == {"inner": {"a": {}, "b": {}}, "Flow": {"a": {}}}


async def test_conditions_joins_and_lists_work_as_in_a_workflow():
    def replies(request: Any) -> Any:
        return [1, 2, 3] if request.messages[-1].content == "S" else echo(request)

    contents = {"split": {"user_prompt": "S", "output_schema": NUMBERS}, "each": "{{ n }}", "all": "J {{ l }}"}
    async with agents(contents, replies) as (engine, _):
        team = await composite(
            engine,
            step("split"),
            step("each", "split", map_over="split.value", input_mapping={"n": "{{ item * 10 + index }}"}),
            step("never", "split", agent_id="each", condition="split.value | length > 3"),
            step("all", "each", "never", input_mapping={"l": "{{ each | join(',') }}{{ never is none }}"}),
        )
        result = await engine.agents.execute(team, {})
        assert result.text == "<J <10>,<21>,<32>True>"
        assert len((await engine.executions.get(result.execution_id)).children) == 5
        spans = await spans_of(engine, result)
        assert "condition is false" in spans["steps[never]"].attributes["skipped"]
        assert "steps[each][2]" in spans


async def test_without_a_mapping_each_item_comes_with_the_input():
    async with agents({"each": "{{ item }}/{{ index }}/{{ x }}"}) as (engine, _):
        team = await composite(engine, step("each", map_over="input.l"))
        assert (await engine.agents.execute(team, {"l": ["p", "q"], "x": 1})).output == {
            "value": ["<p/0/1>", "<q/1/1>"]
        }


# ------------------------------------------------------------------ streams


async def test_the_last_answer_streams_and_no_other():
    async with agents({"a": "A", "b": "B"}, lambda r: Reply(chunks=[r.messages[-1].content, " ", "end"])) as (
        engine,
        _,
    ):
        team = await composite(engine, step("a"), step("b", "a"))
        events = [event async for event in engine.agents.stream(team, {})]
        assert [event.type for event in events] == ["execution", "content", "content", "content", "done"]
        assert [event.content for event in events if event.type == "content"] == ["B", " ", "end"]
        assert [event.seq for event in events] == [1, 2, 3, 4, 5]
        execution_id = events[0].execution_id  # type: ignore[union-attr]
        assert [event async for event in engine.executions.stream(execution_id)] == events
        last = (await engine.executions.get(execution_id)).children[-1]
        heard = [event async for event in engine.executions.stream(last.id)]
        assert [event.type for event in heard] == ["execution", "content", "content", "content", "done"]


async def test_the_last_answer_streams_through_several_levels():
    async with agents({"a": "A"}, lambda _: Reply(chunks=["1", "2"])) as (engine, _):
        team = await composite(engine, step("a"))
        for name in ("Two", "Three"):
            team = await composite(engine, step("below", agent_id=team), name=name)
        events = [event async for event in engine.agents.stream(team, {})]
        assert [event.content for event in events if event.type == "content"] == ["1", "2"]


async def test_several_last_answers_come_at_once_in_the_end():
    async with agents({"a": "A", "b": "B"}) as (engine, _):
        events = [event async for event in engine.agents.stream(await composite(engine, step("a"), step("b")), {})]
        assert [event.type for event in events] == ["execution", "content", "done"]


async def test_an_attempt_that_failed_is_not_heard_twice():
    replies = [Reply("half an", error=ProviderUnavailableError("down")), "whole"]
    async with agents({"a": "A"}, replies) as (engine, _):
        result = await engine.agents.execute(await composite(engine, step("a")), {})
        assert result.text == "whole"
        events = [event async for event in engine.executions.stream(result.execution_id)]
        assert [event.content for event in events if event.type == "content"] == ["whole"]


# ------------------------------------------------------------------ what cannot run


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ("archive", ArchivedError, "agent 'Team' cannot run.*agent 'b' is archived"),
        ("delete", NotFoundError, "agent 'Team' cannot run.*no agent"),
    ],
)
async def test_an_agent_that_cannot_run_is_found_before_anything_runs(change: str, error: Any, said: str):
    async with agents({"a": "A", "b": "B"}, []) as (engine, _):
        team = await composite(engine, step("a"), step("b", "a"))
        await getattr(engine.agents, change)("b")
        with pytest.raises(error, match=said):
            await engine.agents.execute(team, {})
        assert (await engine.executions.list(include_children=True)).meta.total == 0


async def test_input_that_the_first_agent_refuses_leaves_nothing():
    async with agents({"a": {"user_prompt": "A", "input_schema": {"required": ["x"]}}}, []) as (engine, _):
        with pytest.raises(InputInvalidError, match="prompt 'a'"):
            await engine.agents.execute(await composite(engine, step("a")), {})
        assert (await engine.executions.list(include_children=True)).meta.total == 0


async def test_input_that_a_later_agent_refuses_is_on_record():
    async with agents({"a": "A", "b": {"user_prompt": "B", "input_schema": {"required": ["x"]}}}) as (engine, _):
        result = await engine.agents.execute(await composite(engine, step("a"), step("b", "a")), {})
        assert (result.status, result.error_code) == ("failed", "input_invalid")
        assert "agent 'b' failed" in result.error
        first, second = (await engine.executions.get(result.execution_id)).children
        assert (first.status, second.status, second.error_code) == ("completed", "failed", "input_invalid")
        assert [event.type async for event in engine.executions.stream(second.id)] == ["execution", "error"]


async def test_agents_that_run_each_other_are_refused_when_the_version_is_made():
    async with agents({"a": "A"}, []) as (engine, _):
        inner = await composite(engine, step("a"), name="inner")
        middle = await composite(engine, step("m", agent_id=inner), name="middle")
        outer = await composite(engine, step("o", agent_id=middle), name="outer")
        back = CompositeAgentConfig([step("back", agent_id="outer")])
        with pytest.raises(DefinitionError, match="circle: inner -> outer -> middle -> inner"):
            await engine.agents.create_version(inner, config=back)
        with pytest.raises(DefinitionError, match="circle: outer -> outer"):
            await engine.agents.create_version(outer, config=back)


async def test_a_circle_that_comes_about_by_promotion_is_found_before_anything_runs():
    async with agents({"a": "A"}, []) as (engine, _):
        one = await composite(engine, step("a"), name="one")
        two = await composite(engine, step("a"), name="two")
        await engine.agents.create_version(one, "loop", CompositeAgentConfig([step("x", agent_id=two)]))
        await engine.agents.create_version(two, "loop", CompositeAgentConfig([step("x", agent_id=one)]))
        await engine.agents.promote_version(two, "loop")
        await engine.agents.promote_version(one, "loop")
        with pytest.raises(DefinitionError, match="circle: one -> two -> one"):
            await engine.agents.execute(one, {})
        assert (await engine.executions.list(include_children=True)).meta.total == 0


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ([("a", {"condition": "steps.b.text"}), ("b", {})], "the condition of step 'a' reads steps.b, on which"),
        ([("a", {"input_mapping": {"x": "{{ 1 + }}"}})], r"input_mapping of step a\.x"),
        ([("a", {"map_concurrency": 2})], "step 'a' has a map_concurrency, but no map_over"),
        ([("steps", {"agent_id": "a"})], "a step cannot have the id 'steps'"),
        ([("a", {"agent_id": "nobody"})], "no agent with the id or name 'nobody'"),
    ],
)
async def test_a_composite_that_cannot_work_is_refused_when_it_is_made(bad: Any, said: str):
    async with agents({"a": "A", "b": "B"}, []) as (engine, _):
        with pytest.raises((DefinitionError, NotFoundError), match=said):
            await composite(engine, *(step(id, **fields) for id, fields in bad))


# ------------------------------------------------------------------ versions


async def test_a_run_keeps_the_versions_with_which_it_began():
    held = Held("first")
    async with agents({"a": "first", "b": "old"}, held) as (engine, _):
        team = await composite(engine, step("a"), step("b", "a"))
        stream = engine.agents.stream(team, {})
        await anext(stream)
        await held.reached.wait()
        old = await engine.agents.get_version("b")
        prompt = await engine.prompts.create("new", user_prompt="new")
        await engine.agents.create_version("b", config=SimpleAgentConfig(prompt.id), set_current=True)
        await engine.prompts.create_version("b", user_prompt="newer", set_current=True)
        held.go.set()
        result = await stream.result()
        assert result.text == "<old>"
        top = await engine.executions.get(result.execution_id)
        assert top.children[1].agent_version_id == old.id
        lock = top.version_lock["agents"][old.agent_id]
        assert lock["agent"]["version_id"] == old.id
        assert lock == {key: value for key, value in top.children[1].version_lock.items() if key != "v"}
        assert (await engine.agents.execute(team, {})).text == "<new>"


async def test_the_version_lock_holds_each_agent_of_the_tree_once():
    async with agents({"a": "A"}) as (engine, _):
        inner = await composite(engine, step("a"), step("again", "a", agent_id="a"), name="inner")
        team = await composite(engine, step("x", agent_id=inner), step("y", agent_id=inner), name="outer")
        result = await engine.agents.execute(team, {})
        lock = (await engine.executions.get(result.execution_id)).version_lock
        ids = {(await engine.agents.get(name)).id for name in ("inner", "a")}
        assert set(lock["agents"]) == ids
        assert all("agents" not in entry for entry in lock["agents"].values())
        assert lock["agents"][inner]["agent"]["digest"] == (await engine.agents.get_version(inner)).digest


# ------------------------------------------------------------------ agents in workflows


async def test_a_workflow_runs_agents_beside_prompts():
    async with prompts({"p": "P {{ helper }}"}) as (engine, _):
        await agent(engine, "helper", "H {{ q }}")
        helper = node("helper", node_type="agent", prompt_id=None, agent_id="helper", input_mapping={"q": "{{ x }}"})
        flow = await workflow(engine, helper, node("p", "helper"))
        result = await engine.agents.execute(flow, {"x": 1})
        assert result.text == "<P <H 1>>"
        top = await engine.executions.get(result.execution_id)
        assert [one.input for one in top.children] == [{"q": 1}]
        assert set(top.version_lock["agents"]) == {top.children[0].agent_id}
        version = await engine.agents.get_version(flow)
        assert version.config["nodes"][0]["agent_id"] == top.children[0].agent_id
