"""Child executions: their records, their end with the parent's, and the limits and costs of a whole tree."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    ConsoleSink,
    Limits,
    MemorySink,
    NotFoundError,
    StoreUnavailableError,
    tool,
)
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.store.memory import MemoryStore
from promptrails_engine.testing import Reply
from tests.engine.families import PRICED, THREE, Held, agents, composite, everything, names_of, step, two_levels
from tests.engine.flows import echo, node, spans_of, workflow
from tests.engine.kit import scripted

pytestmark = pytest.mark.usefixtures("each_store")

# ------------------------------------------------------------------ records


async def test_a_tree_is_on_record_as_a_whole():
    async with agents(THREE) as (engine, _):
        outer = await two_levels(engine)
        result = await engine.agents.execute(outer, {"x": 1}, session_id="s", user_id="u", metadata={"m": 1})
        top = await engine.executions.tree(result.execution_id)
        assert await names_of(engine, top) == {"inner": {"a": {}, "b": {}}, "c": {}}
        inner, c = top.children
        assert (top.parent_execution_id, top.root_execution_id) == (None, top.id)
        assert (inner.parent_execution_id, inner.root_execution_id) == (top.id, top.id)
        assert inner.children[0].parent_execution_id == inner.id
        for one in (inner, c, *inner.children):
            assert (one.status, one.session_id, one.user_id, one.metadata) == ("completed", "s", "u", {})
            assert (one.root_execution_id, one.trace_id) == (top.id, result.trace_id)
        assert [one.text for one in inner.children] == ["<A>", "<B>"]
        assert (await engine.executions.tree(inner.id)) == inner
        near = await engine.executions.get(result.execution_id)
        assert [one.id for one in near.children] == [inner.id, c.id]
        assert [one.children for one in near.children] == [[], []]
        assert near.to_dict()["children"][0]["id"] == inner.id
        with pytest.raises(NotFoundError):
            await engine.executions.tree("nothing")


async def test_lists_show_roots_unless_asked():
    async with agents(THREE) as (engine, _):
        outer = await two_levels(engine)
        result = await engine.agents.execute(outer, {})
        alone = await engine.agents.execute("a", {})
        (inner, _c) = (await engine.executions.get(result.execution_id)).children
        assert [one.id for one in await engine.executions.list()] == [alone.execution_id, result.execution_id]
        assert len(await everything(engine)) == 6
        below = await engine.executions.list(parent_execution_id=inner.id)
        assert (below.meta.total, {one.parent_execution_id for one in below}) == (2, {inner.id})
        helper = (await engine.agents.get("a")).id
        assert (await engine.executions.list(agent_id=helper)).meta.total == 1
        assert (await engine.executions.list(agent_id=helper, include_children=True)).meta.total == 2


async def test_the_spans_of_a_tree_are_one_trace_below_the_steps():
    async with agents(THREE) as (engine, _):
        result = await engine.agents.execute(await two_levels(engine), {})
        spans = await engine.traces.get_by_trace_id(result.trace_id)
        by_id = {span.span_id: span for span in spans}
        assert [span.name for span in spans if not span.parent_span_id] == ["outer"]
        tops = {
            span.name: by_id[span.parent_span_id]
            for span in spans
            if span.parent_span_id and "key" not in span.attributes
        }
        assert {name: (above.kind, above.attributes["key"]) for name, above in tops.items()} == {
            "inner": ("agent_step", "steps[inner]"),
            "a": ("agent_step", "steps[a]"),
            "b": ("agent_step", "steps[b]"),
            "c": ("agent_step", "steps[c]"),
        }
        assert len({span.execution_id for span in spans}) == 5
        assert {span.agent_name for span in spans if span.kind == "llm"} == {"a", "b", "c"}


async def test_children_at_once_begin_after_their_parent():
    async with agents({name: name for name in "abcdef"}) as (engine, _):
        team = await composite(engine, *(step(name) for name in "abcdef"))
        events = [event async for event in engine.agents.stream(team, {})]
        assert events[0].type == "execution"
        top = await engine.executions.get(events[0].execution_id)  # type: ignore[union-attr]
        assert len(top.children) == 6
        assert all(one.created_at >= top.created_at for one in top.children)


# ------------------------------------------------------------------ ends


@pytest.mark.parametrize("streamed", [False, True])
async def test_cancelling_a_run_cancels_all_below_it(streamed: bool):
    held = Held("B")
    async with agents(THREE, held) as (engine, _):
        outer = await two_levels(engine)
        stream = engine.agents.stream(outer, {})
        call: Any = stream.result() if streamed else engine.agents.execute(outer, {})
        task = asyncio.create_task(call)
        await held.reached.wait()
        (top,) = await engine.executions.list(status="running")
        await engine.executions.cancel(top.id)
        assert (await task).status == "cancelled"
        tree = await engine.executions.tree(top.id)
        inner = tree.children[0]
        assert (tree.status, inner.status) == ("cancelled", "cancelled")
        assert [one.status for one in inner.children] == ["completed", "cancelled"]
        assert "started it was stopped" in inner.children[1].error
        assert await names_of(engine, tree) == {"inner": {"a": {}, "b": {}}}


async def test_cancelling_a_child_fails_the_step_that_waits_for_it():
    held = Held("B")
    async with agents(THREE, held) as (engine, _):
        task = asyncio.create_task(engine.agents.execute(await two_levels(engine), {}))
        await held.reached.wait()
        running = {one.agent_id: one for one in await everything(engine) if one.status == "running"}
        b = running[(await engine.agents.get("b")).id]
        await engine.executions.cancel(b.id)
        result = await task
        assert (result.status, result.error_code) == ("failed", "child_cancelled")
        tree = await engine.executions.tree(result.execution_id)
        inner = tree.children[0]
        assert (inner.status, inner.error_code) == ("failed", "child_cancelled")
        assert (inner.children[1].status, inner.children[1].error_code) == ("cancelled", "cancelled")
        assert (await spans_of(engine, result))["steps[b]"].error_type == "child_cancelled"


async def test_a_cancelled_child_leaves_the_rest_of_a_settling_run_alone():
    held = Held("A")
    async with agents(THREE, held) as (engine, _):
        team = await composite(engine, step("a"), step("b"), step("c", "b"), policy="settle")
        task = asyncio.create_task(engine.agents.execute(team, {}))
        await held.reached.wait()
        a = (await engine.agents.get("a")).id
        (child,) = [one for one in await everything(engine) if one.agent_id == a]
        await engine.executions.cancel(child.id)
        result = await task
        assert result.status == "completed", result.error
        assert result.output is not None
        assert result.output["c"] == {"content": "<C>", "type": "text"}
        assert result.output["errors"]["a"]["code"] == "child_cancelled"


async def test_a_caller_that_is_cancelled_takes_the_tree_along():
    held = Held("B")
    async with agents(THREE, held) as (engine, _):
        task = asyncio.create_task(engine.agents.execute(await two_levels(engine), {}))
        await held.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        states = sorted(one.status for one in await everything(engine))
        assert states == ["cancelled", "cancelled", "cancelled", "completed"]


async def test_the_deadline_of_a_run_stops_all_below_it():
    held = Held("B")
    async with agents(THREE, held) as (engine, _):
        result = await engine.agents.execute(await two_levels(engine), {}, limits=Limits(timeout_s=0.2))
        assert (result.status, result.error_code) == ("failed", "run_timeout")
        states = {one.id: one.status for one in await everything(engine)}
        assert sorted(states.values()) == ["cancelled", "cancelled", "completed", "failed"]
        assert states[result.execution_id] == "failed"


async def test_children_at_once_are_stopped_by_the_first_that_fails():
    held = Held("A")

    async def replies(request: Any) -> Any:
        if request.messages[-1].content == "B":
            await held.reached.wait()
            return Reply(finish="content_filter", text="no")
        return await held(request)

    async with agents(THREE, replies) as (engine, _):
        result = await engine.agents.execute(await composite(engine, step("a"), step("b")), {})
        assert (result.status, result.error_code) == ("failed", "content_filtered")
        top = await engine.executions.get(result.execution_id)
        assert sorted(one.status for one in top.children) == ["cancelled", "failed"]


async def test_closing_the_engine_lets_a_tree_end():
    held = Held("A")
    async with agents(THREE, held) as (engine, _):
        stream = engine.agents.stream(await two_levels(engine), {})
        await anext(stream)
        await held.reached.wait()
        closing = asyncio.create_task(engine.aclose(grace_s=30))
        await asyncio.sleep(0)
        held.go.set()
        await closing
        assert (await stream.result()).text == "<C>"


async def test_an_adapter_that_swallows_the_cancellation_does_not_keep_the_tree_alive():
    calls: list[str] = []
    called = asyncio.Event()

    async def replies(request: Any) -> Any:
        calls.append(request.messages[-1].content)
        if calls[-1] == "A":
            called.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return "swallowed"
        return echo(request)

    async with agents(THREE, replies) as (engine, _):
        task = asyncio.create_task(engine.agents.execute(await two_levels(engine), {}))
        await called.wait()
        (top,) = await engine.executions.list(status="running")
        await engine.executions.cancel(top.id)
        assert (await task).status == "cancelled"
        assert calls == ["A"]


# ------------------------------------------------------------------ costs


async def test_a_run_costs_what_its_children_cost_and_sums_count_it_once():
    async with agents(THREE, models=[PRICED]) as (engine, _):
        result = await engine.agents.execute(await two_levels(engine), {})
        # Each call has one token in the prompt and one in the answer.
        assert (result.cost, result.token_usage["total_tokens"]) == (6.0, 6)
        tree = await engine.executions.tree(result.execution_id)
        inner, c = tree.children
        assert (inner.cost, c.cost, [one.cost for one in inner.children]) == (4.0, 2.0, [2.0, 2.0])
        summary = await engine.costs.get_summary()
        assert (summary.total_cost, summary.total_executions, summary.total_tokens) == (6.0, 1, 6)
        assert (await engine.costs.get_agent_summary("inner")).total_cost == 4.0
        assert (await engine.costs.get_agent_summary("a")).total_cost == 2.0
        assert (await engine.costs.get_agent_summary("outer")).total_cost == 6.0


async def test_a_price_that_is_unknown_below_is_unknown_above():
    async with agents({"a": "A", "b": {"user_prompt": "B", "llm_model_id": "scripted/other"}}, models=[PRICED]) as (
        engine,
        _,
    ):
        result = await engine.agents.execute(await composite(engine, step("a"), step("b", "a")), {})
        assert (result.cost, result.cost_known) == (None, 2.0)
        assert [one.cost for one in (await engine.executions.get(result.execution_id)).children] == [2.0, None]


async def test_what_a_failed_child_has_cost_counts():
    async def replies(request: Any) -> Any:
        return Reply("no", finish="content_filter") if request.messages[-1].content == "B" else echo(request)

    async with agents(THREE, replies, models=[PRICED]) as (engine, _):
        result = await engine.agents.execute(await two_levels(engine), {})
        assert (result.status, result.cost) == ("failed", 4.0)


async def test_nothing_is_said_or_done_before_the_beginning_is_on_record():
    seen: list[int] = []

    @tool
    async def look() -> int:
        """How many executions are on record."""
        seen.append((await engine.executions.list()).meta.total)
        return seen[-1]

    async with scripted([], tools=[look]) as (engine, _):
        flow = await workflow(engine, *(node(name, tool="look") for name in "abc"))
        events = [event async for event in engine.agents.stream(flow, {})]
        assert [event.type for event in events][:2] == ["execution", "tool_start"]
        assert seen == [1, 1, 1]


class FailsOnce(MemoryStore):
    """Cannot put the first execution on record, at the first attempt."""

    failed = False

    async def begin_execution(self, row: ExecutionRow, *, wait: bool) -> None:
        await asyncio.sleep(0)
        if not self.failed:
            self.failed = True
            raise StoreUnavailableError("the store is away")
        await super().begin_execution(row, wait=wait)


async def test_branches_at_once_do_nothing_where_the_beginning_could_not_be_put_on_record():
    seen: list[int] = []

    @tool
    async def look() -> int:
        """How many executions are on record."""
        seen.append((await engine.executions.list()).meta.total)
        return seen[-1]

    async with AsyncEngine(FailsOnce(), tools=[look]) as engine:
        flow = await workflow(engine, *(node(name, tool="look") for name in "abc"), failure_policy="settle")
        result = await engine.agents.execute(flow, {})
        output = result.output or {}
        assert (result.status, output["errors"]["a"]["code"]) == ("completed", "store_unavailable")
        assert (output["b"], output["c"], seen) == ({"value": 1}, {"value": 1}, [1, 1])


async def test_sinks_get_a_tree_as_one_trace():
    printed = io.StringIO()
    memory = MemorySink()
    async with agents(THREE, sinks=[ConsoleSink(printed), memory]) as (engine, _):
        result = await engine.agents.execute(await two_levels(engine), {})
        await engine.flush()
        assert {span.trace.trace_id for span in memory.spans} == {result.trace_id}
        lines = [line for line in printed.getvalue().splitlines() if line.strip()]
        assert [line for line in lines if not line.startswith((" ", "│", "├", "└"))] == lines[:1]
        assert sum("llm" in line for line in lines) == 3


async def test_a_drawing_of_a_run_shows_what_the_agents_cost():
    async with agents(THREE, models=[PRICED]) as (engine, _):
        outer = await two_levels(engine)
        result = await engine.agents.execute(outer, {})
        picture = (await engine.agents.draw("outer", execution_id=result.execution_id)).text
        assert "agent inner" in picture
        assert "4 USD" in picture
        (inner, _c) = (await engine.executions.get(result.execution_id)).children
        below = (await engine.agents.draw("inner", execution_id=inner.id)).text
        assert below.count("2 USD") == 2
