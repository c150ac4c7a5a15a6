"""A plan made from a version lock: the versions of then, whatever has become of agents and prompts since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    ArchivedError,
    AsyncEngine,
    ChainAgentConfig,
    ConfigurationError,
    DefinitionError,
    LLMModel,
    ModelNotServedError,
    NotFoundError,
    PromptLink,
    SimpleAgentConfig,
)
from promptrails_engine.store import MemoryStore
from tests.catalog.kit import (
    FATES,
    INPUT,
    KINDS,
    agent,
    asked,
    chain,
    composite,
    desk,
    engine_over,
    lock_of,
    planner,
    prompt,
    run,
    simple,
    spoil,
    steps_of,
    tree,
    with_a_model,
    with_tools,
    workflow,
)


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_run_goes_on_in_another_process_with_the_versions_of_then(kind: str, fate: str, tmp_path: Path):
    path = str(tmp_path / "app.db")
    first, before = engine_over(path)
    async with first as engine:
        made = await KINDS[kind](engine)
        result = (await engine.agents.execute(made, INPUT)).raise_for_status()
        steps = steps_of(await planner(engine).plan(made, None))
        await spoil(engine, fate)
    later, after = engine_over(path, model="scripted/new")
    async with later as engine:
        lock = await lock_of(engine, result)
        plan = await planner(engine).plan_locked(lock)
        assert plan.version_lock == lock
        assert steps_of(plan) == steps
        again = (await run(engine, plan)).raise_for_status()
        assert again.output == result.output
        assert asked(after) == asked(before)
        assert await lock_of(engine, again) == lock
        await each_child_can_be_planned_by_its_own_lock(engine, result.execution_id)
        await what_is_current_is_something_else(engine, made, result.output, fate)


async def each_child_can_be_planned_by_its_own_lock(engine: AsyncEngine, execution_id: str) -> None:
    for child in (await engine.executions.get(execution_id)).children:
        lock = (await engine.executions.get(child.id)).version_lock
        plan = await planner(engine).plan_locked(lock)
        assert (plan.agent_id, plan.version_id, plan.version_lock) == (child.agent_id, child.agent_version_id, lock)
        await each_child_can_be_planned_by_its_own_lock(engine, child.id)


async def what_is_current_is_something_else(engine: AsyncEngine, made: str, output: Any, fate: str) -> None:
    if fate == "promoted":
        assert (await engine.agents.execute(made, INPUT)).output != output
    else:
        with pytest.raises(ArchivedError if fate == "archived" else NotFoundError):
            await engine.agents.execute(made, INPUT)


@pytest.mark.parametrize("fate", FATES)
async def test_a_prompt_by_itself_goes_on_with_the_version_of_then(fate: str):
    store = MemoryStore()
    first, before = engine_over(store)
    await store.open()
    made = await prompt(first, "alone")
    result = await first.prompts.execute(made, INPUT)
    lock = await lock_of(first, result)
    assert "agent" not in lock
    await spoil(first, fate)
    later, after = engine_over(store, model="scripted/new")
    async with later as engine:
        plan = await planner(engine).plan_locked(lock)
        assert (plan.version_lock, plan.agent_id, plan.version_id) == (lock, "", "")
        assert (await run(engine, plan)).output == result.output
        assert asked(after) == asked(before)


async def test_a_prompt_that_ran_with_changed_content_says_that_this_is_kept_nowhere():
    async with engine_over()[0] as engine:
        made = await prompt(engine, "alone")
        await engine.prompts.run_prompt(made, {"input": INPUT, "user_prompt": "changed"})
        (record,) = await engine.executions.list()
        with pytest.raises(ConfigurationError, match=r"'alone'.*'v1' replaced for that one run.*create_version"):
            await planner(engine).plan_locked((await engine.executions.get(record.id)).version_lock)


# ------------------------------------------------------------------ what is pinned


async def test_a_model_that_a_definition_names_is_the_definitions_and_the_default_is_that_of_then():
    store = MemoryStore()
    await store.open()
    first, _ = engine_over(store)
    locks = [(await planner(first).plan(await made(first), None)).version_lock for made in (chain, with_a_model)]
    async with engine_over(store, model="scripted/new")[0] as engine:
        plans = [await planner(engine).plan_locked(lock) for lock in locks]
        models = [[step.model.name for step in plan.steps] for plan in plans]
        assert models == [["scripted/m", "scripted/own", "scripted/m"], ["scripted/fixed"]]
        current = await planner(engine).plan("chain", None)
        assert [step.model.name for step in current.steps] == ["scripted/new", "scripted/own", "scripted/new"]


async def test_a_pinned_model_that_nobody_serves_any_more_is_named():
    store = MemoryStore()
    await store.open()
    first, _ = engine_over(store, model="mine")
    await first.llm_models.register(LLMModel(id="mine", provider="scripted", model_id="m"))
    lock = (await planner(first).plan(await simple(first), None)).version_lock
    async with engine_over(store)[0] as engine:
        with pytest.raises(ModelNotServedError, match="'mine'"):
            await planner(engine).plan_locked(lock)


async def test_sub_agents_keep_the_names_by_which_the_model_knows_them():
    async with engine_over()[0] as engine:
        made = await desk(engine)
        plan = await planner(engine).plan(made, None)
        lock = plan.version_lock
        assert [sub["name"] for sub in lock["sub_agents"]] == ["help_desk", "second"]
        await engine.agents.update("Help desk", name="Accounts")
        await engine.agents.update("Other", name="!!!")
        assert list((await planner(engine).plan_locked(lock)).steps[0].sub_agents) == ["help_desk", "second"]
        assert list((await planner(engine).plan(made, None)).steps[0].sub_agents) == ["accounts", "second"]
        older = {key: value for key, value in lock.items() if key != "sub_agents"}
        assert list((await planner(engine).plan_locked(older)).steps[0].sub_agents) == ["accounts", "second"]


async def test_agents_of_one_tree_may_hold_a_prompt_in_versions_of_their_own():
    async with engine_over()[0] as engine:
        shared = await prompt(engine, "shared", "old {{ x }}")
        below = await agent(engine, "below", SimpleAgentConfig(shared))
        top = await agent(engine, "top", SimpleAgentConfig(shared), sub_agents=[{"agent_id": below}])
        old = (await planner(engine).plan(top, None)).version_lock
        await engine.prompts.create_version(shared, user_prompt="new {{ x }}", set_current=True)
        new = (await planner(engine).plan(top, None)).version_lock
        mixed = {**old, "agents": new["agents"]}
        plan = await planner(engine).plan_locked(mixed)
        assert plan.version_lock == mixed
        assert [one.steps[0].version.user_prompt for one in tree(plan)] == ["old {{ x }}", "new {{ x }}"]


async def test_one_agent_has_one_version_of_a_prompt_even_if_another_is_promoted_while_it_is_planned():
    class Store(MemoryStore):
        engine: AsyncEngine | None = None

        async def get_version(self, workspace_id: str, kind: Any, version_id: str) -> Any:
            found = await super().get_version(workspace_id, kind, version_id)
            if kind == "prompt" and self.engine is not None:
                engine, self.engine = self.engine, None
                await engine.prompts.create_version("p", user_prompt="new", set_current=True)
            return found

    store = Store()
    async with engine_over(store)[0] as engine:
        used = await prompt(engine, "p", "old")
        made = await agent(engine, "A", ChainAgentConfig([PromptLink(used, "r", n) for n in range(3)]))
        store.engine = engine
        plan = await planner(engine).plan(made, None)
        assert [step.version.user_prompt for step in plan.steps] == ["old"] * 3
        assert (await planner(engine).plan_locked(plan.version_lock)).version_lock == plan.version_lock
        assert [step.version.user_prompt for step in (await planner(engine).plan(made, None)).steps] == ["new"] * 3


# ------------------------------------------------------------------ tools


async def test_tools_are_those_that_are_registered_now():
    store = MemoryStore()
    await store.open()
    first, _ = engine_over(store)
    locks = [(await planner(first).plan(await made(first), None)).version_lock for made in (with_tools, workflow)]

    def double(n: int, times: int = 2) -> int:
        """Another one of the name."""
        return n * times

    later, _ = engine_over(store, tools=[double])
    without, _ = engine_over(store, tools=[])
    for lock in locks:
        plan = await planner(later).plan_locked(lock)
        assert plan.version_lock["tools"].keys() == lock["tools"].keys() == {"double"}
        assert plan.version_lock["tools"] != lock["tools"]
        assert {**plan.version_lock, "tools": lock["tools"]} == lock
        with pytest.raises(DefinitionError, match="'double'"):
            await planner(without).plan_locked(lock)
    await later.aclose()


# ------------------------------------------------------------------ locks that cannot be used


async def test_a_version_whose_content_is_not_that_of_the_lock_is_named():
    async with engine_over()[0] as engine:
        lock = json.loads(json.dumps((await planner(engine).plan(await composite(engine), None)).version_lock))
        (below,) = lock["agents"].values()
        for entry, said in (
            (lock["agent"], "'v1' of agent 'composite'"),
            (below["agent"], "'v1' of agent 'one'"),
            (below["prompts"][0], "'v1' of prompt 'p one'"),
        ):
            kept, entry["digest"] = entry["digest"], "0" * 64
            with pytest.raises(ConfigurationError, match=f"{said} is not what it was.*{kept}.*0000"):
                await planner(engine).plan_locked(lock)
            entry["digest"] = kept
        assert (await planner(engine).plan_locked(lock)).version_lock == lock


async def test_a_version_that_is_not_in_this_store_is_named():
    async with engine_over()[0] as engine, engine_over()[0] as elsewhere:
        made = await simple(engine)
        lock = json.loads(json.dumps((await planner(engine).plan(made, None)).version_lock))
        with pytest.raises(NotFoundError, match=f"agent '{made}' is not in this store"):
            await planner(elsewhere).plan_locked(lock)
        other = await prompt(engine, "other")
        strange = (await engine.prompts.get_version(other)).id
        for version_id in ("gone", strange):
            entry = {**lock["prompts"][0], "version_id": version_id}
            with pytest.raises(NotFoundError, match=f"prompt 'p simple' has no version '{version_id}'"):
                await planner(engine).plan_locked({**lock, "prompts": [entry]})


async def test_a_name_is_no_id():
    async with engine_over()[0] as engine:
        plan = await planner(engine).plan(await simple(engine), None)
        lock = {**plan.version_lock, "agent": {**plan.version_lock["agent"], "id": "simple"}}
        with pytest.raises(NotFoundError, match="'simple' is not in this store"):
            await planner(engine).plan_locked(lock)


def _changed(lock: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {key: value for key, value in {**lock, **more}.items() if value is not None}


def _prompt_changed(lock: dict[str, Any], **more: Any) -> list[Any]:
    first, *others = lock["prompts"]
    return [{**first, **more}, *others]


BAD_LOCKS: list[tuple[Any, str]] = [
    (lambda lock: {}, "format None"),
    (lambda lock: _changed(lock, v=2), "format 2, and this version"),
    (lambda lock: _changed(lock, prompts=None, agent=None), "names no agent, and not one prompt"),
    (lambda lock: _changed(lock, agent=None), "names no agent, and not one prompt"),
    (lambda lock: _changed(lock, prompts="x"), "prompts"),
    (lambda lock: _changed(lock, prompts=[{"prompt_id": "x"}]), "prompts.0.version_id: Field required"),
    (lambda lock: _changed(lock, prompts=lock["prompts"][1:2]), "names no version of prompt"),
    (lambda lock: _changed(lock, prompts=_prompt_changed(lock, version_id="x")), "two versions or models of prompt"),
    (lambda lock: _changed(lock, prompts=_prompt_changed(lock, model="x")), "two versions or models of prompt"),
    (lambda lock: _changed(lock, agents={"x": {"prompts": []}}), "agent 'x'"),
    (lambda lock: _changed(lock, agents={"x": {"agent": lock["agent"], "prompts": []}}), "agent 'x'"),
]


@pytest.mark.parametrize(("change", "said"), BAD_LOCKS)
async def test_what_is_no_lock_is_refused(change: Any, said: str):
    async with engine_over()[0] as engine:
        lock = dict((await planner(engine).plan(await chain(engine), None)).version_lock)
        with pytest.raises(ConfigurationError, match=said):
            await planner(engine).plan_locked(change(lock))


async def test_an_agent_that_the_lock_leaves_out_is_not_taken_from_elsewhere():
    async with engine_over()[0] as engine:
        lock = (await planner(engine).plan(await composite(engine), None)).version_lock
        with pytest.raises(ConfigurationError, match="names no version of agent"):
            await planner(engine).plan_locked({**lock, "agents": {}})


async def test_a_lock_that_says_something_else_than_its_versions_is_refused():
    async with engine_over()[0] as engine:
        lock = (await planner(engine).plan(await with_a_model(engine), None)).version_lock
        other = (await planner(engine).plan(await simple(engine, "other"), None)).version_lock
        wrong = [
            ({**lock, "prompts": [{**lock["prompts"][0], "model": "scripted/m"}]}, "model.*scripted/m in the lock"),
            ({**lock, "prompts": [*lock["prompts"], *other["prompts"]]}, "prompt.*v1 in the lock, None in"),
            ({**lock, "prompts": [{**lock["prompts"][0], "version": "v7"}]}, "prompt.*v7 in the lock, v1 in"),
            ({**lock, "agents": {other["agent"]["id"]: other}}, "agent.*v1 in the lock, None in"),
        ]
        for changed, said in wrong:
            with pytest.raises(ConfigurationError, match=f"disagree about {said}"):
                await planner(engine).plan_locked(changed)
