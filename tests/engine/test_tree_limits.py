"""Limits over a tree of executions: tokens, money, tool calls, children and depth."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptrails_engine import Limits, MultiAgentConfig, PromptLink, ToolArgsInvalidError, tool
from promptrails_engine.testing import ToolUse
from tests.engine.families import PRICED, THREE, Held, agent, agents, composite, everything, step, two_levels
from tests.engine.kit import scripted

pytestmark = pytest.mark.usefixtures("each_store")


async def test_the_budget_of_the_root_holds_for_the_whole_tree():
    async with agents({**THREE, "b": {"user_prompt": "B", "max_tokens": 5}}, lambda _: "one two three") as (
        engine,
        provider,
    ):
        outer = await two_levels(engine)
        assert (await engine.agents.execute(outer, {}, limits=Limits(max_total_tokens=200))).status == "completed"
        result = await engine.agents.execute(outer, {}, limits=Limits(max_total_tokens=16))
        assert (result.status, result.error_code) == ("failed", "budget_exceeded")
        assert [request.messages[-1].content for request in provider.requests[3:]] == ["A"]
        failed = (await engine.executions.tree(result.execution_id)).children[0].children[1]
        assert (failed.status, failed.error_code) == ("failed", "budget_exceeded")
        assert "16 tokens (12 left) of a run above it" in failed.error


async def test_a_child_has_the_lower_of_its_own_budget_and_the_roots():
    async with scripted(lambda _: "one two three") as (engine, provider):
        await agent(engine, "a", "A {{ x }}", run_budget={"max_total_tokens": 30})
        team = await composite(engine, step("a"), step("again", "a", agent_id="a"))
        result = await engine.agents.execute(team, {"x": "y" * 30}, limits=Limits(max_total_tokens=1000))
        assert result.error_code == "budget_exceeded"
        assert "the limit of 30 tokens (30 left) or the limit of 1000 tokens (1000 left) of a run above" in result.error
        assert (
            await engine.agents.execute(team, {"x": "y"}, limits=Limits(max_total_tokens=1000))
        ).text == "one two three"
        assert [request.max_tokens for request in provider.requests] == [19, 19]
        await engine.agents.execute(team, {"x": "y"}, limits=Limits(max_total_tokens=25))
        assert provider.requests[2].max_tokens == 14


async def test_money_is_counted_over_the_tree():
    async with agents({name: {"user_prompt": name, "max_tokens": 1} for name in "ab"}, models=[PRICED]) as (engine, _):
        team = await composite(engine, step("a"), step("b", "a"), run_budget={"max_cost": 11.0})
        result = await engine.agents.execute(team, {})
        assert (result.error_code, result.cost) == ("budget_exceeded", 2.0)
        roomy = await engine.agents.execute(team, {}, limits=Limits(max_cost=12.0))
        assert roomy.cost == 4.0


@pytest.mark.parametrize(("allowed", "status"), [(4, "completed"), (3, "failed"), (0, "failed")])
async def test_children_are_counted_over_the_tree(allowed: int, status: str):
    async with agents(THREE) as (engine, provider):
        outer = await two_levels(engine)
        result = await engine.agents.execute(outer, {}, limits=Limits(max_children=allowed))
        assert result.status == status
        assert len(await everything(engine)) == allowed + 1
        if status == "failed":
            assert result.error_code == "budget_exceeded"
            assert f"the run may have {allowed} child executions" in result.error
            assert len(provider.requests) == max(allowed - 1, 0)


async def test_an_agents_own_limits_hold_below_it():
    async with agents(THREE) as (engine, _):
        inner = await composite(engine, step("a"), step("b", "a"), name="inner", run_budget={"max_children": 1})
        result = await engine.agents.execute(await composite(engine, step("i", agent_id=inner), name="outer"), {})
        assert result.error_code == "budget_exceeded"
        assert "the run of agent 'inner' may have 1 child executions" in result.error


@pytest.mark.parametrize(("depth", "status"), [(2, "completed"), (1, "failed")])
async def test_depth_is_counted_from_the_root(depth: int, status: str):
    async with agents(THREE) as (engine, _):
        outer = await two_levels(engine)
        result = await engine.agents.execute(outer, {}, limits=Limits(max_depth=depth))
        assert result.status == status
        if status == "failed":
            assert "outer -> inner -> a" in result.error


async def test_a_depth_limit_holds_by_default_and_can_be_raised():
    async with agents({"a": "A"}) as (engine, _):
        team, name = await composite(engine, step("a"), name="c1"), "c1"
        for number in range(2, 10):
            team = await composite(engine, step("x", agent_id=name), name=f"c{number}")
            name = f"c{number}"
        result = await engine.agents.execute(team, {})
        assert (result.status, result.error_code) == ("failed", "budget_exceeded")
        assert "8 levels" in result.error
        assert (await engine.agents.execute(team, {}, limits=Limits(max_depth=9))).text == "<A>"


async def test_tool_calls_are_counted_over_the_tree():
    @tool
    def more() -> str:
        """More."""
        return "more"

    def replies(request: Any) -> Any:
        return "done" if any(message.role == "tool" for message in request.messages) else ToolUse("more")

    async with scripted(replies, tools=[more]) as (engine, _):
        for name in "ab":
            await agent(engine, name, name, tools=["more"])
        team = await composite(engine, step("a"), step("b", "a"))
        assert (await engine.agents.execute(team, {}, limits=Limits(max_tool_calls=2))).status == "completed"
        result = await engine.agents.execute(team, {}, limits=Limits(max_tool_calls=1))
        assert (result.status, result.error_code) == ("failed", "budget_exceeded")
        assert "the run may make 1 tool calls" in result.error


async def test_what_the_caller_says_of_each_call_holds_in_children():
    @tool
    def refuse() -> str:
        """Refuses."""
        raise ToolArgsInvalidError("no")

    async with scripted(lambda _: ToolUse("refuse"), tools=[refuse]) as (engine, provider):
        await agent(engine, "a", "A", tools=["refuse"])
        result = await engine.agents.execute(await composite(engine, step("a")), {}, limits=Limits(max_rounds=2))
        assert result.error_code == "tool_loop"
        assert len(provider.requests) == 2


async def test_children_at_once_wait_for_what_the_others_leave_of_the_budget():
    below = asyncio.Semaphore(1)  # the first call is given all that is left

    async def replies(request: Any) -> Any:
        assert not below.locked()
        async with below:
            for _ in range(5):
                await asyncio.sleep(0)
            return "one two three"

    async with agents(THREE, replies) as (engine, provider):
        team = await composite(engine, step("a"), step("b"), step("c"))
        result = await engine.agents.execute(team, {}, limits=Limits(max_total_tokens=40))
        assert result.status == "completed", result.error
        assert [request.max_tokens for request in provider.requests] == [31, 27, 23]
        tight = await engine.agents.execute(team, {}, limits=Limits(max_total_tokens=14))
        assert (tight.status, tight.error_code) == ("failed", "budget_exceeded")


async def test_a_child_whose_own_budget_is_spent_does_not_wait_for_its_siblings():
    held = Held("A")
    async with agents({"a": {"user_prompt": "A", "max_tokens": 5}}, held) as (engine, _):
        await agent(engine, "b", "B {{ x }}", run_budget={"max_total_tokens": 12})
        team = await composite(engine, step("a"), step("b"), policy="settle")
        limits = Limits(max_total_tokens=1000)
        task = asyncio.create_task(engine.agents.execute(team, {"x": "y" * 30}, limits=limits))
        await held.reached.wait()
        while not [one for one in await everything(engine) if one.status == "failed"]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        held.go.set()
        result = await task
        assert result.output is not None
        assert result.output["errors"]["b"]["code"] == "budget_exceeded"


async def test_steps_at_once_in_a_child_share_what_the_root_has_left_and_then_leave_it_whole():
    async with scripted(lambda _: "one two three") as (engine, provider):
        links = [PromptLink((await engine.prompts.create(name, user_prompt=name)).id, name, 0) for name in "xy"]
        await engine.agents.create("side", config=MultiAgentConfig(links))
        await agent(engine, "b", "B")
        team = await composite(engine, step("side"), step("b", "side"))
        result = await engine.agents.execute(team, {}, limits=Limits(max_total_tokens=109))
        assert result.status == "completed", result.error
        first, _, last = [request.max_tokens for request in provider.requests]
        assert (first, last) == ((109 - 9) // 2, 109 - 2 * 4 - 9)
