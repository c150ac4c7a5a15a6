"""Nodes of workflows that ask a data source."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    ConfigurationError,
    DefinitionError,
    ExecutionEvent,
    Limits,
    MemoryDataSource,
    QueryLimits,
    SQLiteDataSource,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.ports.datasource import Column, Rows
from tests.datasources.conftest import make_shop
from tests.engine.flows import node, prompts, spans_of, workflow

ORDERS = [{"id": 1, "item": "kettle"}, {"id": 2, "item": "toaster"}, {"id": 3, "item": "kettle"}]
SHOP = MemoryDataSource("shop", {"orders": ORDERS})
OF_ITEM = "SELECT id, item FROM orders WHERE item = :item ORDER BY id"


def asks(id: str, *depends_on: str, query: str = OF_ITEM, source: str = "shop", **more: Any) -> WorkflowNode:
    return WorkflowNode(id, list(depends_on), node_type="datasource", data_source=source, query=query, **more)


async def test_rows_are_there_for_the_nodes_after_it():
    templates = {"say": "{{ steps.found.output | length }} {{ found[0].item }} {{ previous_output }}"}
    async with prompts(templates, data_sources=[SHOP]) as (engine, _):
        found = asks("found", input_mapping={"item": "{{ input.item }}"})
        agent = await workflow(engine, found, node("say", "found"))
        result = await engine.agents.execute(agent, {"item": "kettle"})
        rows = '[{"id":1,"item":"kettle"},{"id":3,"item":"kettle"}]'
        assert result.text == f"<2 kettle {rows}>"
        span = (await spans_of(engine, result))["nodes[found]/query"]
        assert (span.kind, span.name, span.status) == ("datasource", "shop", "ok")
        assert span.input == {"query": OF_ITEM, "parameters": {"item": "kettle"}}
        assert span.output == [{"id": 1, "item": "kettle"}, {"id": 3, "item": "kettle"}]
        assert span.attributes["data_source_name"] == "shop"
        assert span.attributes["row_count"] == 2


async def test_a_query_alone_is_a_run():
    async with prompts({}, data_sources=[SHOP]) as (engine, _):
        agent = await workflow(engine, asks("found", query="SELECT count(*) AS n FROM orders"))
        result = await engine.agents.execute(agent, {})
        assert (result.output, result.cost) == ({"value": [{"n": 3}]}, 0.0)


async def test_values_are_bound_and_never_written_into_the_query():
    async with prompts({}, data_sources=[SHOP]) as (engine, _):
        agent = await workflow(engine, asks("found", input_mapping={"item": "{{ input.item }}"}))
        for hostile in ("x' OR '1'='1", "kettle'; DROP TABLE orders; --", "{{ 7 * 7 }}", ":item"):
            result = await engine.agents.execute(agent, {"item": hostile})
            assert result.output == {"value": []}


async def test_a_list_is_asked_for_one_by_one():
    async with prompts({}, data_sources=[SHOP]) as (engine, _):
        one = asks("found", input_mapping={"item": "{{ item }}"}, map_over="input.items", condition="input.items")
        agent = await workflow(engine, one)
        result = await engine.agents.execute(agent, {"items": ["toaster", "sofa"]})
        assert result.output == {"value": [[{"id": 2, "item": "toaster"}], []]}
        assert {"nodes[found][0]/query", "nodes[found][1]/query"} <= set(await spans_of(engine, result))
        assert (await engine.agents.execute(agent, {"items": []})).output == {"value": None}


async def test_the_lock_names_the_sources_and_what_they_are(tmp_path: Path):
    locks: list[Any] = []
    for source in (SHOP, SQLiteDataSource("shop", make_shop(tmp_path / "shop.db"))):
        async with prompts({}, data_sources=[source]) as (engine, _):
            agent = await workflow(engine, asks("found", query="SELECT count(*) AS n FROM orders"))
            result = await engine.agents.execute(agent, {})
            assert result.output == {"value": [{"n": 3}]}
            locks.append((await engine.executions.get(result.execution_id)).version_lock["data_sources"])
    assert [set(lock) for lock in locks] == [{"shop"}, {"shop"}]
    assert locks[0] != locks[1]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("DELETE FROM orders", "query_invalid"),
        ("SELECT nothing", "query_invalid"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS m FROM n", "query_limit"),
    ],
)
async def test_a_query_that_fails_ends_the_run(query: str, code: str):
    source = MemoryDataSource("shop", {"orders": ORDERS}, limits=QueryLimits(timeout_s=0.05))
    async with prompts({}, data_sources=[source]) as (engine, _):
        result = await engine.agents.execute(await workflow(engine, asks("found", query=query)), {})
        assert (result.status, result.error_code) == ("failed", code)
        assert (await spans_of(engine, result))["nodes[found]/query"].error_type == code


async def test_a_failure_may_be_settled():
    async with prompts({"say": "hello"}, data_sources=[SHOP]) as (engine, _):
        nodes = [asks("found", query="SELECT nothing"), node("say")]
        result = await engine.agents.execute(await workflow(engine, *nodes, failure_policy="settle"), {})
        assert result.output["say"] == {"content": "<hello>", "type": "text"}
        assert result.output["errors"]["found"]["code"] == "query_invalid"


async def test_an_unknown_source_is_found_before_the_run():
    async with prompts({}, data_sources=[SHOP]) as (engine, _):
        agent = await workflow(engine, asks("found", source="store", query="SELECT 1"))
        with pytest.raises(DefinitionError, match=r"data source 'store', which there is not\. There are: shop"):
            await engine.agents.execute(agent, {})
        assert (await engine.executions.list()).meta.total == 0


def test_sources_have_one_name_each_and_are_some():
    with pytest.raises(ConfigurationError, match="two data sources are named 'shop'"):
        AsyncEngine(data_sources=[SHOP, MemoryDataSource("shop", {"a": [{"b": 1}]})])
    with pytest.raises(ConfigurationError, match="str is no data source"):
        AsyncEngine(data_sources=["shop"])  # type: ignore[list-item] # what is wrong with it


class Source:
    """A data source of somebody else's."""

    name = "theirs"
    kind = "test"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked = asyncio.Event()
        self.closed = 0

    async def query(self, template: str, params: Mapping[str, Any]) -> Rows:
        self.asked.set()
        answer = self.answer() if callable(self.answer) else self.answer
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, BaseException):
            raise answer
        return Rows(["a"], answer)

    async def list_tables(self) -> list[str]:
        return []

    async def describe_table(self, table: str) -> list[Column]:
        return []

    async def aclose(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            RuntimeError("the key sk-12345678abcdef is wrong"),
            r"data source 'theirs' failed: RuntimeError: the key \*\*\*",
        ),
        (asyncio.CancelledError(), "data source 'theirs' failed: CancelledError"),
        ([{"a": object()}], "gave a row that has no JSON form"),
    ],
)
async def test_whatever_an_adapter_does_is_an_error_of_the_tree(answer: Any, said: str):
    async with prompts({}, data_sources=[Source(answer)]) as (engine, _):
        agent = await workflow(engine, asks("found", source="theirs", query="?"))
        result = await engine.agents.execute(agent, {})
        assert (result.status, result.error_code) == ("failed", "data_source_failed")
        assert re.search(said, str(result.error))


async def test_what_an_adapter_gives_becomes_json():
    source = Source([{"a": date(2026, 1, 2), "b": float("nan"), "c": (1,)}])
    async with prompts({}, data_sources=[source]) as (engine, _):
        agent = await workflow(engine, asks("found", source="theirs", query="?"))
        assert (await engine.agents.execute(agent, {})).output == {"value": [{"a": "2026-01-02", "b": None, "c": [1]}]}
    assert source.closed == 1


async def test_an_adapter_that_hangs_is_given_up():
    async with prompts({}, data_sources=[Source(lambda: asyncio.sleep(3600))]) as (engine, _):
        agent = await workflow(engine, asks("found", source="theirs", query="?"))
        result = await engine.agents.execute(agent, {}, limits=Limits(call_s=0.01))
        assert result.error_code == "query_limit"
        result = await engine.agents.execute(agent, {}, limits=Limits(timeout_s=0.01))
        assert result.error_code == "run_timeout"


async def test_a_run_that_is_cancelled_stops_asking():
    async def swallow() -> list[Any]:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        return [{"a": 1}]

    for answer in (lambda: asyncio.sleep(3600), swallow):
        source = Source(answer)
        async with prompts({"say": "x"}, data_sources=[source]) as (engine, provider):
            agent = await workflow(engine, asks("found", source="theirs", query="?"), node("say", "found"))
            stream = engine.agents.stream(agent, {})
            first = await anext(aiter(stream))
            assert isinstance(first, ExecutionEvent)
            await source.asked.wait()
            await engine.executions.cancel(first.execution_id)
            assert (await stream.result()).status == "cancelled"
            assert provider.requests == []


async def test_a_drawing_shows_what_is_asked():
    async with prompts({}, data_sources=[SHOP]) as (engine, _):
        agent = await workflow(engine, asks("found", input_mapping={"item": "x"}))
        drawn = (await engine.agents.draw(agent)).text
        assert 'n0[("found<br/>query of shop")]' in drawn


async def test_versions_differ_by_their_queries():
    async with prompts({}, data_sources=[SHOP]) as (engine, _):
        agent = await workflow(engine, asks("found", input_mapping={"item": "x"}))
        changed = asks("found", query=OF_ITEM + " DESC", input_mapping={"item": "x"})
        await engine.agents.create_version(agent, config=WorkflowAgentConfig([changed]), set_current=True)
        assert [change.path for change in (await engine.agents.diff(agent, "v1")).changes] == ["nodes[found].query"]


async def test_runs_over_other_sources_differ_by_them(tmp_path: Path):
    store = str(tmp_path / "runs.db")
    ids: list[str] = []
    for source in (SHOP, SQLiteDataSource("shop", make_shop(tmp_path / "shop.db"))):
        async with prompts({}, data_sources=[source], store=store) as (engine, _):
            if not ids:
                await workflow(engine, asks("found", query="SELECT count(*) AS n FROM orders"))
            ids.append((await engine.agents.execute("Flow", {})).execution_id)
            if len(ids) == 2:
                diff = await engine.executions.diff(*ids)
                assert {each.part for each in diff.differences} == {"data_sources"}
