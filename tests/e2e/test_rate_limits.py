"""Limits of a real HTTP server, through each adapter that speaks HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptrails_engine import AsyncEngine, RateLimit
from promptrails_engine.run import retry
from promptrails_providers.litellm_provider import LiteLLMProvider
from tests.clocks import put_forward
from tests.e2e.doors import DOORS, Door, engine_over, model_of
from tests.engine.kit import one_prompt
from tests.providers.loopback import Hold, LoopbackServer
from tests.providers.replies import encode, error, event, streamed

ANSWER = [encode(event({"content": "ok"})), encode(event({}, "stop")), b"data: [DONE]\n\n"]


@pytest.fixture(scope="module", autouse=True)
def litellm_is_warm() -> None:
    asyncio.run(LiteLLMProvider().warm_up())


@pytest.fixture(params=sorted(DOORS))
def door(request: pytest.FixtureRequest) -> Door:
    return DOORS[request.param]


async def waits_of(engine: AsyncEngine, result: Any) -> list[Any]:
    spans = await engine.traces.list(kind="llm", trace_id=result.trace_id)
    return [span.attributes.get("rate_limit_wait_ms", 0) for span in spans]


@pytest.mark.parametrize("what", ["requests", "tokens"])
async def test_what_an_answer_says_is_left_holds_the_next_call_back(door: Door, server: LoopbackServer, what: str):
    left = {f"x_ratelimit_remaining_{what}": "0", f"x_ratelimit_reset_{what}": "40s"}
    server.script(streamed(ANSWER, **left), streamed(ANSWER))
    move = put_forward(asyncio.get_running_loop())
    async with engine_over(door, server) as engine:
        agent = await one_prompt(engine)
        await engine.agents.execute(agent, {"text": "first"})
        second = asyncio.create_task(engine.agents.execute(agent, {"text": "second"}))
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(server.requests) == 1
        move(40)
        [waited] = await waits_of(engine, await second)
        assert waited >= 39_000


async def test_a_refusal_holds_everybody_on_the_model_and_nobody_else(
    door: Door, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
):
    move = put_forward(asyncio.get_running_loop())
    sleeps = asyncio.Event()
    original = retry.AsyncRetrying

    async def sleep(seconds: float) -> None:
        sleeps.set()
        await asyncio.sleep(seconds)

    monkeypatch.setattr(retry, "AsyncRetrying", lambda **options: original(sleep=sleep, **options))
    server.script(error(429, code="rate_limit_exceeded", retry_after="30"), streamed(ANSWER))
    async with engine_over(door, server) as engine:
        agent = await one_prompt(engine)
        elsewhere = await engine.prompts.create("Other", user_prompt="hi", model=model_of(door, model="other"))
        refused = asyncio.create_task(engine.agents.execute(agent, {"text": "a"}))
        await sleeps.wait()
        held = asyncio.create_task(engine.agents.execute(agent, {"text": "b"}))
        assert (await engine.prompts.execute(elsewhere.id, {})).text == "ok"
        assert [request.json["model"] for request in server.requests] == ["m", "other"]
        move(30)
        assert (await refused).text == "ok"
        [waited] = await waits_of(engine, await held)
        assert waited >= 29_000
        assert len(server.requests) == 4


async def test_no_more_calls_at_once_than_are_allowed(door: Door, server: LoopbackServer):
    gates = [Hold() for _ in range(6)]
    server.script(*(streamed([ANSWER[0], gate, *ANSWER[1:]]) for gate in gates))
    limits = {f"{model_of(door).partition('/')[0]}/*": RateLimit(concurrency=2)}
    async with engine_over(door, server, rate_limits=limits) as engine:
        agent = await one_prompt(engine)
        runs = [asyncio.create_task(engine.agents.execute(agent, {"text": str(i)})) for i in range(6)]
        for done, gate in enumerate(gates):
            # Each that ends lets one more come, so that two are with the server until the last two.
            assert await asyncio.to_thread(server.wait_requests, min(done + 2, 6))
            assert len(server.requests) == min(done + 2, 6)
            gate.gate.set()
        assert {(await run).text for run in runs} == {"ok"}
