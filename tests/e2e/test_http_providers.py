"""The engine over a real HTTP server, through each adapter that speaks HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from promptrails_engine import ContentEvent, DoneEvent, ErrorEvent, ExecutionEvent, Limits, ThinkingEvent
from promptrails_providers.litellm_provider import LiteLLMProvider
from tests.attempts import Waits
from tests.clocks import HeldClock
from tests.e2e.doors import DOORS, KEY, Door, engine_over, model_of, priced
from tests.engine.kit import SCHEMA, one_prompt
from tests.providers.loopback import Hold, LoopbackServer, Received, Reply, Script
from tests.providers.replies import (
    bad_chunking,
    chat,
    encode,
    endless,
    error,
    event,
    gzipped,
    hang_up,
    head,
    html,
    json_reply,
    plain,
    redirect,
    reset,
    short_body,
    silent,
    sse,
    streamed,
)


@pytest.fixture(scope="module", autouse=True)
def litellm_is_warm() -> None:
    asyncio.run(LiteLLMProvider().warm_up())


@pytest.fixture(params=sorted(DOORS))
def door(request: pytest.FixtureRequest) -> Door:
    return DOORS[request.param]


# ------------------------------------------------------------------ answers


async def test_a_plain_call_and_a_stream_are_one(door: Door, server: LoopbackServer):
    server.script(chat("Hello there you", thinking="hm"))
    async with engine_over(door, server, models=[priced(door)]) as engine:
        agent = await one_prompt(engine)
        plain_call = await engine.agents.execute(agent, {"text": "t"})
        stream = engine.agents.stream(agent, {"text": "t"})
        live = [e async for e in stream]
        streamed_call = await stream.result()
        for result in (plain_call, streamed_call):
            assert (result.status, result.text) == ("completed", "Hello there you")
            assert result.token_usage["prompt_tokens"] == 7
            assert result.token_usage["completion_tokens"] == 3
            assert result.cost == pytest.approx((7 * 1.0 + 3 * 2.0) / 1e6)
        assert [type(e) for e in live] == [ExecutionEvent, ThinkingEvent, *[ContentEvent] * 3, DoneEvent]
        stored = [e async for e in engine.executions.stream(plain_call.execution_id)]
        assert stored[1:] == live[1:]
        assert len(server.requests) == 2
        assert server.requests[0].body == server.requests[1].body
        sent = server.requests[0].json
        assert (sent["model"], sent["messages"]) == ("m", [{"role": "user", "content": "Say: t"}])
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_a_price_that_is_not_known_is_no_price(door: Door, server: LoopbackServer):
    server.script(chat("x"))
    async with engine_over(door, server) as engine:
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.cost, result.cost_known) == (None, 0.0)


async def test_tools_in_two_rounds_side_by_side(door: Door, server: LoopbackServer):
    both = asyncio.Barrier(2)

    async def look(city: str) -> str:
        """The weather."""
        await both.wait()  # each waits for the other: they run side by side or not at all
        return f"sunny in {city}"

    server.script(
        chat("", tool_calls=[("a", "look", '{"city": "Oslo"}'), ("b", "look", '{"city": "Bonn"}')]),
        chat("", tool_calls=[("a", "look", '{"city": 1}')]),  # an id used again, and arguments that break the schema
        chat("done"),
    )
    async with engine_over(door, server, tools=[look]) as engine:
        agent = await one_prompt(engine, tools=["look"])
        result = await engine.agents.execute(agent, {})
        assert result.text == "done"
        assert result.token_usage["total_tokens"] == 30
        second, third = (request.json["messages"] for request in server.requests[1:])
        assert [(m["tool_call_id"], m["content"]) for m in second if m["role"] == "tool"] == [
            ("a", "sunny in Oslo"),
            ("b", "sunny in Bonn"),
        ]
        assert [call["function"]["arguments"] for m in second for call in m.get("tool_calls", ())] == [
            '{"city": "Oslo"}',
            '{"city": "Bonn"}',
        ]
        assert "error" in json.loads(third[-1]["content"])
        spans = await engine.traces.list(kind="tool")
        assert sorted(s.status for s in spans) == ["error", "ok", "ok"]


async def test_an_answer_under_a_schema_is_repaired_once(door: Door, server: LoopbackServer):
    server.script(chat('{"category": "nope"}'), chat('{"category": "order", "number": 7}'))
    async with engine_over(door, server) as engine:
        agent = await one_prompt(engine, "go", output_schema=SCHEMA)
        stream = engine.agents.stream(agent, {})
        events = [e async for e in stream]
        assert (await stream.result()).output == {"category": "order", "number": 7}
        assert [e.content for e in events if isinstance(e, ContentEvent)] == ['{"category":"order","number":7}']
        assert server.requests[0].json["response_format"]["type"] == "json_schema"
        assert [m["role"] for m in server.requests[1].json["messages"]] == ["user", "assistant", "user"]


# ------------------------------------------------------------------ the failure table

STOP = event({}, "stop")
A = event({"content": "a"})
OVERFLOW = error(400, "This model's maximum context length is 10 tokens", code="context_length_exceeded")

# name: script, code, hits of the first model, whether the fallback model (of another credential) answers
TABLE: dict[str, tuple[Script, str, int, bool]] = {
    "400": (error(400), "bad_request", 1, False),
    "422": (error(422), "bad_request", 1, False),
    "401": (error(401), "auth", 1, True),
    "403": (error(403), "auth", 1, True),
    "404": (error(404, code="model_not_found"), "not_found", 1, True),
    "408": (error(408), "provider_unavailable", 3, True),
    "409": (error(409), "provider_unavailable", 3, True),
    "500": (error(500), "provider_unavailable", 3, True),
    "503": (error(503), "provider_unavailable", 3, True),
    "529": (error(529), "provider_unavailable", 3, True),
    "502 html": (html(502), "provider_unavailable", 3, True),
    "429": (error(429, code="rate_limit_exceeded"), "rate_limited", 3, True),
    "429 too long": (error(429, code="rate_limit_exceeded", retry_after="600"), "rate_limited", 1, True),
    "429 quota": (error(429, code="insufficient_quota"), "quota", 1, True),
    "402": (error(402), "quota", 1, True),
    "overflow": (OVERFLOW, "context_overflow", 1, False),
    "filter by status": (error(400, "filtered", code="content_filter"), "content_filtered", 1, False),
    "redirect": (redirect("http://127.0.0.1:9/v1"), "redirect_refused", 1, False),
    "reset": (reset(), "provider_unavailable", 3, True),
    "hang up": (hang_up(), "provider_unavailable", 3, True),
    "hang up after headers": (
        hang_up(head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})),
        "provider_unavailable",
        3,
        True,
    ),
    "200 html": (html(200), "provider_protocol", 3, True),
    "200 nothing": (plain(200, b""), "provider_protocol", 3, True),
    "200 null": (json_reply(None), "provider_protocol", 3, True),
    "200 array": (json_reply([]), "provider_protocol", 3, True),
    "200 cut": (plain(200, b'{"id": "x", "choi'), "provider_protocol", 3, True),
    "200 no choices": (
        json_reply({"id": "x", "object": "chat.completion", "choices": []}),
        "provider_protocol",
        3,
        True,
    ),
    "stream of nothing": (streamed([]), "provider_protocol", 3, True),
    "stream of done": (sse(), "provider_protocol", 3, True),
    "no finish": (sse(A), "stream_interrupted", 3, True),
    "cut after text": (sse(A, done=False), "stream_interrupted", 3, True),
    "reset after text": (
        reset(head(200, {"content-type": "text/event-stream"}) + encode(A)),
        "stream_interrupted",
        3,
        True,
    ),
    "short body": (short_body(encode(A)), "stream_interrupted", 3, True),
    "bad framing": (bad_chunking(encode(A)), "stream_interrupted", 3, True),
    "malformed event": (sse(A, b"data: {nonsense\n\n"), "stream_interrupted", 3, True),
    "filter": (chat("half", finish="content_filter"), "content_filtered", 1, False),
    "refusal": (chat("", refusal="I will not."), "refused", 1, False),
    "empty": (chat(""), "empty_output", 2, True),
    "blank": (chat("\n"), "empty_output", 2, True),
    "thinking only": (chat("", thinking="hm"), "empty_output", 2, True),
    "bomb": (gzipped(b"data: " + b"a" * 40_000_000), "response_too_large", 1, False),
    "giant line": (endless(b"a" * 65536, b"data: "), "response_too_large", 1, False),
}
NOT_ONE_OF = {"provider_unavailable", "provider_protocol", "stream_interrupted"}


@pytest.mark.parametrize("case", TABLE)
async def test_the_failure_table(door: Door, server: LoopbackServer, waits: list[float], case: str):
    script, code, hits, fallback = TABLE[case]
    server.script(script)
    with LoopbackServer() as second:
        second.script(chat("second"))
        other = door(second.url, "other")
        async with engine_over(door, server, more_providers=[other]) as engine:
            alone = await one_prompt(engine)
            failed = await engine.agents.execute(alone, {})
            assert (failed.status, failed.error_code, failed.output) == ("failed", code, None)
            assert len(server.requests) == hits
            spans = await engine.traces.list(kind="llm")
            assert len(spans) == hits
            if code != "empty_output":
                assert {(s.status, s.error_type) for s in spans} == {("error", code)}
            assert KEY not in failed.error + repr([s.to_dict() for s in spans])
            prompt = await engine.prompts.create(
                "Twice", user_prompt="hi", fallback_llm_model_id=model_of(door, "other")
            )
            result = await engine.prompts.execute(prompt.id, {})
            assert (result.status == "completed") is fallback
            assert len(second.requests) == int(fallback)
            if fallback:
                stored = [e async for e in engine.executions.stream(result.execution_id)]
                said = "".join(e.content for e in stored if isinstance(e, ContentEvent))
                assert (result.text, said.strip()) == ("second", "second")


async def test_retry_after_is_honoured(door: Door, server: LoopbackServer, waits: list[float]):
    server.script(
        error(429, code="rate_limit_exceeded", retry_after="7"),
        error(429, code="rate_limit_exceeded", retry_after_ms="1500"),
        chat("ok"),
    )
    async with engine_over(door, server) as engine:
        assert (await engine.agents.execute(await one_prompt(engine), {})).text == "ok"
        assert waits == [7, 1.5]


@pytest.mark.parametrize(
    ("cut", "code"),
    [
        (Reply(sse(A, done=False).actions[:-1], close=True), "stream_interrupted"),
        (sse(A), "stream_interrupted"),
        (sse(A, {"error": {"message": "overloaded", "code": 503}}), None),
    ],
)
async def test_content_already_seen_is_not_taken_back(
    door: Door, server: LoopbackServer, waits: list[float], cut: Reply, code: str | None
):
    server.script(cut)
    async with engine_over(door, server) as engine:
        stream = engine.agents.stream(await one_prompt(engine), {})
        events = [e async for e in stream]
        assert [e.content for e in events if isinstance(e, ContentEvent)] == ["a"]
        assert isinstance(events[-1], ErrorEvent)
        result = await stream.result()
        assert result.status == "failed"
        assert code is None or result.error_code == code
        assert len(server.requests) == 1


async def test_a_cut_answer_is_repeated_where_nobody_listened(door: Door, server: LoopbackServer, waits: list[float]):
    server.script(sse(A), chat("whole"))
    async with engine_over(door, server) as engine:
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.text, len(server.requests)) == ("whole", 2)


def once_asked(then: Callable[[], None], script: Script) -> Script:
    """The reply; this loop does something first, once the server has the request."""
    loop = asyncio.get_running_loop()

    def asked(request: Received) -> Reply:
        loop.call_soon_threadsafe(then)
        return script if isinstance(script, Reply) else script(request)

    return asked


@pytest.mark.parametrize(
    ("limits", "script", "phase"),
    [
        (Limits(first_token_s=0.05), silent(), "first"),
        (Limits(idle_s=0.05), streamed([encode(A), Hold()], end=False), "idle"),
        (Limits(first_token_s=0.05), endless(b": heartbeat\n\n"), "first"),
        (Limits(idle_s=0.05), endless(encode(event({"content": ""})), encode(A)), "idle"),
        (Limits(call_s=0.1), endless(encode(A)), "total"),
    ],
    ids=["silence", "idle", "heartbeats", "empty chunks", "drip"],
)
async def test_deadlines_close_the_connection(
    door: Door, server: LoopbackServer, waits: Waits, limits: Limits, script: Reply, phase: str
):
    clock = HeldClock(asyncio.get_running_loop())
    server.script(chat("x"), once_asked(clock.go_on, script))
    async with engine_over(door, server) as engine:
        agent = await one_prompt(engine)
        await engine.agents.execute(agent, {})
        waits.after = clock.stop  # until the server is asked: what comes before may take longer than the limits
        clock.stop()
        result = await engine.agents.execute(agent, {}, limits=limits)
        assert (result.status, result.error_code) == ("failed", "timeout")
        assert f"'{phase}'" in result.error
        assert len(server.requests) == 4
        assert await asyncio.to_thread(server.wait_disconnects, 3)


async def test_cancel_closes_the_connection(door: Door, server: LoopbackServer):
    server.script(chat("one two", gate=threading.Event()))
    async with engine_over(door, server) as engine:
        stream = engine.agents.stream(await one_prompt(engine), {})
        first = await anext(stream)
        assert isinstance(await anext(stream), ContentEvent)
        await engine.executions.cancel(first.execution_id)  # type: ignore[union-attr]
        assert (await stream.result()).status == "cancelled"
        assert await asyncio.to_thread(server.wait_disconnects)
        assert len(server.requests) == 1


async def test_a_run_limit_closes_the_connection(door: Door, server: LoopbackServer):
    clock = HeldClock(asyncio.get_running_loop())
    server.script(chat("x"), once_asked(clock.go_on, chat("one two", gate=threading.Event())))
    async with engine_over(door, server) as engine:
        agent = await one_prompt(engine)
        await engine.agents.execute(agent, {})
        clock.stop()
        result = await engine.agents.execute(agent, {}, limits=Limits(timeout_s=0.1))
        assert (result.status, result.error_code) == ("failed", "run_timeout")
        assert await asyncio.to_thread(server.wait_disconnects)


async def test_an_answer_cut_at_the_token_limit(door: Door, server: LoopbackServer):
    server.script(chat("half an ans", finish="length"))
    async with engine_over(door, server) as engine:
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.status, result.truncated) == ("completed", True)
        prompt = await engine.prompts.create("Schema", user_prompt="go", output_schema=SCHEMA)
        assert (await engine.prompts.execute(prompt.id, {})).error_code == "output_truncated"


async def test_no_call_of_a_cut_answer_runs(door: Door, server: LoopbackServer):
    ran: list[int] = []

    def act(n: int) -> str:
        """Act."""
        ran.append(n)
        return "acted"

    server.script(chat("", tool_calls=[("a", "act", '{"n": 1}')], finish="length"))
    async with engine_over(door, server, tools=[act]) as engine:
        result = await engine.agents.execute(await one_prompt(engine, tools=["act"]), {})
        assert (result.error_code, ran, len(server.requests)) == ("output_truncated", [], 2)


@pytest.mark.parametrize("name", ["Act", "act ", "", "аct", "other"])
async def test_a_tool_is_called_by_its_exact_name_only(door: Door, server: LoopbackServer, name: str):
    ran: list[int] = []

    def act(n: int) -> str:
        """Act."""
        ran.append(n)
        return "acted"

    server.script(chat("", tool_calls=[("a", name, '{"n": 1}')]), chat("told"))
    async with engine_over(door, server, tools=[act]) as engine:
        result = await engine.agents.execute(await one_prompt(engine, tools=["act"]), {})
        assert (result.text, ran) == ("told", [])
        (span,) = await engine.traces.list(kind="tool")
        assert span.error_type == "tool_unknown"


@pytest.mark.parametrize(
    "counts",
    [
        {"prompt_tokens": -1, "completion_tokens": 3, "total_tokens": 2},
        {"prompt_tokens": "many"},
        {"prompt_tokens": 10**30, "completion_tokens": 1, "total_tokens": 10**30},
        {},
    ],
)
async def test_usage_that_is_none_does_not_fail_a_run(door: Door, server: LoopbackServer, counts: dict[str, Any]):
    server.script(sse(A, STOP, {**event(), "usage": counts}))
    async with engine_over(door, server, models=[priced(door)]) as engine:
        result = await engine.agents.execute(await one_prompt(engine), {})
        assert (result.status, result.text) == ("completed", "a")
        assert all(isinstance(count, int) and count >= 0 for count in result.token_usage.values())
        assert result.cost is None or result.cost >= 0
