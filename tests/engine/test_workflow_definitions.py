"""Agents of type workflow: what their definitions may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    DefinitionError,
    WorkflowAgentConfig,
    WorkflowNode,
)
from tests.engine.flows import node, prompts, workflow
from tests.engine.kit import SCHEMA, scripted

MEDIA: dict[str, Any] = {"node_type": "media", "media_provider": "p", "media_type": "tts", "media_model": "m"}
ASKS: dict[str, Any] = {"node_type": "datasource", "data_source": "shop", "query": "SELECT 1"}


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
        ({"id": "errors", "prompt_id": "p"}, "the engine uses that name itself"),
        ({"id": "a", "node_type": "media"}, "media_provider, media_type and media_model"),
        ({"id": "a", **MEDIA, "media_type": "image"}, "use one of: tts, stt, image_gen"),
        ({"id": "a", "node_type": "datasource", "query": "x"}, "datasource node 'a' needs data_source and query"),
        ({"id": "a", "prompt_id": "p", "query": "x"}, "has 'query', but is of type 'prompt'"),
        ({"id": "a", "prompt_id": "p", "data_source": "x"}, "give it node_type='datasource'"),
        ({"id": "a", **ASKS, "prompt_id": "p"}, "cannot have a prompt_id"),
        ({"id": "a", **ASKS, "query": "x = :x AND y = :y", "input_mapping": {"x": "1"}}, "reads :y, which its input_m"),
        ({"id": "a", **ASKS, "query": "x = '{{ x }}'"}, "is no template: write :name"),
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
        failure_policy="settle",
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
    assert full.to_dict()["failure_policy"] == "settle"


async def test_what_is_not_there_is_said_when_it_is_run():
    async with prompts({"a": "a"}, []) as (engine, _):
        unknown = await workflow(engine, node("x", tool="unheard_of"))
        with pytest.raises(DefinitionError, match="unheard_of"):
            await engine.agents.execute(unknown, {})
        for fields, what in ((MEDIA, "media provider 'p'.*There are: none"), (ASKS, "data source 'shop'.*none")):
            agent = await engine.agents.create(what, config=WorkflowAgentConfig([WorkflowNode("m", **fields)]))
            with pytest.raises(DefinitionError, match=what):
                await engine.agents.execute(agent.id, {})
        assert (await engine.executions.list()).meta.total == 0


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
            [node("a"), node("t", "a", tool="calculate", input_mapping={"x": "2"}, condition="a")],
            failure_policy="settle",
        )
        await engine.agents.create_version(agent, config=config, set_current=True)
        diff = await engine.agents.diff(agent, "v1")
        paths = {change.path for change in diff.changes}
        assert paths == {"nodes[t].input_mapping.x", "nodes[t].condition", "config.failure_policy"}


async def test_one_last_prompt_answers_under_the_schema_of_the_agent():
    async with prompts({"a": "a", "b": "b"}, ["text", {"category": "other"}]) as (engine, provider):
        agent = await workflow(engine, node("a"), node("b", "a"), output_schema=SCHEMA)
        assert (await engine.agents.execute(agent, {})).output == {"category": "other"}
        assert [request.output_schema is not None for request in provider.requests] == [False, True]


async def test_a_preview_shows_names_where_results_will_be():
    templates = {
        "a": "{{ topic }}",
        "b": "{{ a }}|{{ steps.a.text }}|{{ previous_output }}|{{ upper }}|{{ rows }}|{{ item }}|{{ fixed }}",
    }
    mapping = {"upper": "{{ input.topic | upper }}", "rows": "{{ steps.a.output.rows }}", "fixed": 1}
    async with prompts(templates, []) as (engine, _):
        agent = await workflow(engine, node("b", "a", input_mapping=mapping, map_over="a"), node("a"))
        first, second = await engine.agents.preview(agent, {"topic": "cats"})
        assert first.user_prompt == "cats"
        assert second.user_prompt == (
            "{{ a }}|{{ steps.a.text }}|{{ previous_output }}|CATS|{{ steps.a.output.rows }}|{{ item }}|1"
        )
        assert (await engine.executions.list()).meta.total == 0


TOOL: dict[str, Any] = {"tool": "calculator", "input_mapping": {"expression": "{{ a }}"}}


async def test_workflows_are_kept_as_files(tmp_path: Path):
    async with prompts({"a": "a"}, []) as (engine, _):
        nodes = (
            node("a", condition="x"),
            node("t", "a", map_over="[1]", map_concurrency=2, **TOOL),
            node("z", "t", prompt_id="a", join="all"),
            node(
                "q",
                prompt_id=None,
                **{**ASKS, "query": "SELECT *\nFROM orders\nWHERE id = :id"},
                input_mapping={"id": 1},
            ),
            node("m", "q", prompt_id=None, **MEDIA, media_config={"voice": "a"}, input_mapping={"prompt": "{{ q }}"}),
        )
        stored = await engine.agents.get_version(await workflow(engine, *nodes, failure_policy="settle"))
        await engine.definitions.save(tmp_path)
    async with scripted([]) as (engine, _):
        await engine.definitions.load(tmp_path)
        loaded = await engine.agents.get_version("Flow")
        assert said(loaded) == said(stored)
        assert loaded.config["failure_policy"] == "settle"


def said(version: Any) -> list[dict[str, Any]]:
    """The nodes without the ids, which differ from store to store."""
    return [{key: value for key, value in each.items() if key != "prompt_id"} for each in version.config["nodes"]]


async def test_a_folder_with_a_broken_expression_changes_nothing(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("kind: prompt\nname: a\nuser_prompt: a\n")
    agent = "kind: agent\nname: Flow\ntype: workflow\nconfig:\n  nodes:\n  - {id: a, prompt: a, condition: x y}\n"
    (tmp_path / "flow.yaml").write_text(agent)
    async with scripted([]) as (engine, _):
        with pytest.raises(DefinitionError, match="condition of node a"):
            await engine.definitions.load(tmp_path)
        assert (await engine.prompts.list()).meta.total == 0
