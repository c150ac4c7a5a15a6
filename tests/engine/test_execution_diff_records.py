"""Two runs compared: what a store has not kept, runs that go on, other agents, ids that are not there."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    Engine,
    ExecutionDiff,
    LLMModel,
    NotFoundError,
    PromptLink,
    SimpleAgentConfig,
)
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse
from tests.engine.diff_kit import LLM, PROMPT, add, of, pair, presence, ran, shout, step
from tests.engine.families import agents, composite
from tests.engine.families import step as family_step
from tests.engine.kit import one_prompt, scripted


@pytest.mark.usefixtures("each_store")
async def test_payloads_that_were_cut_are_not_said_to_be_equal():
    """Beyond what the store keeps nobody knows; what it keeps is compared."""
    long = "word " * 4_000
    async with scripted(["same"] * 4) as (engine, _):
        agent = await one_prompt(engine)
        texts = [f"{long}one", f"{long}two", f"other {long}"]
        one, two, other = [await ran(engine, agent, {"text": text}) for text in texts]
        diff = await engine.executions.diff(one, two)
        assert diff.diverged_at is None
        assert step(diff, LLM).undecided == ("messages",)
        assert step(diff, PROMPT).undecided == ("input", "output")
        assert [key[0] for key in of(diff.differences)] == ["input"]  # which the record of a run has in full
        assert "? messages: not on record in full" in str(diff)
        diff = await engine.executions.diff(one, other)
        assert diff.diverged_at == PROMPT
        found = [each for each in step(diff, LLM).differences if each.part == "messages"]
        assert [each.cut for each in found] == [True]
        assert "messages (cut: only beginnings are on record):" in str(diff)
        short = await engine.executions.diff(one, await ran(engine, agent, {"text": "short"}))
        assert step(short, LLM).undecided == ()
        assert not step(short, LLM).is_same
        alone = await engine.executions.diff(one, one)
        assert alone.is_empty
        assert all(each.undecided == () for each in alone.steps)


@pytest.mark.usefixtures("each_store")
async def test_the_same_run_with_cut_messages_has_no_difference():
    """Ids of calls stand in what was kept of them, too."""
    call = Reply(tool_calls=[ToolUse("shout", {"text": "a" * 9_000})])
    async with scripted([call, "ok", call, "ok"], tools=[shout]) as (engine, _):
        diff = await pair(engine, await one_prompt(engine, "go", tools=["shout"]))
    assert diff.is_empty
    assert step(diff, "prompt/llm[1]").undecided == ("messages",)
    assert step(diff, f"{LLM}/tool[0]").undecided == ("result",)


@pytest.mark.usefixtures("each_store")
async def test_arguments_are_compared_in_full_however_long():
    ends = [Reply(tool_calls=[ToolUse("shout", {"text": "a" * 9_000 + end})]) for end in "xy"]
    async with scripted([ends[0], "ok", ends[1], "ok"], tools=[shout]) as (engine, _):
        diff = await pair(engine, await one_prompt(engine, "go", tools=["shout"]))
    assert list(of(step(diff, f"{LLM}/tool[0]").differences)) == [("arguments", "text")]


@pytest.mark.usefixtures("each_store")
async def test_a_cached_answer_is_the_same_answer():
    async with scripted(["once"]) as (engine, _):
        diff = await pair(engine, await one_prompt(engine, "go", cache_timeout=60))
    assert diff.diverged_at is None
    found = step(diff, LLM)
    assert of(found.differences)["cached", ""] == (False, True)
    assert [each.part for each in found.differences if each.part in ("output", "messages")] == []
    assert found.undecided == ("messages",)


@pytest.mark.usefixtures("each_store")
async def test_an_unknown_cost_is_not_zero():
    async with scripted(["a"] * 4) as (engine, _):
        agent = await one_prompt(engine, "go")
        unknown = [await ran(engine, agent), await ran(engine, agent)]
        await engine.llm_models.register(LLMModel("m", "scripted", "m", input_price=0.0, output_price=0.0))
        free = await ran(engine, agent)
        same, other = [await engine.executions.diff(unknown[0], each) for each in (unknown[1], free)]
        await engine.llm_models.register(LLMModel("m", "scripted", "m", input_price=0.0, output_price=8.0))
        dearer = await engine.executions.diff(free, await ran(engine, agent))
    assert same.is_empty
    assert (same.a.cost, same.b.cost) == (None, None)
    assert of(other.differences) == {("cost", ""): (None, 0.0)}
    assert of(step(other, LLM).differences) == {("cost", ""): (None, 0.0)}
    assert other.diverged_at is None
    assert "~ cost: unknown cost -> 0 USD" in str(other)
    assert of(dearer.differences) == {("cost", ""): (0.0, 0.000008)}
    assert "~ cost: 0 USD -> 0.000008 USD" in str(dearer)


@pytest.mark.usefixtures("each_store")
async def test_agents_of_other_kinds_can_be_compared():
    async with scripted(["a", "a"]) as (engine, _):
        simple = await one_prompt(engine, "go")
        prompt = await engine.prompts.create("Other", user_prompt="go")
        chain = await engine.agents.create("Chain", config=ChainAgentConfig([PromptLink(prompt.id, "r", 1)]))
        diff = await engine.executions.diff(await ran(engine, simple), await ran(engine, chain.id))
    whole = of(diff.differences)
    assert whole["agent", "id"] == (simple, chain.id)
    assert ("prompts", "Prompt") in whole
    assert ("prompts", "Other") in whole
    assert {key: each for key, each in presence(diff).items() if each == "both"} == {}
    assert diff.diverged_at == PROMPT


@pytest.mark.usefixtures("each_store")
async def test_children_are_compared_below_the_steps_that_started_them():
    async with agents({"draft": "D {{ topic }}", "final": "{{ text }}"}) as (engine, _):
        mapped = family_step("final", "draft", input_mapping={"text": "{{ draft }}"})
        team = await composite(engine, family_step("draft"), mapped)
        first = await ran(engine, team, {"topic": "cats"})
        again = await ran(engine, team, {"topic": "cats"})
        assert (await engine.executions.diff(first, again)).is_empty
        draft = await engine.prompts.get("draft")
        await engine.prompts.create_version(draft.id, user_prompt="Draft {{ topic }}", set_current=True)
        second = await ran(engine, team, {"topic": "cats"})
        diff = await engine.executions.diff(first, second)
        children = [(await engine.executions.get(each)).children for each in (first, second)]
        inner = await engine.executions.diff(children[0][0].id, children[1][0].id)
    below = ["run", "prompt/prompt", "prompt/llm[0]"]
    steps = ["steps[draft]", "steps[final]"]
    assert list(presence(diff)) == [key for each in steps for key in (each, *(f"{each}/{key}" for key in below))]
    assert set(presence(diff).values()) == {"both"}
    assert diff.diverged_at == "steps[draft]/prompt/prompt"
    assert of(step(diff, "steps[final]/run").differences)["input", "text"] == ("<D cats>", "<Draft cats>")
    assert list(presence(inner)) == [PROMPT, LLM]
    assert inner.diverged_at == PROMPT


@pytest.mark.usefixtures("each_store")
async def test_a_tool_that_is_no_longer_there_shows_in_the_versions():
    async with scripted(["a", "a"], tools=[add]) as (engine, _):
        agent = await one_prompt(engine, "go", tools=["add"])
        first = await ran(engine, agent)
        await engine.prompts.create_version("Prompt", user_prompt="go", set_current=True)
        diff = await engine.executions.diff(first, await ran(engine, agent))
    gone = [each for each in diff.differences if each.part == "tools"]
    assert [(each.change, each.path) for each in gone] == [("removed", "add")]


@pytest.mark.usefixtures("each_store")
async def test_one_that_still_runs_parts_where_it_has_been():
    """What is not there yet is no parting."""
    gate, waiting = asyncio.Event(), asyncio.Event()

    async def reply(request: Any) -> str:
        if "wait" in request.messages[-1].content:
            waiting.set()
            await gate.wait()
        return "ok"

    async with scripted(reply) as (engine, _):
        first = await engine.prompts.create("A", user_prompt="go")
        second = await engine.prompts.create("B", user_prompt="{{ then }}")
        links = [PromptLink(first.id, "one", 1), PromptLink(second.id, "two", 2)]
        agent = (await engine.agents.create("Chain", config=ChainAgentConfig(links))).id
        gate.set()
        done = await ran(engine, agent, {"then": "wait"})
        gate.clear()
        waiting.clear()
        stream = engine.agents.stream(agent, {"then": "wait"})
        head = await anext(aiter(stream))
        await waiting.wait()
        diff = await engine.executions.diff(done, head.execution_id)
        assert (diff.a.ended, diff.b.ended) == (True, False)
        assert presence(diff)["steps[0]/llm[0]"] == "both"
        assert presence(diff)["steps[1]/llm[0]"] == "a"
        assert diff.diverged_at is None
        assert list(of(diff.differences)) == [("status", "")]
        assert "it has not ended" in str(diff)
        gate.set()
        assert (await stream.result()).status == "completed"
        assert (await engine.executions.diff(done, head.execution_id)).is_empty


@pytest.mark.usefixtures("each_store")
async def test_unknown_ids_and_those_of_other_workspaces_are_not_found(tmp_path: Any):
    store = str(tmp_path / "both.db")
    async with scripted(["a", "b"], store=store) as (engine, _):
        agent = await one_prompt(engine, "go")
        mine, other = await ran(engine, agent), await ran(engine, agent)
        for ids in ((mine, "nothing"), ("nothing", mine)):
            with pytest.raises(NotFoundError, match="'nothing'"):
                await engine.executions.diff(*ids)
    async with AsyncEngine(store, workspace_id="elsewhere") as stranger:
        with pytest.raises(NotFoundError):
            await stranger.executions.diff(mine, other)


def test_the_sync_engine_compares_as_well_and_the_data_is_json():
    with Engine(providers=[ScriptedProvider(["a", "b"])], model="scripted/m") as engine:
        prompt = engine.prompts.create("P", user_prompt="{{ text }}")
        engine.agents.create("A", config=SimpleAgentConfig(prompt_id=prompt.id))
        runs = [engine.agents.execute("A", {"text": "line\n" * n}).id for n in (1, 2)]
        diff: ExecutionDiff = engine.executions.diff(*runs)
    data = json.loads(json.dumps(diff.to_dict()))
    assert (data["a"]["id"], data["b"]["id"], data["diverged_at"]) == (*runs, PROMPT)
    assert data["steps"][0]["differences"][0]["hunks"][0]["new_lines"] == ["line\n"]
    assert [each["change"] for each in data["differences"] if each["part"] == "output"] == ["changed"]


def test_texts_cannot_command_a_terminal():
    with Engine(providers=[ScriptedProvider(["\x1b[2Jone", "two\x1b[2J"])], model="scripted/m") as engine:
        engine.prompts.create("P", user_prompt="go")
        runs = [engine.prompts.execute("P", {}).id for _ in range(2)]
        assert "\x1b" not in str(engine.executions.diff(*runs))
