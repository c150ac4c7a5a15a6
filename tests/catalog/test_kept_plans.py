"""Plans are made once for each lock, however many runs ask for it, and anew when what they stand on has changed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from promptrails_engine import AsyncEngine, LLMModel
from promptrails_engine.catalog.kept_plans import KeptPlans
from promptrails_engine.errors import StoreUnavailableError
from promptrails_engine.run.plan import Plan
from promptrails_engine.store import MemoryStore
from tests.catalog.kit import KINDS, engine_over, planner, simple, spoil


class Counting(MemoryStore):
    """Counts the versions that are read; the reads wait while `gate` is shut, and fail while `down`."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.down = False
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def get_version(self, workspace_id: str, kind: Any, version_id: str) -> Any:
        self.reads += 1
        self.reached.set()
        await self.gate.wait()
        if self.down:
            raise StoreUnavailableError("down")
        return await super().get_version(workspace_id, kind, version_id)


async def counted(kind: str = "simple") -> tuple[AsyncEngine, Counting, Any, str]:
    store = Counting()
    await store.open()
    engine, _ = engine_over(store)
    made = await KINDS[kind](engine)
    lock = (await planner(engine).plan(made, None)).version_lock
    store.reads = 0
    store.reached.clear()
    return engine, store, lock, made


async def test_a_lock_is_planned_once_whatever_is_promoted():
    engine, store, lock, _ = await counted("nested")
    first = await planner(engine).plan_locked(lock)
    read = store.reads
    assert read > 0
    shuffled = json.loads(json.dumps(lock, sort_keys=True))
    assert await planner(engine).plan_locked(shuffled) is first
    assert store.reads == read
    await spoil(engine, "deleted")
    store.reads = 0
    assert await planner(engine).plan_locked(lock) is first
    assert store.reads == 0


async def test_runs_that_come_at_once_share_one_planning():
    engine, store, lock, made = await counted()
    store.gate.clear()
    asking = [asyncio.create_task(planner(engine).plan_locked(lock)) for _ in range(50)]
    await store.reached.wait()
    store.gate.set()
    plans = await asyncio.gather(*asking)
    assert {id(plan) for plan in plans} == {id(plans[0])}
    assert store.reads == 2  # an agent and its prompt
    assert await planner(engine).plan(made, None) is not plans[0]


async def test_who_leaves_while_the_plan_is_made_takes_it_from_nobody():
    engine, store, lock, _ = await counted()
    store.gate.clear()
    first, *others = [asyncio.create_task(planner(engine).plan_locked(lock)) for _ in range(3)]
    await store.reached.wait()
    first.cancel()
    store.gate.set()
    one, other = await asyncio.gather(*others)
    assert one is other
    assert first.cancelled()


async def test_a_failure_is_not_kept():
    engine, store, lock, _ = await counted()
    store.down = True
    asking = [asyncio.create_task(planner(engine).plan_locked(lock)) for _ in range(3)]
    assert [type(one) for one in await asyncio.gather(*asking, return_exceptions=True)] == [StoreUnavailableError] * 3
    store.down = False
    assert (await planner(engine).plan_locked(lock)).version_lock == lock


async def test_a_model_that_is_registered_makes_plans_anew_those_too_that_are_being_made():
    engine, store, lock, _ = await counted()
    store.gate.clear()
    asking = asyncio.create_task(planner(engine).plan_locked(lock))
    await store.reached.wait()
    await engine.llm_models.register(
        LLMModel(id="mine", provider="scripted", model_id="m", input_price=3.0, output_price=3.0)
    )
    store.gate.set()
    before = await asking
    after = await planner(engine).plan_locked(lock)
    assert after is not before
    ceiling = after.steps[0].model.ceiling
    assert ceiling is not None
    assert ceiling.input == 3.0
    await engine.llm_models.register(
        LLMModel(id="mine", provider="scripted", model_id="m", input_price=4.0, output_price=4.0)
    )
    assert await planner(engine).plan_locked(lock) is not after


async def test_a_plan_of_what_is_current_is_not_kept_if_something_is_promoted_while_it_is_made():
    engine, store, _, made = await counted()
    await engine.agents.update(made, description="so that it is planned anew")
    store.reads = 0
    store.reached.clear()
    store.gate.clear()
    early = asyncio.create_task(planner(engine).plan(made, None))
    await store.reached.wait()
    await engine.prompts.create_version("p simple", user_prompt="new", set_current=True)
    late = asyncio.create_task(planner(engine).plan(made, None))
    await asyncio.sleep(0)
    store.gate.set()
    await early
    assert (await late).steps[0].version.user_prompt == "new"
    assert (await planner(engine).plan(made, None)).steps[0].version.user_prompt == "new"


async def test_the_plan_that_was_used_longest_ago_goes_first():
    engine, _ = engine_over()
    async with engine:
        plan = await planner(engine).plan(await simple(engine), None)
    kept = KeptPlans[str](2)
    made: list[str] = []

    async def ask(key: str) -> Plan:
        async def make() -> Plan:
            made.append(key)
            return plan

        return kept.get(key) or await kept.made(key, make)

    for key in "abacab":
        assert await ask(key) is plan
    assert made == ["a", "b", "c", "b"]
    with pytest.raises(ZeroDivisionError):
        await kept.made("x", _fail)
    assert await ask("x") is plan


async def _fail() -> Plan:
    raise ZeroDivisionError
