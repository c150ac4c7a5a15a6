"""The failure table, through each way in which litellm calls, over a real socket: the error, and one request only."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import traceback
from email.utils import formatdate

import pytest

from promptrails_engine.errors import (
    AuthError,
    BadRequestError,
    ContentFilteredError,
    ContextOverflowError,
    ModelNotFoundError,
    PromptRailsError,
    ProviderProtocolError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    RedirectRefusedError,
    ResponseTooLargeError,
    StreamInterruptedError,
)
from promptrails_engine.ports.provider import TextDelta
from promptrails_providers.litellm_provider import LiteLLMProvider
from tests.providers.litellm.calls import (
    ALL,
    ANTHROPIC,
    GEMINI,
    HANDLER,
    KEY,
    OPENAI_FORMAT,
    SDK,
    answer,
    attempt,
    closing,
    make,
    opening,
    pieces,
    request,
    text_of,
)
from tests.providers.loopback import Hold, LoopbackServer, Reply, Reset
from tests.providers.replies import (
    bad_chunking,
    encode,
    endless,
    error,
    event,
    gzipped,
    hang_up,
    html,
    json_reply,
    plain,
    redirect,
    reset,
    short_body,
    sse,
    streamed,
)

QUOTA = "You exceeded your current quota, please check your plan and billing details."
OVERFLOW = "This model's maximum context length is 4096 tokens."

REFUSALS: dict[str, tuple[Reply, type[PromptRailsError], int | None]] = {
    "400": (error(400, "temperature is out of range"), BadRequestError, 400),
    "422": (error(422, "unprocessable"), BadRequestError, 400),
    "400 overflow by code": (error(400, "no", code="context_length_exceeded"), ContextOverflowError, 400),
    "400 overflow by words": (error(400, OVERFLOW), ContextOverflowError, 400),
    "413": (error(413, "too big"), ContextOverflowError, 400),
    "400 filter": (error(400, "filtered", code="content_filter"), ContentFilteredError, None),
    "400 credit": (error(400, "Your credit balance is too low"), QuotaExceededError, None),
    "401": (error(401, "bad key", code="invalid_api_key"), AuthError, 401),
    "402": (error(402, "pay"), QuotaExceededError, 402),
    "403": (error(403, "forbidden"), AuthError, 403),
    "404": (error(404, "no such model", code="model_not_found"), ModelNotFoundError, 404),
    "408": (error(408, "slow"), ProviderUnavailableError, None),
    "409": (error(409, "conflict"), ProviderUnavailableError, None),
    "429": (error(429, "slow down"), RateLimitError, 429),
    "429 quota": (error(429, QUOTA, code="insufficient_quota"), QuotaExceededError, None),
    "500": (error(500, "oops"), ProviderUnavailableError, None),
    "502 page": (html(502), ProviderUnavailableError, None),
    "503": (error(503, "busy"), ProviderUnavailableError, None),
    "529": (error(529, "overloaded"), ProviderUnavailableError, None),
}


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("case", REFUSALS)
async def test_refusals(server: LoopbackServer, model: str, case: str) -> None:
    reply, expected, status = REFUSALS[case]
    server.script(reply)
    deltas, failure = await attempt(make(server), request(model))
    assert type(failure) is expected, failure
    assert status is None or failure.status_code in (status, int(case[:3]))
    assert not deltas
    assert len(server.requests) == 1


CONNECTIONS: dict[str, Reply] = {
    "closed without an answer": hang_up(),
    "reset without an answer": reset(),
    "half a status line": hang_up(b"HTTP/1.1 2"),
    "short body": short_body(b""),
    "bad chunking": bad_chunking(),
}


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("case", CONNECTIONS)
async def test_connections_that_break_before_content(server: LoopbackServer, model: str, case: str) -> None:
    server.script(CONNECTIONS[case])
    deltas, failure = await attempt(make(server), request(model))
    assert type(failure) is ProviderUnavailableError, failure
    assert failure.retryable
    assert not deltas
    assert len(server.requests) == 1


@pytest.mark.parametrize("model", ALL)
async def test_a_refused_connection(model: str) -> None:
    with LoopbackServer() as gone:
        address = gone.url
    _, failure = await attempt(LiteLLMProvider(api_key=KEY, api_base=address), request(model))
    assert type(failure) is ProviderUnavailableError, failure


@pytest.mark.parametrize("model", ALL)
async def test_redirects_are_not_followed(server: LoopbackServer, model: str) -> None:
    with LoopbackServer() as elsewhere:
        elsewhere.script(answer(model))
        server.script(redirect(f"{elsewhere.url}/chat/completions"))
        _, failure = await attempt(make(server), request(model))
        assert type(failure) is RedirectRefusedError, failure
        assert not elsewhere.requests
    assert len(server.requests) == 1


NO_ANSWERS: dict[str, Reply] = {
    "a page": html(),
    "nothing": plain(200, b""),
    "null": plain(200, b"null"),
    "an array": plain(200, b"[]"),
    "cut JSON": plain(200, b'{"choices": ['),
    "an empty stream": sse(done=False),
    "only the end mark": sse(),
    "a malformed first event": streamed([b'data: {"id":\n\n', b"data: [DONE]\n\n"]),
}


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("case", NO_ANSWERS)
async def test_answers_that_are_none(server: LoopbackServer, model: str, case: str) -> None:
    server.script(NO_ANSWERS[case])
    deltas, failure = await attempt(make(server), request(model))
    assert type(failure) is ProviderProtocolError, failure
    assert not deltas
    assert len(server.requests) == 1


@pytest.mark.parametrize("model", ALL)
async def test_an_error_object_in_a_good_status(server: LoopbackServer, model: str) -> None:
    server.script(json_reply({"error": {"message": "slow down", "type": "rate_limit_error"}}))
    _, failure = await attempt(make(server), request(model))
    assert type(failure) is RateLimitError, failure


# ------------------------------------------------------------------ streams that break off


@pytest.mark.parametrize("model", ALL)
async def test_a_stream_that_ends_without_a_finish_reason_is_no_success(server: LoopbackServer, model: str) -> None:
    whole = pieces(model)
    cut = {ANTHROPIC: 4, GEMINI: 1}.get(model, 3)
    server.script(streamed(whole[:cut]))
    deltas, failure = await attempt(make(server), request(model))
    assert type(failure) is StreamInterruptedError, failure
    assert text_of(deltas).startswith("Hel")


@pytest.mark.parametrize("model", OPENAI_FORMAT)
async def test_the_end_mark_is_no_finish_reason(server: LoopbackServer, model: str) -> None:
    server.script(sse(event({"content": "Hel"}), done=True))
    deltas, failure = await attempt(make(server), request(model))
    assert deltas == [TextDelta("Hel")]
    assert type(failure) is StreamInterruptedError, failure


@pytest.mark.parametrize("model", ALL)
async def test_a_reset_amid_the_answer(server: LoopbackServer, model: str) -> None:
    server.script(opening(model, Reset()))
    deltas, failure = await attempt(make(server), request(model))
    assert type(failure) in (StreamInterruptedError, ProviderUnavailableError), failure
    assert bool(text_of(deltas)) == isinstance(failure, StreamInterruptedError)
    assert len(server.requests) == 1


@pytest.mark.parametrize("model", ALL)
async def test_a_malformed_event_amid_the_answer(server: LoopbackServer, model: str) -> None:
    whole = pieces(model, "Hel|lo|you")
    middle = {ANTHROPIC: 3, GEMINI: 1}.get(model, 2)
    server.script(streamed([*whole[:middle], b'data: {"choices": [{"del\n\n', *whole[middle:]]))
    deltas, failure = await attempt(make(server), request(model))
    assert type(failure) is StreamInterruptedError, failure
    assert text_of(deltas).startswith("Hel")


@pytest.mark.parametrize("model", OPENAI_FORMAT)
async def test_an_error_event_amid_the_answer_is_mapped(server: LoopbackServer, model: str) -> None:
    server.script(sse(event({"content": "Hel"}), {"error": {"message": "busy", "code": "server_error"}}))
    deltas, failure = await attempt(make(server), request(model))
    assert deltas == [TextDelta("Hel")]
    assert type(failure) is ProviderUnavailableError, failure


async def test_an_overloaded_event_of_anthropic(server: LoopbackServer) -> None:
    inner = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    server.script(streamed([*pieces(ANTHROPIC)[:3], f"event: error\ndata: {inner}\n\n".encode()]))
    _, failure = await attempt(make(server), request(ANTHROPIC))
    assert type(failure) is ProviderUnavailableError, failure


# ------------------------------------------------------------------ waiting times


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize(("value", "expected"), [("7", 7.0), ("0.5", 0.5), ("-3", None), ("soon", None)])
async def test_retry_after(server: LoopbackServer, model: str, value: str, expected: float | None) -> None:
    server.script(error(429, "slow down", retry_after=value))
    _, failure = await attempt(make(server), request(model))
    assert isinstance(failure, RateLimitError)
    assert failure.retry_after_s == expected


@pytest.mark.parametrize("model", ALL)
async def test_retry_after_in_milliseconds_and_as_a_date(server: LoopbackServer, model: str) -> None:
    server.script(
        error(429, "slow", retry_after_ms="1500"),
        error(429, "slow", retry_after=formatdate(time.time() + 90, usegmt=True)),
    )
    _, first = await attempt(make(server), request(model))
    _, second = await attempt(make(server), request(model))
    assert isinstance(first, RateLimitError)
    assert first.retry_after_s == 1.5
    assert isinstance(second, RateLimitError)
    assert second.retry_after_s is not None
    assert 60 < second.retry_after_s <= 90


async def test_googles_passing_limit_is_no_spent_quota(server: LoopbackServer) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17.5s"}]
    body = {"error": {"code": 429, "message": QUOTA, "status": "RESOURCE_EXHAUSTED", "details": details}}
    server.script(json_reply(body, 429))
    _, failure = await attempt(make(server), request(GEMINI))
    assert isinstance(failure, RateLimitError)
    assert failure.retry_after_s == 17.5


async def test_the_connect_timeout_is_the_requests(server: LoopbackServer) -> None:
    with socket.socket() as full:  # its queue is filled, so the next connection waits for ever
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        provider = LiteLLMProvider(api_key=KEY, api_base=f"http://127.0.0.1:{address[1]}/v1")
        _, failure = await attempt(provider, request(SDK, connect_timeout_s=0.2))
        for client in waiting:
            client.close()
    assert isinstance(failure, ProviderTimeoutError), failure
    assert failure.phase == "connect"


# ------------------------------------------------------------------ sizes


@pytest.mark.parametrize("model", [SDK, HANDLER])
async def test_one_endless_line(server: LoopbackServer, model: str) -> None:
    server.script(endless(b"x" * 65_536, b"data: "))
    _, failure = await attempt(make(server), request(model))
    assert type(failure) is ResponseTooLargeError, failure


@pytest.mark.parametrize("model", [SDK, HANDLER])
async def test_an_endless_answer(server: LoopbackServer, model: str) -> None:
    server.script(endless(encode(event({"content": "y" * 900_000}))))
    _, failure = await attempt(make(server), request(model))
    assert type(failure) is ResponseTooLargeError, failure


@pytest.mark.parametrize("model", [SDK, HANDLER])
async def test_a_compressed_bomb(server: LoopbackServer, model: str) -> None:
    server.script(gzipped(b"data: " + b"0" * (64 << 20)))
    _, failure = await attempt(make(server), request(model))
    assert type(failure) is ResponseTooLargeError, failure


@pytest.mark.parametrize("model", ALL)
async def test_a_compressed_answer_is_read_all_the_same(server: LoopbackServer, model: str) -> None:
    server.script(gzipped(b"".join(pieces(model))))
    async with closing(make(server)) as provider:
        assert text_of([delta async for delta in provider.stream(request(model))]) == "Hello"
    assert server.requests[0].headers["accept-encoding"] == "identity"


# ------------------------------------------------------------------ leaving, and secrets


@pytest.mark.parametrize("model", ALL)
async def test_leaving_a_stream_closes_the_connection(server: LoopbackServer, model: str) -> None:
    server.script(opening(model, Hold()))
    async with closing(make(server)) as provider:
        stream = provider.stream(request(model))
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
        assert await asyncio.to_thread(server.wait_disconnects)


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("reply", ["silent", "amid"])
async def test_cancelling_closes_the_connection(server: LoopbackServer, model: str, reply: str) -> None:
    server.script(Reply((Hold(),)) if reply == "silent" else opening(model, Hold()))
    async with closing(make(server)) as provider:
        task = asyncio.create_task(_drain(provider, model))
        assert await asyncio.to_thread(server.wait_requests, 1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert await asyncio.to_thread(server.wait_disconnects)


async def _drain(provider: LiteLLMProvider, model: str) -> None:
    async for _ in provider.stream(request(model)):
        pass


@pytest.mark.parametrize("model", ALL)
@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
async def test_a_key_that_the_server_echoes_is_masked_everywhere(
    server: LoopbackServer, model: str, status: int
) -> None:
    server.script(error(status, f"what is {KEY} to me?"))
    provider = make(server)
    _, failure = await attempt(provider, request(model))
    shown = [str(failure), repr(failure), failure.message, json.dumps(failure.details), repr(provider)]
    shown += traceback.format_exception(failure)
    assert not any(KEY in text for text in shown)
    assert failure.__cause__ is None
    assert failure.__context__ is None


@pytest.mark.parametrize(
    ("model", "variable"), [(SDK, "OPENAI_API_KEY"), (ANTHROPIC, "ANTHROPIC_API_KEY"), (GEMINI, "GEMINI_API_KEY")]
)
async def test_keys_of_the_environment_are_used_and_masked(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    monkeypatch.setenv(variable, KEY)
    server.script(error(400, f"your key is {KEY}"))
    _, failure = await attempt(LiteLLMProvider(api_base=server.url), request(model))
    received = server.requests[0]
    assert KEY in str(received.headers) + received.path
    assert KEY not in str(failure)


@pytest.mark.parametrize("model", [SDK, ANTHROPIC, "deepinfra/m", "azure/m"])
async def test_a_missing_key_is_told_before_anything_is_sent(server: LoopbackServer, model: str) -> None:
    server.script(answer(model))
    _, failure = await attempt(LiteLLMProvider(api_base=server.url), request(model))
    assert type(failure) is AuthError, failure
    assert f"{model.split('/', 1)[0].upper()}_API_KEY" in str(failure)
    assert not server.requests


async def test_parameters_that_a_provider_has_not_are_named(server: LoopbackServer) -> None:
    server.script(answer(ANTHROPIC))
    _, failure = await attempt(make(server), request(ANTHROPIC, options={"seed": 1}))
    assert type(failure) is BadRequestError
    assert "seed" in str(failure)
    assert "litellm" not in str(failure)
    assert not server.requests
