"""What a plan says of approval: the checkpoint, the calls that are guarded, and how long somebody has."""

from __future__ import annotations

from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    DefinitionError,
    MultiAgentConfig,
    PromptLink,
    SimpleAgentConfig,
    SubAgentAttachment,
    ToolAttachment,
)
from promptrails_engine.run.plan import Plan
from tests.engine.kit import scripted

GUARDED = ToolAttachment("calculator", requires_approval=True)


async def planned(engine: AsyncEngine, config: Any = None, prompt: dict[str, Any] | None = None, **agent: Any) -> Plan:
    """The plan of a new agent, of one prompt where no config is given."""
    made = await engine.prompts.create("P", user_prompt="Hello", **(prompt or {}))
    config = config(made.id) if config else SimpleAgentConfig(made.id)
    ref = (await engine.agents.create("A", config=config, **agent)).id
    return await engine._parts.planner.plan(ref, None)


def chain(**more: Any) -> Any:
    return lambda ref: ChainAgentConfig([PromptLink(ref, "a", 1), PromptLink(ref, "b", 2)], **more)


def simple(**more: Any) -> Any:
    return lambda ref: SimpleAgentConfig(ref, **more)


@pytest.mark.parametrize("config", [simple, chain])
@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({}, None),
        ({"approval_checkpoint_name": "look"}, None),
        ({"approval_required": True}, "approval"),
        ({"approval_required": True, "approval_checkpoint_name": ""}, "approval"),
        ({"approval_required": True, "approval_checkpoint_name": "look"}, "look"),
    ],
)
async def test_the_checkpoint_of_an_output(config: Any, said: dict[str, Any], name: str | None):
    async with scripted([]) as (engine, _):
        assert (await planned(engine, config(**said))).checkpoint == name


@pytest.mark.parametrize(
    ("policy", "seconds"), [(None, None), ({}, None), ({"expires_in_s": 90}, 90), ({"mode": "any_member"}, None)]
)
async def test_how_long_somebody_has(policy: Any, seconds: float | None):
    async with scripted([]) as (engine, _):
        assert (await planned(engine, approval_policy=policy)).approval_expires_s == seconds


@pytest.mark.parametrize(
    ("tools", "guarded"),
    [
        ([], set()),
        (["calculator"], set()),
        ([ToolAttachment("calculator", requires_approval=False)], set()),
        ([GUARDED], {"calculator"}),
        ([GUARDED, "current_time"], {"calculator"}),
    ],
)
async def test_calls_of_tools_that_are_guarded(tools: Any, guarded: set[str]):
    async with scripted([]) as (engine, _):
        plan = await planned(engine, chain(), tools=tools)
        assert [step.guarded for step in plan.steps] == [guarded, guarded]


async def test_every_type_with_prompts_guards_its_tools():
    async with scripted([]) as (engine, _):
        plan = await planned(engine, lambda ref: MultiAgentConfig([PromptLink(ref, "a", 1)]), tools=[GUARDED])
        assert plan.gather is not None
        assert [step.guarded for step in plan.gather.branches] == [{"calculator"}]


async def test_a_tool_stays_guarded_where_the_prompt_names_it_itself():
    async with scripted([]) as (engine, _):
        prompt = {"tools": ["calculator", "current_time"]}
        plan = await planned(engine, prompt=prompt, tools=[GUARDED])
        assert set(plan.steps[0].tools) == {"calculator", "current_time"}
        assert plan.steps[0].guarded == {"calculator"}


async def test_what_the_prompt_does_not_offer_need_not_be_guarded():
    async with scripted([]) as (engine, _):
        plan = await planned(engine, prompt={"tools": ["current_time"]}, tools=[GUARDED])
        assert plan.steps[0].guarded == set()


async def test_a_guarded_tool_that_is_not_known_is_found_before_anything_runs():
    async with scripted([]) as (engine, _):
        with pytest.raises(DefinitionError, match="'lookup'"):
            await planned(
                engine, prompt={"tools": ["calculator"]}, tools=[ToolAttachment("lookup", requires_approval=True)]
            )


async def test_calls_of_sub_agents_that_are_guarded():
    async with scripted([]) as (engine, _):
        prompt = await engine.prompts.create("Helper", user_prompt="Help")
        for name in ("first", "second", "third"):
            await engine.agents.create(name, config=SimpleAgentConfig(prompt.id))
        subs = [
            SubAgentAttachment("first", alias="ask_first", requires_approval=True),
            SubAgentAttachment("second", requires_approval=True, mode="handoff"),
            "third",
        ]
        plan = await planned(engine, tools=[GUARDED], sub_agents=subs)
        [step] = plan.steps
        assert step.guarded == {"calculator", "ask_first", "second"}
        assert {name for name, sub in step.sub_agents.items() if sub.guarded} == {"ask_first", "second"}


async def test_a_prompt_by_itself_asks_nobody():
    async with scripted([]) as (engine, _):
        await planned(engine, simple(approval_required=True), prompt={"tools": ["calculator"]}, tools=[GUARDED])
        plan = await engine._parts.planner.prompt_plan("P", None)
        assert (plan.checkpoint, plan.approval_expires_s, plan.steps[0].guarded) == (None, None, set())
