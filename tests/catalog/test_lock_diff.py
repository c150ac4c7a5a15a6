"""What changes between two version locks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine import AsyncEngine, ConfigurationError, SimpleAgentConfig
from promptrails_engine.catalog.lock_diff import LockChange, compare_locks
from tests.catalog.kit import agent, composite, engine_over, planner, prompt, with_tools


async def lock_now(engine: AsyncEngine, made: str) -> Any:
    return (await planner(engine).plan(made, None)).version_lock


async def test_versions_models_and_tools_that_differ_are_named():
    async with engine_over()[0] as engine:
        made = await with_tools(engine)
        old = await lock_now(engine, made)
        await engine.prompts.create_version("p simple", user_prompt="new", llm_model_id="scripted/n", set_current=True)
        new = await lock_now(engine, made)
        prompt_id = old["prompts"][0]["prompt_id"]
        assert compare_locks(old, new) == [
            LockChange(made, "prompt", prompt_id, "v1", "v2"),
            LockChange(made, "model", prompt_id, "scripted/m", "scripted/n"),
        ]
        await engine.agents.create_version(made, "bare", SimpleAgentConfig("p simple"), set_current=True)
        assert compare_locks(new, await lock_now(engine, made)) == [
            LockChange(made, "agent", made, "v1", "bare"),
            LockChange(made, "tool", "double", old["tools"]["double"], None),
        ]
        assert compare_locks(old, old) == []


async def test_agents_and_prompts_that_come_and_go_are_named_each_in_its_agent():
    async with engine_over()[0] as engine:
        made = await composite(engine)
        old = await lock_now(engine, made)
        (gone,) = old["agents"]
        came = await agent(engine, "came", SimpleAgentConfig(await prompt(engine, "p came")))
        config = {"type": "composite", "steps": [{"id": "s", "agent_id": came}]}
        await engine.agents.create_version(made, config=config, set_current=True)
        new = await lock_now(engine, made)
        there = compare_locks(old, new)
        below = {
            gone: [
                LockChange(gone, "agent", gone, "v1", None),
                LockChange(gone, "prompt", old["agents"][gone]["prompts"][0]["prompt_id"], "v1", None),
            ],
            came: [
                LockChange(came, "agent", came, None, "v1"),
                LockChange(came, "prompt", new["agents"][came]["prompts"][0]["prompt_id"], None, "v1"),
            ],
        }
        assert there == [LockChange(made, "agent", made, "v1", "v2"), *below[min(below)], *below[max(below)]]


async def test_content_that_was_changed_for_one_run_is_told_by_its_digest():
    async with engine_over()[0] as engine:
        made = await prompt(engine, "alone")
        plain = (await planner(engine).prompt_plan(made, None)).version_lock
        changed = (await planner(engine).prompt_plan(made, None, {"user_prompt": "other"})).version_lock
        digests = [f"v1 ({lock['prompts'][0]['digest'][:12]})" for lock in (plain, changed)]
        assert compare_locks(plain, changed) == [LockChange("", "prompt", made, *digests)]


async def test_two_locks_of_different_agents_have_nothing_in_common():
    async with engine_over()[0] as engine:
        one = await agent(engine, "one", SimpleAgentConfig(await prompt(engine, "p")))
        other = await agent(engine, "other", SimpleAgentConfig("p"))
        changes = compare_locks(await lock_now(engine, one), await lock_now(engine, other))
        assert [(change.agent_id, change.kind, change.old, change.new) for change in changes] == [
            (one, "agent", "v1", None),
            (one, "prompt", "v1", None),
            (other, "agent", None, "v1"),
            (other, "prompt", None, "v1"),
        ]


def test_what_is_no_lock_is_refused():
    with pytest.raises(ConfigurationError, match="format 9"):
        compare_locks({"v": 9}, {"v": 1})


# ------------------------------------------------------------------ laws

LABELS = st.sampled_from(["v1", "v2", "v3"])
TOOLS = st.dictionaries(st.sampled_from("tu"), LABELS, max_size=2)


def _version(key: str, id: str, label: str) -> dict[str, str]:
    return {key: id, "version_id": f"{id}@{label}", "version": label, "digest": f"{id} {label}"}


@st.composite
def parts(draw: st.DrawFn, agent_id: str) -> dict[str, Any]:
    pinned = draw(st.dictionaries(st.sampled_from("pqr"), st.tuples(LABELS, st.sampled_from(["m", "n"]))))
    entries = [{**_version("prompt_id", id, label), "model": model} for id, (label, model) in pinned.items()]
    repeated = draw(st.lists(st.sampled_from(entries), max_size=2)) if entries else []
    return {
        "agent": _version("id", agent_id, draw(LABELS)),
        "prompts": draw(st.permutations([*entries, *repeated])),
        "tools": draw(TOOLS),
    }


@st.composite
def locks(draw: st.DrawFn) -> dict[str, Any]:
    below = draw(st.lists(st.sampled_from(["A", "B", "C"]), unique=True))
    lock = {"v": 1, **draw(parts(draw(st.sampled_from(["root", "root", "A"]))))}
    agents = {id: draw(parts(id)) for id in below if id != lock["agent"]["id"]}
    return {**lock, "agents": agents} if agents else lock


def facts(lock: dict[str, Any]) -> dict[tuple[str, str, str], str]:
    """All that a lock says, by agent, kind and name."""
    found: dict[tuple[str, str, str], str] = {}
    for part in (lock, *lock.get("agents", {}).values()):
        id = part["agent"]["id"]
        found[id, "agent", id] = part["agent"]["version"]
        for entry in part["prompts"]:
            found[id, "prompt", entry["prompt_id"]] = entry["version"]
            found[id, "model", entry["prompt_id"]] = entry["model"]
        found |= {(id, "tool", name): digest for name, digest in part["tools"].items()}
    return found


@given(locks(), locks())
def test_the_changes_are_all_that_differs_and_lead_from_the_one_lock_to_the_other(old: Any, new: Any) -> None:
    before, after = facts(old), facts(new)
    changes = compare_locks(old, new)
    told = {(change.agent_id, change.kind, change.name_or_id): (change.old, change.new) for change in changes}
    assert len(told) == len(changes)
    differing = {
        key: (before.get(key), after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key) and (key[1] != "model" or (key in before and key in after))
    }
    assert told == differing
    back = compare_locks(new, old)
    assert {(c.agent_id, c.kind, c.name_or_id, c.new, c.old) for c in back} == {
        (c.agent_id, c.kind, c.name_or_id, c.old, c.new) for c in changes
    }


@given(locks(), locks())
def test_the_order_does_not_hang_on_the_order_in_the_locks(old: Any, new: Any) -> None:
    def turned(lock: Any) -> Any:
        agents = {key: lock["agents"][key] for key in reversed(lock.get("agents", {}))}
        return {**lock, "prompts": lock["prompts"][::-1], "agents": agents}

    assert compare_locks(turned(old), turned(new)) == compare_locks(old, new)
