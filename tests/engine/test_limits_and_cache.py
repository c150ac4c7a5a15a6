"""Budgets that refuse beforehand, and answers that are kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine import DefinitionError, Limits, TokenUsage, tool
from promptrails_engine.models.registry import LLMModel
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing import Reply, ToolUse
from tests.engine.kit import one_prompt, scripted

PRICED = LLMModel(id="mine", provider="scripted", model_id="m", input_price=1.0, output_price=1.0)


async def test_a_call_that_could_pass_the_token_limit_is_not_made():
    async with scripted(lambda _: "ok", limits=Limits(max_total_tokens=40)) as (engine, provider):
        agent = await one_prompt(engine, "{{ text }}", max_tokens=30)
        result = await engine.agents.execute(agent, {"text": "word " * 10})
        assert (result.status, result.error_code) == ("failed", "budget_exceeded")
        assert "40 tokens" in result.error
        assert provider.requests == []
        assert (await engine.agents.execute(agent, {"text": "w"})).status == "completed"


async def test_without_max_tokens_the_model_is_given_what_is_left():
    async with scripted(lambda _: "ok", limits=Limits(max_total_tokens=100)) as (engine, provider):
        await engine.agents.execute(await one_prompt(engine, "{{ text }}"), {"text": "x" * 30})
        assert 0 < (provider.requests[0].max_tokens or 0) < 100 - 30


async def test_a_money_limit_refuses_before_it_is_passed_and_never_guesses_a_price():
    async with scripted(lambda _: "ok", models=[PRICED], limits=Limits(max_cost=50e-6)) as (engine, provider):
        agent = await one_prompt(engine, "{{ text }}", max_tokens=20)
        assert (await engine.agents.execute(agent, {"text": "short"})).status == "completed"
        assert (await engine.agents.execute(agent, {"text": "long " * 20})).error_code == "budget_exceeded"
        assert len(provider.requests) == 1
    async with scripted(lambda _: "ok", limits=Limits(max_cost=1.0)) as (engine, provider):
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.error_code, "unknown" in result.error) == ("budget_exceeded", True)
        assert provider.requests == []


async def test_the_agents_budget_holds_and_the_calls_own_limit_comes_first():
    async with scripted(lambda _: "ok") as (engine, _):
        agent = await one_prompt(engine, "{{ text }}", max_tokens=20, agent_run_budget={"max_total_tokens": 25})
        assert (await engine.agents.execute(agent, {"text": "x" * 30})).error_code == "budget_exceeded"
        roomy = Limits(max_total_tokens=1000)
        assert (await engine.agents.execute(agent, {"text": "x" * 30}, limits=roomy)).status == "completed"


async def test_calls_of_all_rounds_count_against_one_budget():
    @tool
    async def more() -> str:
        """More."""
        return "m" * 100

    async with scripted(lambda _: ToolUse("more"), tools=[more], limits=Limits(max_total_tokens=1500)) as (
        engine,
        provider,
    ):
        agent = await one_prompt(engine, "go", max_tokens=50, agent_tools=["more"])
        result = await engine.agents.execute(agent, {}, limits=Limits(max_repeated_calls=100))
        assert result.error_code == "budget_exceeded"
        assert 1 < len(provider.requests) < 20


@settings(max_examples=60)
@given(
    cap=st.integers(60, 600),
    used=st.lists(st.integers(0, 60), min_size=1, max_size=8),
    text=st.text(max_size=60),
    max_tokens=st.one_of(st.none(), st.integers(1, 60)),
)
def test_no_usage_within_the_providers_word_passes_the_cap(
    cap: int, used: list[int], text: str, max_tokens: int | None
):
    """Whatever a provider uses of what it was allowed, the run's total stays within the cap."""

    async def check() -> None:
        turns = iter(used)

        def reply(request: ModelRequest) -> Reply:
            prompt = sum(len(m.content.encode("utf-8", "surrogatepass")) for m in request.messages)
            answer = min(next(turns, 0), request.max_tokens or 0)
            usage = TokenUsage(prompt, answer, prompt + answer)
            return Reply(tool_calls=[ToolUse("state", {"action": "list", "n": len(used)})], usage=usage)

        limits = Limits(max_total_tokens=cap, max_repeated_calls=100)
        async with scripted(reply, limits=limits) as (engine, _):
            agent = await one_prompt(engine, "{{ text }}", max_tokens=max_tokens, agent_tools=["state"])
            result = await engine.agents.execute(agent, {"text": text})
            assert result.token_usage.get("total_tokens", 0) <= cap

    asyncio.run(check())


async def test_equal_calls_are_answered_from_the_cache_until_it_expires():
    class Clock:
        time = 1_700_000_000.0

        def now(self) -> float:
            return self.time

        def monotonic(self) -> float:
            return self.time

    clock = Clock()
    answers = iter(["first", "second", "third", "fourth"])
    async with scripted(lambda _: next(answers), models=[PRICED], clock=clock) as (engine, provider):
        agent = await one_prompt(engine, "{{ text }}", cache_timeout=60)

        async def ask(text: str) -> Any:
            return await engine.agents.execute(agent, {"text": text})

        assert [(await ask(t)).text for t in ("a", "a", "b", "a")] == ["first", "first", "second", "first"]
        again = await ask("a")
        assert (again.cost, again.token_usage) == (0.0, {})
        spans = await engine.traces.get_by_trace_id(again.trace_id)
        assert [s.attributes.get("cached") for s in spans if s.kind == "llm"] == [True]
        assert (
            "".join([e.content async for e in engine.agents.stream(agent, {"text": "a"}) if e.type == "content"])
            == "first"
        )
        clock.time += 61
        assert (await ask("a")).text == "third"
        await engine.prompts.create_version(
            "Prompt", user_prompt="{{ text }}", temperature=0.2, cache_timeout=60, set_current=True
        )
        assert (await ask("a")).text == "fourth"
        assert len(provider.requests) == 4


async def test_failed_and_cut_answers_are_not_kept():
    replies = [Reply("cut", finish="length"), "whole"]
    async with scripted(replies) as (engine, _):
        agent = await one_prompt(engine, cache_timeout=60)
        assert (await engine.agents.execute(agent, {})).truncated
        assert (await engine.agents.execute(agent, {})).text == "whole"


@pytest.mark.parametrize("wrong", [{"max_cost": -1}, {"timeout_s": 0}, {"max_rounds": 0}, {"nonsense": 1}])
def test_limits_are_checked_when_they_are_made(wrong: dict[str, Any]):
    with pytest.raises(DefinitionError, match=next(iter(wrong))):
        Limits(**wrong)


async def test_a_budget_that_makes_no_sense_is_refused_with_the_definition():
    async with scripted([]) as (engine, _):
        with pytest.raises(DefinitionError, match="max_total_tokens"):
            await one_prompt(engine, agent_run_budget={"max_total_tokens": 0})
