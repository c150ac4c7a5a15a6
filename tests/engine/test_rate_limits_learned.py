"""Limits that nobody gave: learned from what a provider says and refuses.  In virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine import AsyncEngine, Limits, ProviderUnavailableError, RateLimitError, SimpleAgentConfig
from promptrails_engine.testing import Reply, ScriptedProvider
from tests.clocks import in_virtual_time
from tests.engine.kit import one_prompt, scripted
from tests.engine.rate_kit import LimitedModel, engine_on


def now() -> float:
    return asyncio.get_running_loop().time()


async def batch(model: LimitedModel, count: int) -> tuple[Counter[str], float]:
    """How `count` runs at once ended, and the seconds that they took."""
    async with engine_on(model) as engine:
        agent = await one_prompt(engine)
        begun = now()
        runs = (engine.agents.execute(agent, {"text": str(i)}) for i in range(count))
        results = await asyncio.gather(*runs)
        return Counter(result.status for result in results), now() - begun


# ------------------------------------------------------------------ a batch


@pytest.mark.once
@pytest.mark.parametrize("says_retry_after", [False, True])
def test_ten_thousand_runs_neither_storm_nor_stall(says_retry_after: bool):
    """500 requests a minute: the last of twenty windows begins after 1140 s."""
    model = LimitedModel(requests_a_window=500, says_retry_after=says_retry_after)
    ends, seconds = in_virtual_time(batch(model, 10_000))
    assert ends == {"completed": 10_000}
    assert model.refusals < 1000
    assert seconds < 1.5 * 1140
    assert max(call.under_way for call in model.calls) <= 100  # what the provider can send at once


@settings(max_examples=25)
@given(
    requests=st.integers(1, 60),
    window=st.sampled_from([1.0, 10.0, 55.0]),
    seconds=st.sampled_from([0.1, 1.0, 20.0]),
    count=st.integers(1, 150),
    connections=st.integers(1, 100),
)
def test_nothing_is_refused_where_the_provider_says_what_is_left_before_it_is_gone(
    requests: int, window: float, seconds: float, count: int, connections: int
):
    model = LimitedModel(requests_a_window=requests, window_s=window, says_left=True, seconds=seconds)
    model.connections = min(connections, requests)  # more, and the first wave is too large before a word is said
    ends, _ = in_virtual_time(batch(model, count))
    assert ends == {"completed": count}
    assert model.refusals == 0


@settings(max_examples=25)
@given(at_once=st.integers(1, 40), seconds=st.sampled_from([0.1, 1.0, 20.0]), count=st.integers(1, 300))
def test_the_number_at_once_is_found_out(at_once: int, seconds: float, count: int):
    model = LimitedModel(at_once=at_once, seconds=seconds)
    ends, took = in_virtual_time(batch(model, count))
    assert ends == {"completed": count}
    assert model.refusals <= 100 + count / 2
    assert took < 60 + 4 * seconds * (1 + count / at_once)


# ------------------------------------------------------------------ refusals


async def _nobody_before() -> None:
    model = LimitedModel(requests_a_window=3, window_s=42.0, says_retry_after=True, seconds=0.2)
    async with engine_on(model) as engine:
        agent = await one_prompt(engine)
        first = [asyncio.create_task(engine.agents.execute(agent, {"text": "x"})) for _ in range(4)]
        await asyncio.sleep(1)
        later = [asyncio.create_task(engine.agents.execute(agent, {"text": "y"})) for _ in range(2)]
        assert {run.status for run in await asyncio.gather(*first, *later)} == {"completed"}
    begun = model.calls[0].at
    assert [round(call.at - begun, 6) for call in model.calls[:4]] == [0.0] * 4
    assert all(call.at - begun >= 42.0 for call in model.calls[4:])
    assert model.refusals == 1


def test_after_a_refusal_nobody_calls_before_the_moment_that_was_named():
    in_virtual_time(_nobody_before())


async def _too_long() -> None:
    model, other = LimitedModel(requests_a_window=2, window_s=500.0, says_retry_after=True), LimitedModel("other")
    async with engine_on(model, other) as engine:
        agent = await one_prompt(engine)
        await asyncio.gather(*(engine.agents.execute(agent, {"text": "x"}) for _ in range(2)))
        refused = await engine.agents.execute(agent, {"text": "x"})
        assert refused.error_code == "rate_limited"
        sent = len(model.calls)
        again = await engine.agents.execute(agent, {"text": "x"})
        assert (again.error_code, len(model.calls)) == ("rate_limited", sent)
        assert "another 49" in (again.error or "")
        prompt = await engine.prompts.create("F", user_prompt="x", max_tokens=400, fallback_llm_model_id="other/m")
        second = await engine.agents.create("F", config=SimpleAgentConfig(prompt_id=prompt.id))
        # What the budget had set aside for the call that was not made is there for the next one.
        assert (await engine.agents.execute(second.id, {}, limits=Limits(max_total_tokens=600))).text == "ok"
        assert (len(model.calls), len(other.calls)) == (sent, 1)
        await asyncio.sleep(500)
        assert (await engine.agents.execute(agent, {"text": "x"})).status == "completed"


def test_where_the_wait_is_too_long_calls_fail_at_once_and_fall_back():
    in_virtual_time(_too_long())


async def _line_told() -> None:
    model = LimitedModel(requests_a_window=1, window_s=500.0, says_retry_after=True, connections=2)
    model.refuses_after_s = 0.5  # the others are in the line by then
    async with engine_on(model) as engine:
        agent = await one_prompt(engine)
        begun = now()
        results = await asyncio.gather(*(engine.agents.execute(agent, {"text": "x"}) for _ in range(50)))
        assert Counter(result.error_code for result in results) == {"": 1, "rate_limited": 49}
        assert (len(model.calls), now() - begun) == (2, model.seconds)


def test_those_in_the_line_are_told_too():
    in_virtual_time(_line_told())


async def _unavailable() -> None:
    error = ProviderUnavailableError("down", details={"retry_after_s": 30.0})
    calls: list[float] = []

    def reply(_: Any) -> Any:
        calls.append(now())
        return error if len(calls) == 1 else "ok"

    class Accounted(ScriptedProvider):
        account = LimitedModel.account
        credential = "key"
        connections = None

    async with AsyncEngine(providers=[Accounted(reply)], model="scripted/m") as engine:
        agent = await one_prompt(engine)
        assert (await engine.agents.execute(agent, {})).status == "completed"
    assert calls[1] - calls[0] == 30.0


def test_a_server_that_is_down_until_a_moment_is_left_alone_until_then():
    in_virtual_time(_unavailable())


async def _without_account(count: int) -> int:
    """Refusals among so many runs of a provider that says nothing of accounts, which takes ten calls at once."""
    under_way = refused = 0

    async def reply(_: Any) -> Any:
        nonlocal under_way, refused
        if under_way >= 10:
            refused += 1
            return RateLimitError("too many")
        under_way += 1
        await asyncio.sleep(1)
        under_way -= 1
        return Reply("ok")

    async with scripted(reply) as (engine, _):
        agent = await one_prompt(engine)
        runs = [asyncio.create_task(engine.agents.execute(agent, {"text": str(i)})) for i in range(count)]
        results = await asyncio.gather(*runs)
        assert {result.status for result in results} == {"completed"}
    return refused


def test_a_provider_without_accounts_is_held_back_from_its_first_refusal_on():
    """The first wave is on its way before anybody knows; of what follows, next to nothing is refused."""
    assert in_virtual_time(_without_account(200)) <= 190 + 40
