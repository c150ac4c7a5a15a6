"""Runs whose process has died: taken over, and brought to the end that they would have had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    ConflictError,
    MultiAgentConfig,
    NotFoundError,
    PromptLink,
    SubAgentAttachment,
    ValidationError,
    WorkflowAgentConfig,
)
from promptrails_engine.events import Event
from promptrails_engine.ports.provider import Delta, TextDelta
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse
from tests.engine.crash_kit import Script, die, engine_on, flushed, mortal, recovered
from tests.engine.families import PRICED, Held, agent, composite, step
from tests.engine.flows import node
from tests.engine.kit import SCHEMA
from tests.engine.park_kit import Ledger, events_of, shape_of, tree_of, types_of


def worker(request: Any) -> Any:
    """Writes and looks up what it is asked for; answers under a schema at the second attempt."""
    last = request.messages[-1]
    if last.role == "tool":
        return Reply(f"[{last.content}]", thinking="hm")
    verb, _, rest = last.content.partition(" ")
    if verb == "write":
        calls = [ToolUse("write", {"what": rest}), ToolUse("look", {"what": rest})]
        return Reply(tool_calls=calls if len(request.tools) > 1 else calls[:1], text="I write.")
    if verb == "ask":
        return Reply(tool_calls=[ToolUse(spec.name, {"task": rest}) for spec in request.tools])
    if verb == "json":
        return {"category": "?"}
    return {"category": "order"} if last.content.startswith("That is not valid") else f"<{last.content}>"


async def links(engine: AsyncEngine, *texts: str) -> list[PromptLink]:
    for text in texts:
        await engine.prompts.create(text, user_prompt=text)
    return [PromptLink(text, f"r{place}", place) for place, text in enumerate(texts)]


async def chain(engine: AsyncEngine) -> None:
    found = await links(engine, "write one", "say two", "write three")
    await engine.agents.create("It", config=ChainAgentConfig(found), tools=["write", "look"])


async def simple(engine: AsyncEngine) -> None:
    prompt = {"user_prompt": "write it", "output_schema": SCHEMA}
    await agent(engine, "It", prompt, tools=["write", "look"])


async def repairs(engine: AsyncEngine) -> None:
    await agent(engine, "It", {"user_prompt": "json", "output_schema": SCHEMA})


async def many(engine: AsyncEngine) -> None:
    found = await links(engine, "write one", "say two", "write three")
    config = MultiAgentConfig(found, aggregation="vote", failure_policy="settle")
    await engine.agents.create("It", config=config, tools=["write", "look"])


async def flow(engine: AsyncEngine) -> None:
    await links(engine, "write one", "say {{ item }}", "say two")
    nodes = [
        node("a", prompt_id="write one"),
        node("t", "a", tool="write", input_mapping={"what": "by node"}),
        node("broken", tool="broken", input_mapping={"what": "x"}),
        node("m", "a", prompt_id="say {{ item }}", map_over="[1, 2, 3]"),
        node("skipped", "a", prompt_id="say two", condition="mode == 'x'"),
        node("end", "t", "m", "skipped", prompt_id="say two"),
    ]
    config = WorkflowAgentConfig(nodes, failure_policy="settle")
    await engine.agents.create("It", config=config, tools=["write", "look"])


async def team(engine: AsyncEngine) -> None:
    await agent(engine, "a", "write a", tools=["write", "look"])
    await agent(engine, "b", "say b")
    inner = await composite(engine, step("a"), step("b"), name="inner")
    await composite(engine, step("inner", agent_id=inner), step("b"), step("a", "inner", "b"), name="It")


async def helpers(engine: AsyncEngine) -> None:
    await agent(engine, "a", "write {{ task }}", tools=["write", "look"])
    await agent(engine, "b", "say {{ task }}")
    await agent(engine, "It", "ask it", sub_agents=["a", "b"])


async def handoff(engine: AsyncEngine) -> None:
    await agent(engine, "a", "write {{ task }}", tools=["write", "look"])
    await agent(engine, "It", "ask it", sub_agents=[SubAgentAttachment("a", mode="handoff")])


MODE = {"mode": "y"}
BUILDS = [chain, simple, repairs, many, flow, team, helpers, handoff]


def tools_of(ledger: Ledger) -> dict[str, Any]:
    named = [ledger.tool("write"), ledger.tool("look", "pure"), ledger.tool("broken", "idempotent", fails=True)]
    return {"tools": named, "models": [PRICED]}


def once(ledger: Ledger) -> dict[str, int]:
    """What may not be done twice."""
    return {line: count for line, count in ledger.counts.items() if line.startswith("write")}


async def told(engine: AsyncEngine, execution_id: str) -> list[str]:
    """What a listener has heard in the end, beside text."""
    await types_of(engine, execution_id)
    return sorted(event.type for event in standing(await events_of(engine, execution_id)) if event.type != "content")


@pytest.mark.parametrize("build", BUILDS)
async def test_a_run_whose_process_dies_at_any_call_ends_as_if_it_had_not(tmp_path: Path, build: Any):
    ledger, script = Ledger(), Script(worker)
    async with engine_on(tmp_path / "whole.db", script, **tools_of(ledger)) as engine:
        await build(engine)
        result = await engine.agents.execute("It", MODE)
        whole = (await tree_of(engine, result), await shape_of(engine, result))
        types = await told(engine, result.execution_id)
    assert result.status == "completed", result.error
    effects = once(ledger)
    for number in range(1, script.calls + 1):
        path, ledger, dies = tmp_path / f"{number}.db", Ledger(), Script(worker, number)
        async with mortal(path, dies, **tools_of(ledger)) as engine:
            await build(engine)
            stream = engine.agents.stream("It", MODE)
            execution_id = (await anext(stream)).execution_id  # type: ignore[union-attr]
            await dies.dying.wait()
            await flushed(engine)
            await die(engine, path)
        again = Script(worker)
        async with engine_on(path, again, **tools_of(ledger)) as engine:
            result = await recovered(engine, execution_id, ledger.lines)
            assert (await tree_of(engine, result), await shape_of(engine, result)) == whole, number
            assert once(ledger) == effects
            assert await told(engine, result.execution_id) == types
            assert (await types_of(engine, result.execution_id))[-1] == "done"
            assert number - 1 + again.calls <= script.calls + 3  # of calls side by side some had no answer yet
            assert (await engine.recover()).resumed == []


# ------------------------------------------------------------------ in the midst of an answer


async def plain(engine: AsyncEngine) -> None:
    await agent(engine, "It", "write it", tools=["write", "look"])


class Cutting(ScriptedProvider):
    """Stops for ever in the midst of the answer to the call with this number."""

    def __init__(self, cut_at: int) -> None:
        super().__init__(worker)
        self.cut_at = cut_at
        self.said = asyncio.Event()

    async def stream(self, request: Any) -> AsyncIterator[Delta]:
        cuts, pieces = len(self.requests) + 1 == self.cut_at, 0
        async for delta in super().stream(request):
            yield delta
            pieces += isinstance(delta, TextDelta)
            if cuts and pieces == 1:
                self.said.set()
                await asyncio.Event().wait()


def standing(events: list[Event]) -> list[Event]:
    """What a listener holds who forgets what was taken back."""
    found: list[Event] = []
    for event in events:
        if event.type == "restart":
            found = [one for one in found if one.seq <= event.after]
        else:
            found.append(event)
    return found


def said(events: list[Event]) -> str:
    return "".join(event.content for event in events if event.type == "content")


@pytest.mark.parametrize("build", [plain, chain, team, helpers, handoff])
async def test_pieces_of_an_answer_that_was_cut_are_taken_back(tmp_path: Path, build: Any):
    """And said again: by the run itself, and by agents below whose answer is that of the run."""
    path, ledger = tmp_path / "app.db", Ledger()
    async with engine_on(path, Script(worker), **tools_of(ledger)) as engine:
        await build(engine)
        whole = await engine.agents.execute("It", {})
        calls = len([path for path in await shape_of(engine, whole) if path[-1][0] == "llm"])
        wanted = await events_of(engine, whole.execution_id)
    cutting = Cutting(calls)
    async with mortal(path, cutting, **tools_of(ledger)) as engine:
        stream = engine.agents.stream("It", MODE)
        execution_id = (await anext(stream)).execution_id  # type: ignore[union-attr]
        await cutting.said.wait()
        await flushed(engine)
        await die(engine, path)
    async with engine_on(path, Script(worker), **tools_of(ledger)) as engine:
        before = await events_of(engine, execution_id)
        assert said(before) != said(wanted)
        result = await recovered(engine, execution_id)
        events = await events_of(engine, execution_id)
        assert events[: len(before)] == before
        assert [event.type for event in events].count("restart") == 1
        stands = standing(events)
        assert said(stands) == said(wanted)
        types = [event.type for event in stands]
        for type in ("execution", "tool_start", "tool_end", "done"):
            assert types.count(type) == [event.type for event in wanted].count(type), type
        assert (result.status, result.output, result.token_usage) == ("completed", whole.output, whole.token_usage)
        for child in (await engine.executions.get(execution_id)).children:
            assert (await types_of(engine, child.id))[-1] == "done"
        again = [event async for event in engine.executions.stream(execution_id, after=len(before))]
        assert again == events[len(before) :]


# ------------------------------------------------------------------ doubts, and those that keep dying


async def in_doubt(path: Path, ledger: Ledger) -> str:
    """The id of a run that died while its tool was at work."""
    working = asyncio.Event()

    async def write(what: str) -> str:
        """Writes."""
        working.set()
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async with mortal(path, [ToolUse("write", {"what": "one"})], tools=[write]) as engine:
        await agent(engine, "It", "A", tools=["write"])
        queued = await engine.agents.execute("It", {}, sync=False)
        resuming = asyncio.create_task(engine.executions.resume(queued.execution_id))
        await working.wait()
        await die(engine, path)
        await asyncio.gather(resuming, return_exceptions=True)
    return queued.execution_id


@pytest.mark.parametrize(
    ("decision", "value", "lines", "seen"),
    [
        ("retry", None, ["write one"], "write did one"),
        ("value", {"id": 5}, [], '{"id":5}'),
        ("value", "it did", [], "it did"),
        ("fail", None, [], '{"error":"out of order"}'),
    ],
)
async def test_a_doubt_is_resolved_in_one_of_three_ways(
    tmp_path: Path, decision: Any, value: Any, lines: list[str], seen: str
):
    path, ledger = tmp_path / "app.db", Ledger()
    id = await in_doubt(path, ledger)

    def reply(request: Any) -> str:
        assert request.messages[-1].content == seen
        return "done"

    async with engine_on(path, reply, tools=[ledger.tool("write")]) as engine:
        recovery = await engine.recover()
        assert (recovery.resumed, recovery.in_doubt, recovery.ended) == ([], [id], [])
        [doubt] = await engine.executions.doubts(id)
        assert doubt.to_dict() == {
            "execution_id": id,
            "step": "prompt/llm[0]/tool[0]",
            "tool": "write",
            "arguments": {"what": "one"},
        }
        with pytest.raises(ConflictError, match="is in doubt; executions"):
            await engine.executions.resume(id)
        record = await engine.executions.resolve(id, doubt.step, decision, value, reason="out of order")
        assert record.status in ("running", "pending", "completed")
        result = await engine.executions.stream(id).result()
        assert (result.text, ledger.lines) == ("done", lines)
        types = await types_of(engine, id)
        assert (types.count("tool_start"), types.count("tool_end"), types[-1]) == (1, 1, "done")
        [shown] = [own[-1] for own in await shape_of(engine, result) if own[-1][0] == "tool"]
        assert shown[3] == ("error" if decision == "fail" else "ok")
        assert await engine.executions.doubts(id) == []
        with pytest.raises(ConflictError, match="has no doubt about"):
            await engine.executions.resolve(id, doubt.step, decision, value)


async def test_what_cannot_resolve_a_doubt_is_refused(tmp_path: Path):
    path, ledger = tmp_path / "app.db", Ledger()
    id = await in_doubt(path, ledger)
    async with engine_on(path, []) as engine:
        await engine.recover()
        [doubt] = await engine.executions.doubts(id)
        with pytest.raises(ValidationError, match="retry, value, fail, not with 'skip'"):
            await engine.executions.resolve(id, doubt.step, "skip")  # type: ignore[arg-type]
        with pytest.raises(ValidationError, match="value"):
            await engine.executions.resolve(id, doubt.step, "value", object())
        with pytest.raises(ConflictError, match=r"executions\.doubts\(id\) shows"):
            await engine.executions.resolve(id, "prompt/llm[7]/tool[0]", "retry")
        with pytest.raises(NotFoundError):
            await engine.executions.resolve("nothing", doubt.step, "retry")
        with pytest.raises(NotFoundError):
            await engine.executions.doubts("nothing")
        assert [one.step for one in await engine.executions.doubts(id)] == [doubt.step]
        record = await engine.executions.cancel(id)
        assert record.status == "cancelled"
        assert await engine.executions.doubts(id) == []


async def test_a_run_that_keeps_killing_its_process_is_given_up(tmp_path: Path):
    path = tmp_path / "app.db"
    async with engine_on(path, []) as engine:
        await agent(engine, "a", "A")
        await composite(engine, step("a"), name="It")
        queued = await engine.agents.execute("It", {}, sync=False)
    for attempt in range(6):
        dies = Script(worker, 1)
        async with mortal(path, dies) as engine:
            if attempt:
                assert (await engine.recover()).resumed == [queued.execution_id]
            else:
                await engine.start_worker()
            await dies.dying.wait()
            await die(engine, path)
    async with engine_on(path, []) as engine:
        recovery = await engine.recover()
        assert (recovery.resumed, recovery.ended) == ([], [queued.execution_id])
        tree = await engine.executions.tree(queued.execution_id)
        for one in (tree, *tree.children):
            assert (one.status, one.error_code) == ("failed", "recovery_exhausted")
            assert "has died 6 times" in one.error
            assert (await types_of(engine, one.id))[-1] == "error"
        assert (await engine.recover()).ended == []


async def test_one_that_was_to_be_cancelled_when_its_process_died_is_cancelled(tmp_path: Path):
    path, dies = tmp_path / "app.db", Script(worker, 1)
    async with mortal(path, dies) as engine, engine_on(path, []) as other:
        await agent(engine, "It", "A")
        queued = await engine.agents.execute("It", {}, sync=False)
        resuming = asyncio.create_task(engine.executions.resume(queued.execution_id))
        await dies.dying.wait()
        engine._store.dead = True  # type: ignore[attr-defined]
        await other.executions.cancel(queued.execution_id)
        await die(engine, path)
        await asyncio.gather(resuming, return_exceptions=True)
        recovery = await other.recover()
        assert recovery.ended == [queued.execution_id]
        record = await other.executions.get(queued.execution_id)
        assert (record.status, record.error_code) == ("cancelled", "cancelled")
        assert (await types_of(other, queued.execution_id))[-1] == "error"


@pytest.mark.parametrize("status", ["completed", "running"])
async def test_what_cannot_be_resumed_says_why(tmp_path: Path, status: str):
    path, held = tmp_path / "app.db", Held("B")
    async with engine_on(path, held) as engine:
        id = await agent(engine, "It", "A" if status == "completed" else "B")
        running = asyncio.create_task(engine.agents.execute(id, {}))
        if status == "running":
            await held.reached.wait()
        else:
            await running
        [record] = await engine.executions.list()
        with pytest.raises(ConflictError, match="has ended as completed" if running.done() else "is running") as error:
            await engine.executions.resume(record.id)
        assert error.value.details["status"] == status
        held.go.set()
        assert (await running).status == "completed"
        with pytest.raises(NotFoundError, match=r"executions\.list\(\)"):
            await engine.executions.resume("nothing")
