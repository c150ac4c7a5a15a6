"""Failing models: attempts, fallback, deadlines, and what is never tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    AuthError,
    BadRequestError,
    ContentEvent,
    ContentFilteredError,
    ContextOverflowError,
    Limits,
    ModelNotFoundError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
)
from promptrails_engine.ports.provider import Delta, Finish, ModelCapabilities, ModelRequest, TextDelta
from promptrails_engine.run import rate_flow, retry
from promptrails_engine.testing import Reply, ScriptedProvider
from tests.clocks import put_forward
from tests.engine.kit import one_prompt, scripted


@pytest.fixture
async def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, over which the clock is put forward."""
    seen: list[float] = []
    move = put_forward(asyncio.get_running_loop())

    async def sleep(seconds: float) -> None:
        seen.append(seconds)
        move(seconds)

    original = retry.AsyncRetrying

    def patched(**kwargs: Any) -> Any:
        return original(sleep=sleep, **kwargs)

    monkeypatch.setattr(retry, "AsyncRetrying", patched)
    monkeypatch.setattr(rate_flow, "_PAUSE_S", 0.0)
    return seen


async def test_an_unavailable_model_is_tried_three_times(waits: list[float]):
    async with scripted([ProviderUnavailableError("down"), ProviderUnavailableError("down"), "up"]) as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.text, len(waits)) == ("up", 2)
        assert all(0 <= wait <= 1.0 for wait in waits)
        spans = await engine.traces.list(kind="llm")
        assert sorted(span.status for span in spans) == ["error", "error", "ok"]
    async with scripted([ProviderUnavailableError("down")] * 3) as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.status, result.error_code) == ("failed", "provider_unavailable")


async def test_retry_after_is_honoured_up_to_a_minute(waits: list[float]):
    async with scripted([RateLimitError("slow down", retry_after_s=7), "ok"]) as (engine, _):
        assert (await engine.agents.execute(await one_prompt(engine), {})).text == "ok"
        assert waits == [7]
    async with scripted([RateLimitError("slow down", retry_after_s=600)]) as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.error_code, waits) == ("rate_limited", [7])


@pytest.mark.parametrize(
    "error",
    [
        BadRequestError("no"),
        AuthError("no"),
        QuotaExceededError("no"),
        ContextOverflowError("no"),
        ContentFilteredError("no"),
        ModelNotFoundError("no"),
    ],
)
async def test_what_cannot_get_better_is_not_tried_again(error: Exception, waits: list[float]):
    async with scripted([error]) as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert result.error_code == error.code  # type: ignore[attr-defined]
        assert waits == []


@pytest.mark.parametrize(
    ("error", "answered"),
    [
        (ProviderUnavailableError("down"), True),
        (RateLimitError("wait", retry_after_s=600), True),
        (QuotaExceededError("broke"), True),
        (ModelNotFoundError("gone"), True),
        (AuthError("bad key"), True),
        (BadRequestError("no"), False),
        (ContentFilteredError("no"), False),
        (ContextOverflowError("too long"), False),
    ],
)
async def test_the_fallback_model_answers_where_it_may(error: Exception, answered: bool, waits: list[float]):
    first = ScriptedProvider(lambda _: error, name="first")
    second = ScriptedProvider(lambda _: "second", name="second")
    async with AsyncEngine(providers=[first, second]) as engine:
        agent = await one_prompt(engine, model="first/m", fallback_llm_model_id="second/m")
        result = await engine.agents.execute(agent, {})
        assert (result.status == "completed") is answered
        assert len(second.requests) == int(answered)


async def test_the_same_credential_is_not_tried_under_another_name(waits: list[float]):
    async with scripted(lambda _: AuthError("bad key")) as (engine, provider):
        agent = await one_prompt(engine, fallback_llm_model_id="scripted/other")
        assert (await engine.agents.execute(agent, {})).error_code == "auth"
        assert len(provider.requests) == 1


async def test_a_larger_window_takes_what_overflowed(waits: list[float]):
    small = ScriptedProvider(
        lambda _: ContextOverflowError("too long"), "small", capabilities=ModelCapabilities(context_window=10)
    )
    large = ScriptedProvider(["fits"], "large", capabilities=ModelCapabilities(context_window=1000))
    async with AsyncEngine(providers=[small, large]) as engine:
        agent = await one_prompt(engine, model="small/m", fallback_llm_model_id="large/m")
        assert (await engine.agents.execute(agent, {})).text == "fits"


async def test_content_that_somebody_saw_is_not_taken_back(waits: list[float]):
    broken = Reply("Half ", error=StreamInterruptedError("gone"))
    async with scripted([broken]) as (engine, _):
        agent = await one_prompt(engine)
        stream = engine.agents.stream(agent, {})
        events = [event async for event in stream]
        assert [e.content for e in events if isinstance(e, ContentEvent)] == ["Half "]
        assert (await stream.result()).error_code == "stream_interrupted"
    async with scripted([broken, "Whole"]) as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert result.text == "Whole"
        stored = [e async for e in engine.executions.stream(result.execution_id)]
        assert "".join(e.content for e in stored if isinstance(e, ContentEvent)) == "Whole"
        assert [e.seq for e in stored] == list(range(1, len(stored) + 1))


async def test_an_empty_answer_is_asked_for_once_more(waits: list[float]):
    async with scripted([Reply(" ", thinking="hm"), "there"]) as (engine, _):
        assert (await engine.agents.execute(await one_prompt(engine), {})).text == "there"
    async with scripted(["", "\n"]) as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.status, result.error_code) == ("failed", "empty_output")


async def test_a_refusal_is_an_error_with_its_text():
    async with scripted([Reply(refusal="I will not.")]) as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.error_code, "I will not." in result.error) == ("refused", True)


async def test_filtered_text_is_no_success():
    async with scripted([Reply("Some text", finish="content_filter")]) as (engine, _):
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.status, result.error_code, result.output) == ("failed", "content_filtered", None)


class _Slow:
    """Says `pieces`, then nothing for ever; notes that its stream was closed."""

    name = "slow"

    def __init__(self, pieces: int, drip: float = 0) -> None:
        self.pieces = pieces
        self.drip = drip
        self.closed = 0

    def capabilities(self, model: str) -> ModelCapabilities:
        return ModelCapabilities()

    async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        try:
            for _ in range(self.pieces):
                yield TextDelta("x")
                await asyncio.sleep(self.drip)
            await asyncio.Event().wait()
            yield Finish("stop")
        finally:
            self.closed += 1

    async def aclose(self) -> None:
        return None


@pytest.mark.parametrize(
    ("provider", "limits", "phase"),
    [
        (_Slow(0), Limits(first_token_s=0.02), "first"),
        (_Slow(1), Limits(idle_s=0.02), "idle"),
        (_Slow(10_000, drip=0.005), Limits(call_s=0.05), "total"),
        (_Slow(0), Limits(call_s=0.02), "total"),
    ],
)
async def test_every_call_ends_in_bounded_time(provider: _Slow, limits: Limits, phase: str, waits: list[float]):
    async with AsyncEngine(providers=[provider], model="slow/m", limits=limits) as engine:
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.status, result.error_code) == ("failed", "timeout")
        assert f"'{phase}'" in result.error
        assert provider.closed == 3


async def test_the_runs_own_limit_ends_it():
    provider = _Slow(1)
    async with AsyncEngine(providers=[provider], model="slow/m", limits=Limits(timeout_s=0.03)) as engine:
        agent = await one_prompt(engine)
        result = await engine.agents.execute(agent, {})
        assert (result.status, result.error_code) == ("failed", "run_timeout")
        result = await engine.agents.execute(agent, {}, limits=Limits(timeout_s=0.01))
        assert "0.01 s" in result.error
        assert provider.closed == 2
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


async def test_an_endless_answer_is_cut_off():
    provider = _Slow(1_000_000)
    async with AsyncEngine(providers=[provider], model="slow/m", limits=Limits(max_answer_chars=50)) as engine:
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.error_code, provider.closed) == ("response_too_large", 1)
