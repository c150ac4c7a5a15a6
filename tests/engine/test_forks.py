"""A fork recalls what comes before its step and runs the rest anew, for agents of every kind and at every step."""

from __future__ import annotations

from typing import Any

import pytest

from promptrails_engine import (
    NotFoundError,
    SimpleAgentConfig,
    ValidationError,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.testing import Reply, ToolUse
from tests.catalog.kit import INPUT, KINDS, agent, prompt, simple
from tests.engine.fork_kit import calls_then, keys_of, ran, three_steps, watched

pytestmark = pytest.mark.usefixtures("each_store")

CALLS: dict[str, dict[str, tuple[int, int]]] = {
    "simple": {"prompt": (1, 0), "prompt/llm[0]": (1, 0)},
    "with_tools": {
        "prompt": (2, 1), "prompt/llm[0]": (2, 1), "prompt/llm[0]/tool[0]": (1, 1), "prompt/llm[1]": (1, 0),
    },
    "with_a_model": {"prompt": (1, 0), "prompt/llm[0]": (1, 0)},
    "chain": {
        "steps[0]": (3, 0), "steps[0]/llm[0]": (3, 0), "steps[1]": (2, 0), "steps[1]/llm[0]": (2, 0),
        "steps[2]": (1, 0), "steps[2]/llm[0]": (1, 0),
    },
    "multi": {
        "router": (3, 0), "router/llm[0]": (3, 0), "roles[a]": (2, 0), "roles[a]/llm[0]": (2, 0),
        "roles[b]": (1, 0), "aggregator": (1, 0), "aggregator/llm[0]": (1, 0),
    },
    "workflow": {
        "nodes[p]": (3, 1), "nodes[p]/llm[0]": (3, 1), "nodes[tool]": (1, 1), "nodes[sub]": (2, 0),
        "nodes[last]": (1, 0), "nodes[last]/llm[0]": (1, 0),
    },
    "composite": {"steps[s]": (2, 0), "steps[again]": (1, 0)},
    "desk": {
        "prompt": (3, 0), "prompt/llm[0]": (3, 0), "prompt/llm[0]/tool[0]": (2, 0), "prompt/llm[1]": (1, 0),
    },
    "nested": {"steps[m]": (9, 0), "steps[f]": (6, 0)},
}  # fmt: skip
"""Calls of models and of tools that a fork makes, by the kind of the agent and the step at which it parts."""


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_before_the_step_is_called_again_and_the_rest_is(kind: str):
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await KINDS[kind](engine))
        found: dict[str, tuple[int, int]] = {}
        for key in await keys_of(engine, source.id):
            fork = (await engine.executions.fork(source.id, at=key)).raise_for_status()
            found[key] = (len(watch.asked()), watch.called())
            assert fork.output == source.output
            assert (await engine.executions.diff(source.id, fork.id)).diverged_at is None
            assert fork.id != source.id
            assert fork.trace_id != source.trace_id
        assert found == CALLS[kind]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_fork_of_a_fork_recalls_what_the_first_one_recalled(kind: str):
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await KINDS[kind](engine))
        keys = await keys_of(engine, source.id)
        first = (await engine.executions.fork(source.id, at=keys[-1])).raise_for_status()
        assert await keys_of(engine, first.id) == keys
        for key in keys:
            watch.asked()
            fork = (await engine.executions.fork(first.id, at=key)).raise_for_status()
            assert (len(watch.asked()), watch.called() if key != keys[0] else CALLS[kind][key][1]) == CALLS[kind][key]
            watch.called()
            assert (await engine.executions.diff(source.id, fork.id)).diverged_at is None


async def test_without_a_step_everything_runs_anew():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await three_steps(engine))
        assert (await engine.executions.fork(source.id)).raise_for_status().output == source.output
        assert len(watch.asked()) == 3


async def test_what_runs_beside_the_step_is_recalled():
    replies = calls_then("sums:", ToolUse("double", {"n": 1}), ToolUse("double", {"n": 2}))
    async with watched(replies) as (engine, watch):
        source = await ran(engine, watch, await simple(engine, tools=["double"]))
        fork = await engine.executions.fork(source.id, at="prompt/llm[0]/tool[1]")
        assert watch.tool_calls == [2]
        assert fork.text == source.text == "sums: 2 4"
        assert len(watch.asked()) == 1


async def test_an_item_of_a_list_runs_alone():
    async with watched() as (engine, watch):
        made = await prompt(engine, "each", "each {{ item }}")
        nodes = [
            WorkflowNode("map", prompt_id=made, map_over="{{ items }}", map_concurrency=1),
            WorkflowNode("sum", ["map"], prompt_id=await prompt(engine, "sum", "sum {{ map | join(' ') }}")),
        ]
        source = await ran(
            engine, watch, await agent(engine, "list", WorkflowAgentConfig(nodes)), {"items": ["a", "b", "c"]}
        )
        assert "nodes[map][1]" in await keys_of(engine, source.id)
        with pytest.raises(ValidationError, match=r"fork at 'nodes\[map\]'"):
            await engine.executions.fork(source.id, at="nodes[map][1]", prompt={"user_prompt": "other {{ item }}"})
        fork = await engine.executions.fork(source.id, at="nodes[map][1]")
        assert watch.asked() == ["each b", "sum <each a> <each b> <each c>"]
        assert fork.output == source.output
        fork = await engine.executions.fork(source.id, at="nodes[map]", prompt={"user_prompt": "other {{ item }}"})
        assert len(watch.asked()) == 4
        assert (await engine.executions.diff(source.id, fork.id)).diverged_at == "nodes[map][0]/prompt"


async def test_names_of_nodes_may_be_anything():
    async with watched() as (engine, watch):
        names = ["a", "a]/llm[0]", "a[0]", "a]"]
        nodes = [WorkflowNode(name, prompt_id=await prompt(engine, f"p {name}")) for name in names]
        made = await agent(engine, "odd", WorkflowAgentConfig(nodes))
        source = await ran(engine, watch, made)
        for name in names:
            await engine.executions.fork(source.id, at=f"nodes[{name}]")
            assert watch.asked() == [f"p {name} 1"]


async def test_repairs_come_after_the_first_answer():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    async with watched(["no", '{"n": 1}', '{"n": 2}', "no", '{"n": 3}', '{"n": 4}']) as (engine, watch):
        made = await engine.prompts.create("P", user_prompt="x", output_schema=schema)
        source = await ran(engine, watch, await agent(engine, "A", SimpleAgentConfig(made.id)))
        assert await keys_of(engine, source.id) == ["prompt", "prompt/llm[0]", "prompt/repair[0]/llm[0]"]
        fork = await engine.executions.fork(source.id, at="prompt/repair[0]/llm[0]")
        assert (fork.output, len(watch.asked())) == ({"n": 2}, 1)
        fork = await engine.executions.fork(source.id, at="prompt/llm[0]")
        assert (fork.output, len(watch.asked())) == ({"n": 3}, 2)
        assert (await engine.executions.fork(source.id)).output == {"n": 4}


# ------------------------------------------------------------------ what may be changed


async def test_another_prompt_at_a_step_diverges_there():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await three_steps(engine))
        fork = await engine.executions.fork(
            source.id, at="steps[1]", prompt={"user_prompt": "TWO {{ previous_output }}"}
        )
        assert watch.asked() == ["TWO <one 1>", "three <TWO <one 1>> 1"]
        diff = await engine.executions.diff(source.id, fork.id)
        assert diff.diverged_at == "steps[1]/prompt"
        assert {"prompt 1.digest"} == {one.path for one in diff.differences if one.part == "prompts"}
        recalled = next(step for step in diff.steps if step.key == "steps[0]/llm[0]")
        assert {one.part for one in recalled.differences} == {"tokens", "cost"}  # which were spent by another run
        assert (await engine.prompts.get("prompt 1")).current_version.version == "v1"


async def test_another_version_of_the_prompt_may_be_named_by_label_or_id():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await three_steps(engine))
        version = await engine.prompts.create_version("prompt 1", user_prompt="new {{ x }}")
        for ref in ("v2", version.id):
            fork = await engine.executions.fork(source.id, at="steps[1]", prompt=ref)
            assert watch.asked()[0] == "new 1"
            lock = (await engine.executions.get(fork.id)).version_lock
            assert [pin["version"] for pin in lock["prompts"]] == ["v1", "v2", "v1"]
        with pytest.raises(NotFoundError, match="v9"):
            await engine.executions.fork(source.id, at="steps[1]", prompt="v9")


async def test_the_prompt_of_an_agent_with_one_prompt_needs_no_step():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await simple(engine))
        await engine.executions.fork(source.id, prompt={"user_prompt": "other {{ x }}"})
        assert watch.asked() == ["other 1"]
        single = await engine.prompts.execute("p simple", INPUT)
        await engine.executions.fork(single.id, prompt={"system_prompt": "Be kind."})
        assert [message.content for message in watch.provider.requests[-1].messages] == ["Be kind.", "p simple 1"]


async def test_the_model_is_that_of_the_step_or_of_all_steps():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await three_steps(engine))

        async def models(**more: Any) -> list[str]:
            watch.provider.requests.clear()
            fork = (await engine.executions.fork(source.id, model="scripted/n", **more)).raise_for_status()
            lock = (await engine.executions.get(fork.id)).version_lock
            asked = [f"scripted/{request.model}" for request in watch.provider.requests]
            assert [pin["model"] for pin in lock["prompts"]][-len(asked) :] == asked
            return [request.model for request in watch.provider.requests]

        assert await models(at="steps[1]") == ["n", "m"]
        assert await models() == ["n", "n", "n"]


@pytest.mark.parametrize("kind", ["nested", "desk", "composite", "workflow", "multi"])
async def test_the_model_of_all_steps_is_that_of_the_agents_below_too(kind: str):
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await KINDS[kind](engine))
        fork = (await engine.executions.fork(source.id, model="scripted/n")).raise_for_status()
        assert {request.model for request in watch.provider.requests} == {"n"}
        assert (await engine.executions.fork(fork.id)).raise_for_status().output == fork.output
        assert {request.model for request in watch.provider.requests} == {"n"}


async def test_the_model_of_an_agents_step_is_that_of_all_below_it():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await KINDS["composite"](engine))
        await engine.executions.fork(source.id, at="steps[s]", model="scripted/n")
        assert [request.model for request in watch.provider.requests] == ["n", "m"]


async def test_another_input_is_seen_from_the_step_on():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await three_steps(engine))
        fork = await engine.executions.fork(source.id, at="steps[2]", input={"x": "9"})
        assert watch.asked() == ["three <two <one 1>> 9"]
        assert (await engine.executions.get(fork.id)).input == {"x": "9"}
        await engine.executions.fork(source.id, input={"x": "9"})
        assert watch.asked()[0] == "one 9"


async def test_a_fork_of_a_fork_keeps_what_the_first_one_changed():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await three_steps(engine))
        first = await engine.executions.fork(source.id, at="steps[1]", prompt={"user_prompt": "TWO"})
        watch.asked()
        await engine.executions.fork(first.id, at="steps[2]", prompt={"user_prompt": "THREE {{ previous_output }}"})
        assert watch.asked() == ["THREE <TWO>"]
        second = await engine.executions.fork(
            first.id, model="scripted/n", prompt={"system_prompt": "S"}, at="steps[1]"
        )
        requests = watch.provider.requests
        assert [message.content for message in requests[0].messages] == ["S", "TWO"]
        assert [request.model for request in requests] == ["n", "m"]
        watch.asked()
        await engine.executions.fork(second.id, at="steps[1]", prompt="v1")
        assert [message.content for message in watch.provider.requests[0].messages] == ["two <one 1>"]
        assert watch.provider.requests[0].model == "n"


# ------------------------------------------------------------------ what is refused


async def test_a_step_that_is_not_on_record_is_refused_with_those_that_are():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await three_steps(engine))
        for wrong in ("steps[3]", "steps", "prompt", "steps[1]/nothing", "", "steps[1]/llm[1]", "nodes[a]"):
            with pytest.raises(ValidationError, match="has no step") as caught:
                await engine.executions.fork(source.id, at=wrong)
            assert "steps[1]/llm[0]" in caught.value.message
        assert (await engine.executions.list()).meta.total == 1


async def test_what_has_no_prompt_or_model_cannot_get_another_one():
    async with watched() as (engine, watch):
        source = await ran(engine, watch, await KINDS["workflow"](engine))
        with pytest.raises(ValidationError, match="which prompt"):
            await engine.executions.fork(source.id, prompt={"user_prompt": "x"})
        for key in ("nodes[tool]", "nodes[sub]"):
            with pytest.raises(ValidationError, match="has no prompt"):
                await engine.executions.fork(source.id, at=key, prompt={"user_prompt": "x"})
        with pytest.raises(ValidationError, match="calls no model"):
            await engine.executions.fork(source.id, at="nodes[tool]", model="scripted/n")
        with pytest.raises(ValidationError, match="no_such_field"):
            await engine.executions.fork(source.id, at="nodes[p]", prompt={"no_such_field": 1})
        child = (await engine.executions.get(source.id)).children[0]
        with pytest.raises(ValidationError, match="fork its root"):
            await engine.executions.fork(child.id)
        with pytest.raises(NotFoundError):
            await engine.executions.fork("nobody")
        assert watch.asked() == []
        assert (await engine.executions.list(include_children=True)).meta.total == 2


# ------------------------------------------------------------------ runs that failed


async def test_a_failed_run_is_forked_at_the_failing_step_with_a_corrected_prompt():
    async with watched() as (engine, watch):
        bad = await three_steps(engine, "one {{ x }}", "two {{ nobody.knows }}", "three {{ previous_output }}")
        await engine.prompts.create_version(
            "prompt 1", user_prompt="two {{ nobody.knows }}", strict=True, set_current=True
        )
        failed = await engine.agents.execute(bad, INPUT)
        assert failed.status == "failed"
        assert watch.asked() == ["one 1"]
        fork = await engine.executions.fork(failed.id, at="steps[1]", prompt={"user_prompt": "two {{ x }}"})
        assert fork.raise_for_status().text == "<three <two 1>>"
        assert watch.asked() == ["two 1", "three <two 1>"]


async def test_a_model_call_that_failed_is_made_again():
    replies = ["a", Reply(error=ValueError("broken")), "b", "c"]
    async with watched(replies) as (engine, watch):
        failed = await engine.agents.execute(await three_steps(engine), INPUT)
        assert failed.status == "failed"
        watch.asked()
        fork = await engine.executions.fork(failed.id, at="steps[1]/llm[0]")
        assert (fork.raise_for_status().text, len(watch.asked())) == ("c", 2)
