"""What a fork leaves on record, what it counts, and how it goes on where it has stopped."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    CompositeAgentConfig,
    CompositeStep,
    ConfigurationError,
    ContentEvent,
    ExecutionEvent,
    Limits,
    ValidationError,
    tool,
)
from promptrails_engine.ports.store import ExecutionFilter
from promptrails_engine.store import open_store
from promptrails_engine.testing import ToolUse
from tests.catalog.kit import INPUT, KINDS, simple
from tests.engine.fork_kit import calls_then, keys_of, ran, three_steps, watched

GUARDED: dict[str, Any] = {"tools": [{"name": "double", "requires_approval": True}]}


@pytest.mark.usefixtures("each_store")
async def test_cost_and_tokens_are_those_of_the_fork_alone():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await three_steps(engine))
        before = (await engine.costs.get_summary()).total_cost
        fork = await engine.executions.fork(source.id, at="steps[2]")
        last = next(
            span
            for span in await engine.traces.get_by_trace_id(source.trace_id)
            if span.attributes.get("key") == "steps[2]/llm[0]"
        )
        assert (fork.cost, fork.token_usage["total_tokens"]) == (last.cost, last.total_tokens)
        assert (await engine.costs.get_summary()).total_cost == pytest.approx(before + (last.cost or 0))


@pytest.mark.usefixtures("each_store")
@pytest.mark.parametrize("kind", ["composite", "desk", "workflow"])
async def test_children_that_are_recalled_cost_nothing_and_are_no_children_of_the_fork(kind: str):
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await KINDS[kind](engine))
        fork = await engine.executions.fork(source.id, at=(await keys_of(engine, source.id))[-1])
        mine = await engine.executions.tree(fork.id)
        old = await engine.executions.tree(source.id)
        spans = await engine.traces.get_by_trace_id(fork.trace_id)
        named = {span.attributes.get("child_execution_id") for span in spans} - {None}
        recalled = named - {child.id for child in mine.children}
        assert recalled
        assert recalled <= {child.id for child in old.children}
        assert fork.cost == pytest.approx(sum(span.cost or 0 for span in spans))
        assert fork.cost is not None
        assert source.cost is not None
        assert fork.cost < source.cost


@pytest.mark.usefixtures("each_store")
async def test_budgets_count_what_the_fork_spends_and_limits_of_calls_the_whole_path():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await three_steps(engine))
        used = source.token_usage["total_tokens"]
        one = await engine.executions.fork(source.id, at="steps[2]", limits=Limits(max_total_tokens=used + 40))
        assert one.status == "completed"
        with_tools = await ran(engine, watch, await KINDS["with_tools"](engine))
        stopped = await engine.executions.fork(with_tools.id, at="prompt/llm[1]", limits=Limits(max_tool_calls=0))
        assert (stopped.status, stopped.error_code) == ("failed", "budget_exceeded")
        assert watch.called() == 0


@pytest.mark.usefixtures("each_store")
async def test_limits_of_the_source_hold_for_the_fork_unless_it_has_others():
    async with watched() as (engine, watch):
        failed = await engine.agents.execute(
            await KINDS["with_tools"](engine), INPUT, limits=Limits(max_tool_calls=0, max_rounds=9)
        )
        assert failed.error_code == "budget_exceeded"
        assert (await engine.executions.fork(failed.id)).error_code == "budget_exceeded"
        fork = await engine.executions.fork(failed.id, at="prompt/llm[0]", limits=Limits(max_tool_calls=1))
        assert fork.status == "completed"
        assert watch.called() == 1


@pytest.mark.usefixtures("each_store")
async def test_calls_that_are_recalled_are_in_the_trace_with_what_was_said_and_no_cost():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await KINDS["with_tools"](engine))
        fork = await engine.executions.fork(source.id, at="prompt/llm[1]")
        spans = {span.attributes.get("key"): span for span in await engine.traces.get_by_trace_id(fork.trace_id)}
        old = {span.attributes.get("key"): span for span in await engine.traces.get_by_trace_id(source.trace_id)}
        for key in ("prompt/llm[0]", "prompt/llm[0]/tool[0]"):
            assert spans[key].attributes["recalled"] is True
            assert (spans[key].input, spans[key].output) == (old[key].input, old[key].output)
            assert spans[key].token_usage is None
            assert spans[key].execution_id == fork.id
        assert spans["prompt/llm[0]"].cost == 0
        assert "recalled" not in spans["prompt/llm[1]"].attributes
        assert not {span.span_id for span in spans.values()} & {span.span_id for span in old.values()}
        by_id = {span.span_id: span for span in spans.values()}
        assert by_id[spans["prompt/llm[0]"].parent_span_id].parent_span_id == ""


@pytest.mark.usefixtures("each_store")
async def test_a_fork_says_where_it_comes_from_and_belongs_to_the_same_session():
    async with watched() as (engine, watch):
        made = await three_steps(engine)
        source = await ran(engine, watch, made, session_id="s", user_id="u", metadata={"of": "source"})
        fork = await engine.executions.fork(source.id, at="steps[1]", metadata={"why": "to see", "forked_from": "x"})
        record = await engine.executions.get(fork.id)
        assert record.metadata == {"why": "to see", "forked_from": source.id, "forked_at": "steps[1]"}
        assert (record.session_id, record.user_id, record.root_execution_id) == ("s", "u", fork.id)
        lock = (await engine.executions.get(source.id)).version_lock
        assert record.version_lock == {**lock, "fork": {"execution_id": source.id, "at": "steps[1]"}}
        events = [event async for event in engine.executions.stream(fork.id)]
        said = "".join(event.content for event in events if isinstance(event, ContentEvent))
        assert said == fork.text
        assert (events[0], events[-1].type) == (ExecutionEvent(fork.id, seq=1), "done")


@pytest.mark.usefixtures("each_store")
async def test_pure_tools_run_again_for_they_are_on_no_record():
    calls: list[int] = []

    @tool(effect="pure")
    def peek(n: int) -> int:
        """The number."""
        calls.append(n)
        return n

    async with watched(calls_then("got", ToolUse("peek", {"n": 5})), tools=[peek]) as (engine, watch):
        source = await ran(engine, watch, await simple(engine, tools=["peek"]))
        fork = await engine.executions.fork(source.id, at="prompt/llm[1]")
        assert (calls, fork.text, len(watch.asked())) == ([5, 5], "got 5", 1)


@pytest.mark.usefixtures("each_store")
async def test_input_that_cannot_be_run_leaves_nothing_behind():
    async with watched() as (engine, watch):
        schema = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
        source = await ran(engine, watch, await three_steps(engine, input_schema=schema))
        with pytest.raises(ValidationError):
            await engine.executions.fork(source.id, at="steps[1]", input={"x": 1})
        assert (await engine.executions.list()).meta.total == 1
        assert watch.asked() == []


async def test_a_run_that_goes_on_is_forked_from_what_is_on_record():
    begun, release = asyncio.Event(), asyncio.Event()

    async def answer(request: Any) -> str:
        begun.set()
        await release.wait()
        return f"<{request.messages[-1].content}>"

    async with watched(answer) as (engine, _watch):
        running = asyncio.create_task(engine.agents.execute(await three_steps(engine), INPUT))
        await begun.wait()
        source = (await engine.executions.list())[0]
        with pytest.raises(ValidationError, match=r"there are: steps\[0\], steps\[1\], steps\[2\]$"):
            await engine.executions.fork(source.id, at="steps[0]/llm[0]")
        release.set()
        fork, result = await asyncio.gather(engine.executions.fork(source.id, at="steps[1]"), running)
        assert fork.output == result.output


# ------------------------------------------------------------------ approvals


@pytest.mark.usefixtures("each_store")
@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_what_was_decided_before_the_step_is_not_asked_again(decision: Any):
    async with watched() as (engine, watch):
        source = await engine.agents.execute(await simple(engine, **GUARDED), INPUT)
        await engine.approvals.decide((await engine.approvals.list())[0].id, decision, "so be it", resume=False)
        source = await engine.executions.resume(source.id)
        watch.asked()
        watch.called()
        fork = await engine.executions.fork(source.id, at="prompt/llm[1]")
        assert (fork.status, fork.output) == ("completed", source.output)
        assert (len(watch.asked()), watch.called()) == (1, 0)
        assert (await engine.approvals.list()).meta.total == 1
        again = await engine.executions.fork(fork.id, at="prompt/llm[1]")
        assert (again.output, len(watch.asked())) == (source.output, 1)
        asks = await engine.executions.fork(source.id, at="prompt/llm[0]/tool[0]")
        assert asks.status == "awaiting_approval"
        assert watch.asked() == []
        assert (await engine.approvals.list(execution_id=asks.id, status="pending")).meta.total == 1


@pytest.mark.usefixtures("each_store")
async def test_a_run_that_waits_is_forked_too_and_both_go_on():
    async with watched() as (engine, watch):
        source = await engine.agents.execute(await simple(engine, **GUARDED), INPUT)
        fork = await engine.executions.fork(
            source.id, at="prompt/llm[0]/tool[0]", prompt={"user_prompt": "new {{ x }}"}
        )
        assert [source.status, fork.status] == ["awaiting_approval"] * 2
        assert len(watch.asked()) == 1
        for request in await engine.approvals.list(status="pending"):
            await engine.approvals.decide(request.id, "approved", resume=False)
        assert (await engine.executions.resume(source.id)).status == "completed"
        watch.asked()
        assert (await engine.executions.resume(fork.id)).status == "completed"
        messages = [message.content for message in watch.provider.requests[0].messages]
        assert messages[0] == "new 1"
        assert watch.called() == 2


async def test_a_fork_that_waits_goes_on_in_another_process_with_what_it_took_over(tmp_path: Path):
    path = str(tmp_path / "app.db")
    async with watched(store=path) as (engine, watch):
        first = await simple(engine, "first")
        guarded = await simple(engine, "guarded", text="guarded {{ x }}", **GUARDED)
        made = await two_agents(engine, first, guarded)
        source = await engine.agents.execute(made, INPUT)
        watch.asked()
        fork = await engine.executions.fork(source.id, at="steps[b]", model="scripted/n")
        assert fork.status == "awaiting_approval"
        assert watch.asked() == ["guarded 1"]
    async with watched(store=path) as (engine, watch):
        request = (await engine.approvals.list(root_execution_id=fork.id))[0]
        await engine.approvals.decide(request.id, "approved", resume=False)
        result = await engine.executions.resume(fork.id)
        assert result.raise_for_status().text == "[4]"
        assert [request.model for request in watch.provider.requests] == ["n"]
        assert watch.called() == 1
        assert result.cost is not None
        assert result.token_usage["total_tokens"] < 20


async def two_agents(engine: AsyncEngine, first: str, second: str) -> str:
    steps = [CompositeStep("a", first), CompositeStep("b", second, ["a"])]
    return (await engine.agents.create("Both", config=CompositeAgentConfig(steps))).id


# ------------------------------------------------------------------ processes that die


async def test_a_fork_whose_process_died_at_its_beginning_takes_over_what_it_has_to(tmp_path: Path):
    """As left by a process that died between putting a fork on record and its first write."""
    path = str(tmp_path / "app.db")
    async with watched(store=path) as (engine, watch):
        source = await ran(engine, watch, await KINDS["with_tools"](engine))
        fork = await engine.executions.fork(source.id, at="prompt/llm[1]", prompt={"system_prompt": "S"})
        orphan = await begun_only(path, fork.id, "orphan")
        watch.asked()
        result = await engine.executions.resume(orphan)
        assert (result.status, result.output) == ("completed", fork.output)
        assert (len(watch.asked()), watch.called()) == (1, 0)
        assert (await engine.executions.fork(orphan, at="prompt/llm[1]")).output == fork.output
        assert (len(watch.asked()), watch.called()) == (1, 0)


async def test_a_fork_that_cannot_take_over_what_it_has_to_runs_nothing(tmp_path: Path):
    path = str(tmp_path / "app.db")
    async with watched(store=path) as (engine, watch):
        source = await ran(engine, watch, await KINDS["with_tools"](engine))
        fork = await engine.executions.fork(source.id, at="prompt/llm[1]")
        orphan = await begun_only(path, fork.id, "orphan", forked_from="gone")
        watch.asked()
        with pytest.raises(ConfigurationError, match="not in this store any more"):
            await engine.executions.resume(orphan)
        assert (watch.asked(), watch.called()) == ([], 0)


async def begun_only(path: str, fork_id: str, new_id: str, **changes: Any) -> str:
    """A second execution like this fork, of which nothing is on record but that a process, now dead, has begun it."""
    store = open_store(path)
    await store.open()
    row = await store.get_execution("default", fork_id)
    assert row is not None
    lock = dict(row.version_lock)
    if "forked_from" in changes:
        lock["fork"] = {**lock["fork"], "execution_id": changes["forked_from"]}
    begun = replace(
        row,
        id=new_id,
        status="running",
        owner="dead",
        version_lock=lock,
        output=None,
        completed_at=None,
        token_usage={},
    )
    await store.begin_execution(begun, wait=True)
    await store.close()
    return new_id


async def test_what_a_fork_takes_over_is_on_record_before_its_first_call(tmp_path: Path):
    """A second engine on the same store sees the fork's journal while its first call is on its way."""
    path = str(tmp_path / "app.db")
    seen: list[list[str]] = []
    store = open_store(path)

    async def look(request: Any) -> Any:
        if request.messages[-1].role != "tool":
            return ToolUse("double", {"n": 1})
        rows, _ = await store.list_executions("default", ExecutionFilter(), offset=0, limit=1)
        seen.append([entry.key for entry in await store.read_journal("default", rows[0].id)])
        return "done"

    await store.open()
    async with watched(look, store=path) as (engine, watch):
        source = await ran(engine, watch, await KINDS["with_tools"](engine))
        await engine.executions.fork(source.id, at="prompt/llm[1]")
    await store.close()
    assert seen[-1] == ["prompt/llm[0]", "prompt/llm[0]/tool[0]"]
