"""Executions for which nobody waits: queued, taken up here or by a worker, let go where an engine is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    CompositeAgentConfig,
    ConfigurationError,
    Engine,
    EngineClosedError,
    InputInvalidError,
    Limits,
    MultiAgentConfig,
    NotFoundError,
    PromptLink,
    ValidationError,
    WorkflowAgentConfig,
)
from promptrails_engine.testing import ScriptedProvider, ToolUse
from tests.engine.families import Held, agent, step
from tests.engine.flows import echo, node
from tests.engine.kit import one_prompt, scripted
from tests.engine.park_kit import Ledger, guarded, pending, shape_of, types_of

each_store = pytest.mark.usefixtures("each_store")


def engine_on(path: Path, replies: Any = echo, **more: Any) -> AsyncEngine:
    provider = ScriptedProvider(replies)
    return AsyncEngine(str(path), providers=[provider], model="scripted/m", **more)


async def until(is_so: Callable[[], Any]) -> None:
    """Let others go on until something has come about that nobody tells."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0)


async def ended(engine: AsyncEngine, execution_id: str) -> Any:
    return await engine.executions.stream(execution_id).result()


# ------------------------------------------------------------------ here


@each_store
async def test_it_runs_here_while_the_caller_goes_on():
    held = Held("hello")
    async with scripted(held) as (engine, _):
        id = await one_prompt(engine)
        queued = await engine.agents.execute(id, {"text": "hello"}, sync=False)
        assert (queued.status, queued.output, queued.trace_id != "") == ("pending", None, True)
        await held.reached.wait()
        running = await engine.executions.get(queued.execution_id)
        assert (running.status, running.started_at is not None) == ("running", True)
        held.go.set()
        result = await ended(engine, queued.execution_id)
        assert (result.status, result.text, result.trace_id) == ("completed", "<Say: hello>", queued.trace_id)
        assert await types_of(engine, queued.execution_id) == ["execution", "content", "done"]


@each_store
async def test_it_keeps_what_it_was_called_with():
    ledger = Ledger()
    calls = [ToolUse("write", {"what": "one"}), ToolUse("write", {"what": "two"})]
    async with scripted(calls, tools=[ledger.tool("write")]) as (engine, _):
        id = await one_prompt(engine, agent_tools=["write"])
        given: dict[str, Any] = {"session_id": "s", "user_id": "u", "metadata": {"k": [1]}}
        queued = await engine.agents.execute(id, {"text": "x"}, sync=False, limits=Limits(max_tool_calls=1), **given)
        result = await ended(engine, queued.execution_id)
        assert (result.error_code, ledger.lines) == ("budget_exceeded", ["write one"])
        record = await engine.executions.get(queued.execution_id)
        assert (record.session_id, record.user_id, record.metadata, record.input) == (
            "s",
            "u",
            {"k": [1]},
            {"text": "x"},
        )


@each_store
async def test_it_runs_the_version_that_was_current_when_it_was_queued():
    async with scripted(echo, background=0) as (engine, _):
        id = await one_prompt(engine)
        queued = await engine.agents.execute(id, {"text": "x"}, sync=False)
        await engine.prompts.create_version("Prompt", user_prompt="other", set_current=True)
        assert (await engine.executions.resume(queued.execution_id)).text == "<Say: x>"


@each_store
async def test_input_that_cannot_be_run_is_refused_at_once():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "default": 3}}, "required": ["text"]}
    async with scripted(echo, background=0) as (engine, _):
        id = await one_prompt(engine, "{{ text }} {{ n }}", agent_input_schema=schema)
        for wrong in ({}, {"text": "x", "n": "many"}, "text"):
            with pytest.raises(InputInvalidError):
                await engine.agents.execute(id, wrong, sync=False)  # type: ignore[arg-type]
        with pytest.raises(NotFoundError):
            await engine.agents.execute("nobody", {}, sync=False)
        with pytest.raises(ValidationError):
            await engine.agents.execute(id, {"text": "x"}, sync=False, metadata={"k": object()})
        assert len(await engine.executions.list()) == 0
        queued = await engine.agents.execute(id, {"text": "x"}, sync=False)
        assert (await engine.executions.resume(queued.execution_id)).text == "<x 3>"


@each_store
async def test_input_that_the_first_prompt_refuses_is_refused_at_once_and_gets_its_defaults_in_the_run():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "default": 3}}, "required": ["text"]}
    async with scripted(echo, background=0) as (engine, _):
        id = await one_prompt(engine, "{{ text }} {{ n }}", input_schema=schema)
        with pytest.raises(InputInvalidError):
            await engine.agents.execute(id, {"text": "x", "n": "many"}, sync=False)
        assert len(await engine.executions.list()) == 0
        queued = await engine.agents.execute(id, {"text": "x"}, sync=False)
        assert (await engine.executions.get(queued.execution_id)).input == {"text": "x"}
        assert (await engine.executions.resume(queued.execution_id)).text == "<x 3>"


@each_store
async def test_not_more_run_at_once_than_there_are_places():
    most = now = 0
    full = asyncio.Event()

    async def reply(request: Any) -> str:
        nonlocal most, now
        now += 1
        most = max(most, now)
        if now == 2:
            full.set()
        await full.wait()
        now -= 1
        return echo(request)

    async with scripted(reply, background=2) as (engine, _):
        id = await one_prompt(engine)
        queued = [await engine.agents.execute(id, {"text": str(n)}, sync=False) for n in range(6)]
        results = await asyncio.gather(*(ended(engine, one.execution_id) for one in queued))
        assert [result.text for result in results] == [f"<Say: {n}>" for n in range(6)]
        assert most == 2


@each_store
async def test_one_that_waits_for_approval_takes_no_place():
    ledger = Ledger()

    def reply(request: Any) -> Any:
        last = request.messages[-1]
        return f"[{last.content}]" if last.role == "tool" else ToolUse("write", {"what": last.content[-1]})

    async with scripted(reply, tools=[ledger.tool("write")], background=1) as (engine, _):
        id = await one_prompt(engine, agent_tools=guarded("write"))
        queued = [await engine.agents.execute(id, {"text": str(n)}, sync=False) for n in range(3)]
        heard: list[str] = []
        for one in queued:
            async for event in engine.executions.stream(one.execution_id):
                if event.type == "approval_required":
                    heard.append(event.approval_id)
                    break
        assert ledger.lines == []
        for approval in reversed(heard):
            await engine.approvals.decide(approval, "approved")
        results = [await ended(engine, one.execution_id) for one in queued]
        assert [result.text for result in results] == [f"[write did {n}]" for n in range(3)]
        assert sorted(ledger.lines) == ["write 0", "write 1", "write 2"]


# ------------------------------------------------------------------ others


@each_store
async def test_without_places_it_waits_for_somebody():
    async with scripted(echo, background=0) as (engine, provider):
        id = await one_prompt(engine)
        queued = await engine.agents.execute(id, {"text": "x"}, sync=False)
        await engine.agents.execute(id, {"text": "y"})
        assert (await engine.executions.get(queued.execution_id)).status == "pending"
        assert len(provider.requests) == 1
        await engine.start_worker(1)
        assert (await ended(engine, queued.execution_id)).text == "<Say: x>"


@each_store
async def test_one_that_is_queued_can_be_cancelled():
    async with scripted([], background=0) as (engine, _):
        id = await one_prompt(engine)
        queued = await engine.agents.execute(id, {"text": "x"}, sync=False)
        record = await engine.executions.cancel(queued.execution_id)
        assert (record.status, record.error_code) == ("cancelled", "cancelled")
        await engine.start_worker(1)
        assert [event.type async for event in engine.executions.stream(queued.execution_id)] == ["error"]


async def test_a_worker_on_the_same_store_takes_it(tmp_path: Path):
    path = tmp_path / "app.db"
    async with engine_on(path, [], background=0) as asks, engine_on(path, background=0) as works:
        id = await one_prompt(asks)
        await works.start_worker()
        queued = await asks.agents.execute(id, {"text": "x"}, sync=False)
        events = [event.type async for event in asks.executions.stream(queued.execution_id)]
        assert (events[0], events[-1]) == ("execution", "done")
        assert (await asks.executions.get(queued.execution_id)).text == "<Say: x>"


async def test_what_one_engine_cannot_run_is_left_to_one_that_can(tmp_path: Path):
    path, ledger = tmp_path / "app.db", Ledger()
    calls = [ToolUse("write", {"what": "one"}), "done"]
    async with engine_on(path, calls, tools=[ledger.tool("write")], background=0) as able:
        id = await one_prompt(able, agent_tools=["write"])
        queued = await able.agents.execute(id, {"text": "x"}, sync=False)
        async with engine_on(path, [], background=0) as unable:
            recovery = await unable.recover()
            assert recovery.resumed == [queued.execution_id]
        await able.start_worker()
        assert (await ended(able, queued.execution_id)).text == "done"
        assert ledger.lines == ["write one"]


def test_the_sync_face_queues_too(tmp_path: Path):
    with Engine(str(tmp_path / "app.db"), providers=[ScriptedProvider(echo)], model="scripted/m") as engine:
        prompt = engine.prompts.create("Prompt", user_prompt="Say: {{ text }}")
        id = engine.agents.create("Agent", config={"type": "simple", "prompt_id": prompt.id}).id
        queued = engine.agents.execute(id, {"text": "x"}, sync=False)
        assert engine.executions.stream(queued.execution_id).result().text == "<Say: x>"


@pytest.mark.parametrize("places", [-1, 1.5, True, "8"])
def test_places_are_a_whole_number(places: Any):
    with pytest.raises(ConfigurationError, match="background is a whole number"):
        AsyncEngine(background=places)


# ------------------------------------------------------------------ a close


class HeldTwice(Held):
    """Asks for a sum first, where it can."""

    async def __call__(self, request: Any) -> Any:
        found = await super().__call__(request)
        can = request.tools and request.messages[-1].role == "user"
        return ToolUse("calculator", {"expression": "1 + 1"}) if can else found


async def build_simple(engine: AsyncEngine) -> str:
    return await agent(engine, "It", "one")


async def build_many(engine: AsyncEngine) -> str:
    for name in ("one", "two"):
        await engine.prompts.create(name, user_prompt=name)
    links = [PromptLink("one", "one", 0), PromptLink("two", "two", 1)]
    config = MultiAgentConfig(links, failure_policy="settle")
    return (await engine.agents.create("It", config=config, tools=["calculator"])).id


async def build_flow(engine: AsyncEngine) -> str:
    for name in ("one", "two", "three"):
        await engine.prompts.create(name, user_prompt=name)
    nodes = [node("one"), node("two"), node("three", "one", "two")]
    config = WorkflowAgentConfig(nodes, failure_policy="settle")
    return (await engine.agents.create("It", config=config)).id


async def build_team(engine: AsyncEngine) -> str:
    for name in ("one", "two", "three"):
        await agent(engine, name, name)
    steps = [step("one"), step("two"), step("three", "one", "two")]
    return (await engine.agents.create("It", config=CompositeAgentConfig(steps))).id


BUILDS = [build_simple, build_many, build_flow, build_team]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("at_once", [False, True])
async def test_what_is_going_on_when_an_engine_is_closed_goes_on_elsewhere(tmp_path: Path, build: Any, at_once: bool):
    """Stopped at its next step, or in the midst of a call: the record is that of a run that was never stopped."""
    path = tmp_path / "app.db"
    held = HeldTwice("one")
    async with engine_on(path, held) as engine:
        id = await build(engine)
        queued = await engine.agents.execute(id, {}, sync=False)
        await held.reached.wait()
        if not at_once:
            closing = asyncio.create_task(engine.aclose(grace_s=60))
            await until(lambda: engine._parts.runner._closed)
            held.go.set()
            await closing
        else:
            await engine.aclose(grace_s=0)
        with pytest.raises(EngineClosedError, match="make a new one"):
            await engine.agents.execute(id, {}, sync=False)
    held.go.set()
    async with engine_on(path, held, background=0) as engine:
        record = await engine.executions.get(queued.execution_id)
        if build is build_simple and not at_once:
            assert record.status == "completed"  # it had no further step
            return
        assert (record.status, record.completed_at) == ("pending", None)
        result = await engine.executions.resume(queued.execution_id)
        other = await engine.agents.execute(id, {})
        assert (result.status, result.output, result.token_usage) == ("completed", other.output, other.token_usage)
        assert await shape_of(engine, result) == await shape_of(engine, other)
        types = [type for type in await types_of(engine, result.execution_id) if type != "restart"]
        assert types[0] == "execution"
        assert types.count("done") == 1
        assert types[-1] == "done"


async def test_what_is_queued_when_an_engine_is_closed_stays_queued(tmp_path: Path):
    path = tmp_path / "app.db"
    held = Held("first")
    async with engine_on(path, held, background=1) as engine:
        id = await one_prompt(engine)
        first = await engine.agents.execute(id, {"text": "first"}, sync=False)
        await held.reached.wait()
        others = [await engine.agents.execute(id, {"text": str(n)}, sync=False) for n in range(5)]
        await engine.aclose(grace_s=0)
    async with engine_on(path) as engine:
        for one in (first, *others):
            assert (await engine.executions.get(one.execution_id)).status in ("pending", "running", "completed")
        recovery = await engine.recover()
        assert len(recovery.resumed) <= 6
        results = [await ended(engine, one.execution_id) for one in (first, *others)]
        assert [result.status for result in results] == ["completed"] * 6
        again = await engine.recover()
        assert (again.resumed, again.in_doubt, again.ended) == ([], [], [])


async def test_a_tool_at_work_when_a_graceful_close_comes_ends_its_work(tmp_path: Path):
    """What runs beside the step that was stopped goes on to its end, and leaves no doubt."""
    path, ledger = tmp_path / "app.db", Ledger()
    working, go = asyncio.Event(), asyncio.Event()

    async def slow(what: str) -> str:
        """Works."""
        working.set()
        await go.wait()
        ledger.lines.append(what)
        return "done"

    async def build(engine: AsyncEngine) -> str:
        for name in ("one", "two"):
            await engine.prompts.create(name, user_prompt=name)
        nodes = [node("slow", tool="slow", input_mapping={"what": "x"}), node("one"), node("two", "one")]
        return (await engine.agents.create("It", config=WorkflowAgentConfig(nodes))).id

    held = Held("one")
    async with engine_on(path, held, tools=[slow]) as engine:
        queued = await engine.agents.execute(await build(engine), {}, sync=False)
        await asyncio.gather(working.wait(), held.reached.wait())
        running: Any = engine._parts.runner.live(queued.execution_id)
        closing = asyncio.create_task(engine.aclose(grace_s=60))
        await until(lambda: engine._parts.runner._closed)
        held.go.set()
        await until(lambda: any(span.attributes.get("key") == "nodes[one]" for span in running.spans))
        go.set()
        await closing
    async with engine_on(path, tools=[slow], background=0) as engine:
        result = await engine.executions.resume(queued.execution_id)
        assert (result.status, ledger.lines) == ("completed", ["x"])


@each_store
async def test_after_a_close_every_call_says_so():
    async with scripted([]) as (engine, _):
        id = await one_prompt(engine)
        await engine.aclose()
        for call in (
            engine.agents.execute(id, {}),
            engine.agents.execute(id, {}, sync=False),
            engine.executions.list(),
            engine.executions.resume("x"),
            engine.approvals.list(),
            engine.approvals.decide("x", "approved"),
            engine.recover(),
            engine.start_worker(),
            pending(engine, None),  # type: ignore[arg-type]
        ):
            with pytest.raises((EngineClosedError, AttributeError)):
                await call
