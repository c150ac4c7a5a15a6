"""Executions that their caller names: one key, one run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine import (
    AsyncEngine,
    ConflictError,
    Engine,
    InputInvalidError,
    NotFoundError,
    SimpleAgentConfig,
    ValidationError,
)
from promptrails_engine.ids import IdFactory
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing import ScriptedProvider
from tests.engine.kit import one_prompt, scripted

in_each_store = pytest.mark.usefixtures("each_store")
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}, "tone": {"type": "string", "default": "dry"}}}


@in_each_store
@pytest.mark.parametrize("sync", [True, False])
async def test_a_key_runs_once_and_gives_the_same_execution(sync: bool):
    async with scripted(["one"], background=0) as (engine, provider):
        agent = await one_prompt(engine)
        first = await engine.agents.execute(agent, {"text": "a"}, idempotency_key="order-7", sync=sync)
        again = await engine.agents.execute("Agent", {"text": "a"}, idempotency_key="order-7", sync=sync)
        assert again == first
        assert (await engine.executions.list()).meta.total == 1
        assert (await engine.executions.get_by_key("order-7")).id == first.execution_id
        if not sync:
            assert (first.status, provider.requests) == ("pending", [])
            await engine.executions.resume(first.execution_id)
        done = await engine.agents.execute(agent, {"text": "a"}, idempotency_key="order-7", sync=sync)
        assert (done.execution_id, done.status, done.text) == (first.execution_id, "completed", "one")
        assert len(provider.requests) == 1


@in_each_store
async def test_a_key_of_something_else_is_a_conflict_and_changes_nothing():
    async with scripted(["one"]) as (engine, _):
        agent = await one_prompt(engine)
        prompt = (await engine.prompts.get("Prompt")).id
        other = await engine.agents.create("Other", config=SimpleAgentConfig(prompt_id=prompt))
        first = await engine.agents.execute(agent, {"text": "a"}, idempotency_key="k")
        for wrong, data in ((agent, {"text": "b"}), (agent, {}), (other.id, {"text": "a"}), ("Other", {"text": "a"})):
            with pytest.raises(ConflictError, match="new key") as caught:
                await engine.agents.execute(wrong, data, idempotency_key="k")
            assert caught.value.code == "idempotency_conflict"
            assert caught.value.details == {"execution_id": first.execution_id}
        assert (await engine.executions.list()).meta.total == 1


async def test_input_is_compared_as_the_version_that_runs_it_takes_it():
    async with scripted(["one"]) as (engine, _):
        agent = await one_prompt(engine, agent_input_schema=SCHEMA)
        first = await engine.agents.execute(agent, {"text": "a"}, idempotency_key="k")
        assert (await engine.executions.get(first.execution_id)).input == {"text": "a", "tone": "dry"}
        schema: dict[str, Any] = {**SCHEMA, "required": ["number"]}
        await engine.agents.create_version(
            agent, config=SimpleAgentConfig(prompt_id=(await engine.prompts.get("Prompt")).id),
            input_schema=schema, set_current=True,
        )  # fmt: skip
        for same in ({"text": "a"}, {"tone": "dry", "text": "a"}):
            assert await engine.agents.execute(agent, same, idempotency_key="k") == first
        with pytest.raises(InputInvalidError):
            await engine.agents.execute(agent, {"text": "a"}, idempotency_key="another")


@in_each_store
async def test_of_calls_at_the_same_time_one_runs():
    async def reply(request: ModelRequest) -> str:
        await entered.wait()
        return "one"

    entered = asyncio.Event()
    async with scripted(reply) as (engine, provider):
        agent = await one_prompt(engine)
        call = engine.agents.execute
        calls = [asyncio.create_task(call(agent, {"text": "a"}, idempotency_key="k")) for _ in range(5)]
        done, running = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        while len(running) > 1:
            more, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        assert {task.result().status for task in done} == {"running"}
        entered.set()
        result = await running.pop()
        assert (result.status, len(provider.requests)) == ("completed", 1)
        assert {task.result().execution_id for task in calls} == {result.execution_id}
        assert (await engine.executions.get(result.execution_id)).status == "completed"


async def test_of_two_engines_on_one_store_one_runs(tmp_path: Any):
    store = str(tmp_path / "app.db")
    ask = lambda request: request.messages[-1].content  # noqa: E731
    async with scripted(ask, store=store) as (one, here), scripted(ask, store=store) as (two, there):
        agent = await one_prompt(one)
        keys = [f"k{n}" for n in range(20)]
        results = await asyncio.gather(
            *(e.agents.execute(agent, {"text": key}, idempotency_key=key) for key in keys for e in (one, two))
        )
        assert {result.status for result in results} <= {"running", "completed"}
        assert len(here.requests) + len(there.requests) == len(keys)
        for key in keys:
            record = await one.executions.get_by_key(key)
            assert (record.status, record.output) == ("completed", {"content": f"Say: {key}", "type": "text"})


async def test_a_run_with_a_key_goes_on_when_its_caller_gives_up():
    async def reply(request: ModelRequest) -> str:
        asked.set()
        await entered.wait()
        return "one"

    asked, entered = asyncio.Event(), asyncio.Event()
    async with scripted(reply) as (engine, _):
        agent = await one_prompt(engine)
        call = asyncio.create_task(engine.agents.execute(agent, {"text": "a"}, idempotency_key="k"))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        entered.set()
        execution = await engine.executions.get_by_key("k")
        async for _ in engine.executions.stream(execution.id):
            pass
        assert (await engine.agents.execute(agent, {"text": "a"}, idempotency_key="k")).text == "one"


async def test_what_cannot_be_run_leaves_its_key_free():
    async with scripted(["one"]) as (engine, _):
        agent = await one_prompt(engine, agent_input_schema=SCHEMA)
        with pytest.raises(InputInvalidError):
            await engine.agents.execute(agent, {"text": 1}, idempotency_key="k")
        with pytest.raises(NotFoundError, match="'k'"):
            await engine.executions.get_by_key("k")
        assert (await engine.agents.execute(agent, {"text": "a"}, idempotency_key="k")).text == "one"


async def test_keys_belong_to_a_workspace(tmp_path: Any):
    store = str(tmp_path / "app.db")
    ids: list[str] = []
    for workspace in ("a", "b"):
        async with scripted(["one"], store=store, workspace_id=workspace) as (engine, _):
            result = await engine.agents.execute(await one_prompt(engine), {"text": "a"}, idempotency_key="k")
            ids.append(result.execution_id)
    assert len(set(ids)) == 2


@pytest.mark.parametrize("key", ["", 7])
async def test_a_key_is_a_text(key: Any):
    async with AsyncEngine() as engine:
        with pytest.raises(ValidationError, match="idempotency key"):
            await engine.agents.execute("Agent", {}, idempotency_key=key)


def test_the_sync_engine_takes_keys_too():
    with Engine(providers=[ScriptedProvider(["one"])], model="scripted/m") as engine:
        prompt = engine.prompts.create("Prompt", user_prompt="Say: {{ text }}")
        agent = engine.agents.create("Agent", config=SimpleAgentConfig(prompt_id=prompt.id))
        first = engine.agents.execute(agent.id, {"text": "a"}, idempotency_key="k")
        assert engine.agents.execute(agent.id, {"text": "a"}, idempotency_key="k") == first
        assert engine.executions.get_by_key("k").id == first.execution_id


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_ids_of_keys_are_like_all_ids_and_never_meet(a: tuple[str, str], b: tuple[str, str]):
    one, two = IdFactory(seed=1).keyed(*a), IdFactory(seed=2).keyed(*b)
    assert len(one) == 27
    assert one.isalnum()
    assert one.isascii()
    assert (one == two) == (a == b)
