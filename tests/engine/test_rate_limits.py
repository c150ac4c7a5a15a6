"""Limits that are given: never passed, in fair order, visible, and left by whoever is stopped.  In virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine import (
    AsyncEngine,
    ConfigurationError,
    DefinitionError,
    Engine,
    Limits,
    LLMModel,
    MultiAgentConfig,
    PromptLink,
    RateLimit,
    SimpleAgentConfig,
)
from promptrails_engine.testing import ScriptedProvider
from tests.clocks import in_virtual_time
from tests.engine.kit import one_prompt, scripted
from tests.engine.rate_kit import LimitedModel, engine_on


def now() -> float:
    return asyncio.get_running_loop().time()


async def agents(engine: AsyncEngine, *names: str, **content: Any) -> None:
    """An agent under each name, whose prompt is its input's text."""
    prompt = await engine.prompts.create("P", user_prompt="{{ text }}", **content)
    for name in names:
        await engine.agents.create(name, config=SimpleAgentConfig(prompt_id=prompt.id))


async def gathered(engine: AsyncEngine, agent: str, count: int, **options: Any) -> list[Any]:
    return await asyncio.gather(
        *(engine.agents.execute(agent, {"text": f"{agent}{i}"}, **options) for i in range(count))
    )


# ------------------------------------------------------------------ the laws


@settings(max_examples=60)
@given(
    requests=st.none() | st.integers(1, 20),
    tokens=st.none() | st.integers(40, 400),
    concurrency=st.none() | st.integers(1, 5),
    seconds=st.sampled_from([0.0, 0.3, 7.0, 25.0]),
    arrivals=st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.7, 30.0, 59.9]), min_size=1, max_size=40),
)
def test_no_minute_holds_more_than_the_limit_and_everybody_is_served(
    requests: int | None, tokens: int | None, concurrency: int | None, seconds: float, arrivals: list[float]
):
    async def check() -> None:
        model = LimitedModel(seconds=seconds, tokens=40)
        limit = RateLimit(requests_per_minute=requests, tokens_per_minute=tokens, concurrency=concurrency)
        async with engine_on(model, rate_limits={"limited/m": limit}) as engine:
            await agents(engine, "A", max_tokens=45)  # a little more is set aside than is used
            runs: list[asyncio.Task[Any]] = []
            for i, pause in enumerate(arrivals):
                await asyncio.sleep(pause)
                runs.append(asyncio.create_task(engine.agents.execute("A", {"text": str(i)})))
            assert {result.status for result in await asyncio.gather(*runs)} == {"completed"}
        assert [call.text for call in model.calls] == [str(i) for i in range(len(arrivals))]
        if requests is not None:
            assert model.most_in(60) <= requests
        if tokens is not None:
            assert model.most_in(60) * 40 <= tokens
        if concurrency is not None:
            assert max(call.under_way for call in model.calls) <= concurrency

    in_virtual_time(check())


@settings(max_examples=40)
@given(st.data())
def test_the_law_and_the_others_survive_those_who_leave(data: st.DataObject):
    """Runs are cancelled while they wait, as they are let through, and under way."""
    count = data.draw(st.integers(2, 25))
    leaving = data.draw(st.dictionaries(st.integers(0, count - 1), st.sampled_from([0.0, 0.5, 1.0, 60.0, 61.0, 120.5])))

    async def check() -> None:
        model = LimitedModel(seconds=1.0)
        limit = RateLimit(requests_per_minute=3, concurrency=2)
        async with engine_on(model, rate_limits={"*": limit}) as engine:
            await agents(engine, "A", "B")
            runs = [asyncio.create_task(engine.agents.execute("AB"[i % 2], {"text": str(i)})) for i in range(count)]
            for i, after in leaving.items():
                asyncio.get_running_loop().call_later(after, runs[i].cancel)
            ends = await asyncio.gather(*runs, return_exceptions=True)
            for i, end in enumerate(ends):
                if i not in leaving:
                    assert not isinstance(end, BaseException)
                    assert end.status == "completed"
            assert (await engine.agents.execute("A", {"text": "later"})).status == "completed"
        assert model.most_in(60) <= 3
        assert max(call.under_way for call in model.calls) <= 2

    in_virtual_time(check())


async def _handed_back() -> None:
    model = LimitedModel(seconds=1.0)
    limit = RateLimit(concurrency=1, requests_per_minute=2)
    async with engine_on(model, rate_limits={"*": limit}) as engine:
        await agents(engine, "A")
        runs = [asyncio.create_task(engine.agents.execute("A", {"text": str(i)})) for i in range(3)]
        begun = now()

        def leave() -> None:
            """Comes after the second run has got its turn, and before it can take it."""
            asyncio.get_running_loop().call_soon(runs[1].cancel)

        model.at_end = leave
        await runs[0]
        assert (await runs[2]).status == "completed"
        assert runs[1].cancelled()
        # Neither its place nor its part of the minute is lost.
        assert [(call.text, call.at - begun) for call in model.calls] == [("0", 0.0), ("2", 1.0)]


def test_a_turn_that_comes_too_late_is_handed_on():
    in_virtual_time(_handed_back())


async def _in_turns() -> None:
    model = LimitedModel(seconds=1.0)
    async with engine_on(model, rate_limits={"limited/*": RateLimit(concurrency=1)}) as engine:
        await agents(engine, "A", "B", "C")
        loop_turns = [engine.agents.execute("A", {"text": f"A{i}"}) for i in range(6)]
        loop_turns += [engine.agents.execute("B", {"text": f"B{i}"}) for i in range(3)]
        loop_turns += [engine.agents.execute("C", {"text": "C0"})]
        await asyncio.gather(*loop_turns)
    # A0 found nobody there; from then on the agents that wait take turns, each with its first to come.
    assert [call.text for call in model.calls] == ["A0", "A1", "B0", "C0", "A2", "B1", "A3", "B2", "A4", "A5"]


def test_agents_take_turns_and_within_one_the_first_to_come_is_first():
    in_virtual_time(_in_turns())


# ------------------------------------------------------------------ what waiting counts for


async def _waits_are_seen() -> None:
    model = LimitedModel(seconds=2.0)
    async with engine_on(model, rate_limits={"limited/m": RateLimit(requests_per_minute=1)}) as engine:
        await agents(engine, "A")
        limits = Limits(call_s=3.0, first_token_s=3.0, idle_s=3.0)
        results = await gathered(engine, "A", 3, limits=limits)
        assert [result.status for result in results] == ["completed"] * 3
        waited = [
            [s.attributes.get("rate_limit_wait_ms") for s in await engine.traces.list(kind="llm", trace_id=r.trace_id)]
            for r in results
        ]
        assert waited == [[None], [60_000], [120_000]]


def test_waiting_is_seen_on_the_span_and_counts_against_no_limit_of_the_call():
    in_virtual_time(_waits_are_seen())


async def _waits_end() -> None:
    model = LimitedModel(seconds=2.0)
    async with engine_on(model, rate_limits={"limited/m": RateLimit(requests_per_minute=1)}) as engine:
        await agents(engine, "A")
        begun = now()
        first, second = await gathered(engine, "A", 2, limits=Limits(timeout_s=20.0, max_total_tokens=5000))
        assert (first.status, second.error_code, now() - begun) == ("completed", "run_timeout", 20.0)
        assert second.token_usage == {}
        assert second.cost == 0.0  # it was never sent, so nothing is unknown
        [span] = await engine.traces.list(kind="llm", trace_id=second.trace_id)
        assert span.attributes["rate_limit_wait_ms"] == 20_000
        stream = engine.agents.stream("A", {"text": "x"})
        async for event in stream:
            await engine.executions.cancel(event.execution_id)
            break
        assert (await stream.result()).status == "cancelled"
        assert len(model.calls) == 1


def test_a_run_that_waits_heeds_its_own_limit_of_time_and_can_be_cancelled():
    in_virtual_time(_waits_end())


async def _siblings() -> None:
    model = LimitedModel(seconds=1.0)
    async with engine_on(model, rate_limits={"*": RateLimit(concurrency=1)}) as engine:
        for name in "abcd":
            await engine.prompts.create(name, user_prompt=name, max_tokens=400)
        links = [PromptLink(prompt_id=name, role=name, sort_order=i) for i, name in enumerate("abcd")]
        await engine.agents.create("A", config=MultiAgentConfig(links))
        results = await asyncio.gather(
            *(engine.agents.execute("A", {}, limits=Limits(max_total_tokens=1000)) for _ in range(4))
        )
        assert [result.status for result in results] == ["completed"] * 4


def test_a_budget_and_a_gate_do_not_wait_for_each_other():
    in_virtual_time(_siblings())


# ------------------------------------------------------------------ whose limit it is


async def _each_by_itself() -> None:
    one, other = LimitedModel("one"), LimitedModel("other")
    limits = {
        "*": RateLimit(requests_per_minute=1),
        "one/*": RateLimit(requests_per_minute=2),
        "one/large*": RateLimit(requests_per_minute=3),
        "one/large": RateLimit(requests_per_minute=4),
        "mine": RateLimit(requests_per_minute=5),
    }
    registered = LLMModel(id="mine", provider="one", model_id="own")
    async with engine_on(one, other, rate_limits=limits, models=[registered]) as engine:
        for model, count in {"other/x": 1, "one/x": 2, "one/large-2": 3, "one/large": 4, "mine": 5}.items():
            one.calls.clear()
            other.calls.clear()
            prompt = await engine.prompts.create(model, user_prompt="{{ text }}", model=model)
            await asyncio.gather(*(engine.prompts.execute(prompt.id, {"text": "x"}) for _ in range(7)))
            assert max(one.most_in(60), other.most_in(60)) == count, model
        one.calls.clear()
        for _ in range(2):
            for key in ("k1", "k2"):
                one.credential = key
                await engine.prompts.execute("one/x", {"text": "x"})
        assert one.most_in(60) == 4  # two for each credential
        async with engine_on(one, rate_limits=limits) as second:
            await agents(second, "A")
            begun = now()
            await second.agents.execute("A", {"text": "x"})
            assert now() - begun == one.seconds


def test_the_longest_name_counts_for_each_model_credential_and_engine_by_itself():
    in_virtual_time(_each_by_itself())


@pytest.mark.parametrize("name", ["", "*/m", "openai/*o", "open**"])
def test_a_name_that_can_fit_nothing_is_refused(name: str):
    with pytest.raises(ConfigurationError, match=r"openai/\*"):
        AsyncEngine(rate_limits={name: RateLimit(concurrency=1)})


def test_what_is_no_limit_is_refused():
    with pytest.raises(ConfigurationError, match="RateLimit"):
        AsyncEngine(rate_limits={"openai/*": 500})  # type: ignore[dict-item]
    for wrong in ({"concurrency": 0}, {"requests_per_minute": -1}, {"tokens_per_minute": 1.5}):
        with pytest.raises(DefinitionError):
            RateLimit(**wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------------ doors and loops


def test_threads_over_the_sync_face_share_the_gate():
    most = under_way = 0

    async def reply(_: Any) -> str:
        nonlocal most, under_way
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return "ok"

    limits = {"scripted/m": RateLimit(concurrency=2)}
    with Engine(providers=[ScriptedProvider(reply)], model="scripted/m", rate_limits=limits) as engine:
        prompt = engine.prompts.create("P", user_prompt="hi")

        async def all_at_once() -> list[Any]:
            calls = (asyncio.to_thread(engine.prompts.execute, prompt.id, {}) for _ in range(12))
            return await asyncio.gather(*calls)

        assert {result.status for result in asyncio.run(all_at_once())} == {"completed"}
    assert most <= 2


def test_what_was_under_way_in_another_loop_takes_no_place_in_the_next():
    gate = asyncio.Event()

    async def reply(request: Any) -> str:
        if request.messages[-1].content == "Say: hang":
            await gate.wait()
        return "ok"

    async def abandon(engine: AsyncEngine, agent: str) -> None:
        engine.agents.stream(agent, {"text": "hang"})
        engine.agents.stream(agent, {"text": "hang"})
        for _ in range(20):
            await asyncio.sleep(0)

    provider = ScriptedProvider(reply)
    engine = AsyncEngine(providers=[provider], model="scripted/m", rate_limits={"*": RateLimit(concurrency=1)})
    agent = asyncio.run(one_prompt(engine))
    asyncio.run(abandon(engine, agent))
    assert asyncio.run(engine.agents.execute(agent, {"text": "go"})).text == "ok"
    asyncio.run(engine.aclose())


async def test_without_limits_nothing_is_noted():
    async with scripted(lambda _: "ok") as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine), {"text": "x"})
        [span] = await engine.traces.list(kind="llm", trace_id=result.trace_id)
        assert "rate_limit_wait_ms" not in span.attributes
