"""Answers that are none: statuses, bodies and headers, each with the error that it becomes."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

import pytest

from promptrails_engine.errors import (
    AuthError,
    BadRequestError,
    ContentFilteredError,
    ContextOverflowError,
    ModelNotFoundError,
    PromptRailsError,
    ProviderProtocolError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    RedirectRefusedError,
    StreamInterruptedError,
)
from tests.providers.loopback import LoopbackServer, Reply
from tests.providers.openai_compatible.calls import KEY, Outcome, ask
from tests.providers.replies import (
    DONE,
    encode,
    error,
    event,
    html,
    json_reply,
    plain,
    redirect,
    sse,
    streamed,
)

A = event({"content": "a"})
STOP = event({}, "stop")


def refused(outcome: Outcome, cls: type[PromptRailsError], code: str) -> PromptRailsError:
    """The error, which is exactly of this class and code, and comes alone."""
    assert outcome.error is not None
    assert type(outcome.error) is cls
    assert outcome.error.code == code
    assert outcome.error.__cause__ is None
    assert outcome.error.__context__ is None
    assert outcome.finish is None
    return outcome.error


@pytest.mark.parametrize(
    ("reply", "cls", "code"),
    [
        (error(400, "bad temperature"), BadRequestError, "bad_request"),
        (error(422, "bad"), BadRequestError, "bad_request"),
        (error(418, "teapot"), BadRequestError, "bad_request"),
        (json_reply({"detail": [{"msg": "field required", "type": "missing"}]}, 422), BadRequestError, "bad_request"),
        (error(401, "who", code="invalid_api_key"), AuthError, "auth"),
        (error(403, "no"), AuthError, "auth"),
        (error(402, "pay"), QuotaExceededError, "quota"),
        (error(404, "no model", code="model_not_found"), ModelNotFoundError, "not_found"),
        (error(400, "no such model", type="invalid_model"), ModelNotFoundError, "not_found"),
        (error(408), ProviderUnavailableError, "provider_unavailable"),
        (error(409), ProviderUnavailableError, "provider_unavailable"),
        (error(500), ProviderUnavailableError, "provider_unavailable"),
        (error(503), ProviderUnavailableError, "provider_unavailable"),
        (error(529, type="overloaded_error"), ProviderUnavailableError, "provider_unavailable"),
        (plain(502, b""), ProviderUnavailableError, "provider_unavailable"),
        (html(502), ProviderUnavailableError, "provider_unavailable"),
        (html(404), ProviderUnavailableError, "provider_unavailable"),
        (html(403), ProviderUnavailableError, "provider_unavailable"),
        (html(401), AuthError, "auth"),
        (html(429), RateLimitError, "rate_limited"),
        (error(429, code="rate_limit_exceeded"), RateLimitError, "rate_limited"),
        (error(429, code="insufficient_quota"), QuotaExceededError, "quota"),
        (error(429, type="insufficient_quota"), QuotaExceededError, "quota"),
        (error(429, "You exceeded your current quota, please check your plan"), QuotaExceededError, "quota"),
        (error(400, "filtered", code="content_filter"), ContentFilteredError, "content_filtered"),
        (error(400, "x", code="content_policy_violation"), ContentFilteredError, "content_filtered"),
        (redirect("http://127.0.0.1:9/v1"), RedirectRefusedError, "redirect_refused"),
        (redirect("/v2", 308), RedirectRefusedError, "redirect_refused"),
        (redirect("/v2", 302), RedirectRefusedError, "redirect_refused"),
        (plain(304, b""), RedirectRefusedError, "redirect_refused"),
    ],
)
async def test_statuses(server: LoopbackServer, reply: Reply, cls: type[PromptRailsError], code: str) -> None:
    found = refused(await ask(server, reply), cls, code)
    assert "'m'" in found.message or isinstance(found, RedirectRefusedError)
    assert len(server.requests) == 1, "no retry, no redirect followed"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "the text", "code": 400}},
        {"error": "the text"},
        {"error": {"message": {"nested": "the text"}}},
        {"message": "the text", "object": "error", "code": 40001},
        {"detail": "the text"},
        {"detail": {"message": "the text"}},
        [{"error": {"message": "the text"}}],
        "the text",
        {"unknown": ["the text"]},
    ],
)
async def test_the_text_of_the_server_is_found_in_any_shape(server: LoopbackServer, body: object) -> None:
    assert "the text" in refused(await ask(server, json_reply(body, 400)), BadRequestError, "bad_request").message


@pytest.mark.parametrize(
    ("message", "code", "sizes"),
    [
        ("x", "context_length_exceeded", {}),
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
            None,
            {"context_window": 8192, "prompt_tokens": 9001},
        ),
        (
            "You passed 1015 input tokens and requested 10 output tokens. However, the model's context length is only "
            "1024 tokens, resulting in a maximum input length of 1014 tokens.",
            None,
            {"context_window": 1024, "prompt_tokens": 1015},
        ),
        (
            "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
            None,
            {"context_window": 4096, "prompt_tokens": 5000},
        ),
        ("Input length (265330) exceeds model's maximum context length (262144).", None, {"context_window": 262144}),
        ("prompt is too long: 210000 tokens > 200000 maximum", None, {}),
        ("Please reduce the length of the messages or completion.", None, {}),
        ("Input length 877 exceeds the maximum allowed input length of 639 tokens", None, {}),
    ],
)
async def test_context_overflow_by_code_and_by_wording(
    server: LoopbackServer, message: str, code: str | None, sizes: dict[str, int]
) -> None:
    found = refused(await ask(server, error(400, message, code=code)), ContextOverflowError, "context_overflow")
    assert {key: found.details.get(key) for key in sizes} == sizes


async def test_context_overflow_with_the_sizes_as_fields(server: LoopbackServer) -> None:
    body = {
        "error": {"code": 400, "message": "no", "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}
    }
    found = refused(await ask(server, json_reply(body, 400)), ContextOverflowError, "context_overflow")
    assert (found.details["context_window"], found.details["prompt_tokens"]) == (8, 9)


async def test_a_body_that_is_too_large_is_an_overflow(server: LoopbackServer) -> None:
    refused(await ask(server, html(413)), ContextOverflowError, "context_overflow")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
        ({"retry_after_ms": "soon", "retry_after": "9"}, 9.0),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry_after": "Wed, 99 Foo 2015"}, None),
        ({}, None),
    ],
)
async def test_retry_after(server: LoopbackServer, headers: dict[str, str], seconds: float | None) -> None:
    found = refused(await ask(server, error(429, **headers)), RateLimitError, "rate_limited")
    assert isinstance(found, RateLimitError)
    assert found.retry_after_s == seconds


async def test_retry_after_as_a_date(server: LoopbackServer) -> None:
    found = (await ask(server, error(429, retry_after=formatdate(time.time() + 3600, usegmt=True)))).error
    assert isinstance(found, RateLimitError)
    assert found.retry_after_s is not None
    assert 3000 < found.retry_after_s <= 3600


async def test_an_overloaded_server_may_say_how_long(server: LoopbackServer) -> None:
    found = (await ask(server, error(503, retry_after="4"))).error
    assert found is not None
    assert found.details["retry_after_s"] == 4.0


# ------------------------------------------------------------------ status 200 and no answer


@pytest.mark.parametrize(
    "reply",
    [
        html(),
        plain(200, b""),
        plain(200, b" \n "),
        plain(200, b"null"),
        plain(200, b"[]"),
        plain(200, b'"text"'),
        plain(200, b'{"choices": [{"mess'),
        plain(200, b"not found"),
        plain(200, b"Service busy, come back"),
        plain(200, b"[" * 200_000),
        plain(200, b"\xff\xfe{}"),
        json_reply({"error": {"message": "odd"}}),
        json_reply({"choices": []}),
        json_reply({"id": "x"}),
        json_reply({"choices": "none"}),
        json_reply({"choices": [{"message": {"content": "a"}}]}),
        json_reply({"choices": [{"message": "a", "finish_reason": "stop"}]}),
        streamed([]),
        streamed([b"<html>"]),
        streamed([b"data: null\n\n"]),
        streamed([b"data: []\n\n"]),
        streamed([b"data: {\n\n"]),
        streamed([b"data: plain text\n\n"]),
        streamed([b": only comments\n\n" * 3]),
        sse({"error": {"message": "odd"}}, done=False),
        sse({"choices": []}),
        sse({"choices": [3]}),
        streamed([DONE]),
    ],
)
async def test_an_answer_that_is_none_is_a_protocol_error(server: LoopbackServer, reply: Reply) -> None:
    found = refused(await ask(server, reply), ProviderProtocolError, "provider_protocol")
    assert found.retryable


async def test_the_beginning_of_a_wrong_answer_is_quoted(server: LoopbackServer) -> None:
    found = refused(
        await ask(server, html(200, "<html>Sign in please" + "x" * 999)), ProviderProtocolError, "provider_protocol"
    )
    assert "Sign in please" in found.message
    assert "x" * 200 not in found.message


@pytest.mark.parametrize(
    ("body", "cls"),
    [
        ({"message": "slow", "code": 429}, RateLimitError),
        ({"message": "slow", "code": "rate_limit_exceeded"}, RateLimitError),
        ({"message": "down", "code": 502}, ProviderUnavailableError),
        ({"message": "down", "type": "server_error"}, ProviderUnavailableError),
        ({"message": "key", "code": "invalid_api_key"}, AuthError),
        ({"message": "x", "code": "context_length_exceeded"}, ContextOverflowError),
        ({"message": "maximum context length is 5 tokens"}, ContextOverflowError),
        ({"message": "x", "code": "insufficient_quota"}, QuotaExceededError),
        ({"message": "x", "code": "content_filter"}, ContentFilteredError),
    ],
)
@pytest.mark.parametrize("before", [(), (A,)], ids=["at once", "after text"])
async def test_an_error_inside_a_stream_is_mapped(
    server: LoopbackServer, body: dict[str, Any], cls: type[PromptRailsError], before: tuple[dict[str, Any], ...]
) -> None:
    outcome = await ask(server, sse(*before, {"error": body}, STOP))
    assert type(outcome.error) is cls
    assert outcome.text == "a" * len(before)
    assert outcome.finish is None


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param([], id="no finish reason"),
        pytest.param([DONE], id="end mark without a finish reason"),
        pytest.param([b'data: {"choices": [{"del'], id="mid-event"),
        pytest.param([b"data: {broken}\n\n", encode(STOP), DONE], id="malformed event"),
        pytest.param([b"data: \xff\xff\n\n"], id="no UTF-8"),
        pytest.param([b"data: null\n\n", encode(STOP)], id="null"),
        pytest.param([encode({"choices": [{"delta": {"content": 7}}]})], id="content of another type"),
        pytest.param([encode({"choices": [{"delta": {"tool_calls": ["x"]}}]})], id="calls of another type"),
        pytest.param([encode({"choices": [{"delta": {"tool_calls": [{"function": "x"}]}}]})], id="no function"),
        pytest.param([encode(event({}, "error"))], id="finish reason error"),
        pytest.param([encode(event({}, "abort"))], id="finish reason abort"),
        pytest.param([encode({"error": {"message": "something odd"}})], id="an error that says nothing"),
        pytest.param([b"event: error\ndata: boom\n\n"], id="error event of plain text"),
    ],
)
async def test_a_stream_that_breaks_keeps_its_text_and_never_succeeds(
    server: LoopbackServer, tail: list[bytes]
) -> None:
    outcome = await ask(server, streamed([encode(A), *tail]))
    refused(outcome, StreamInterruptedError, "stream_interrupted")
    assert outcome.text == "a"


@pytest.mark.parametrize("line", [b'error: {"code": 503, "message": "busy"}', b'event: error\ndata: {"code": 503}'])
async def test_error_events_of_other_forms(server: LoopbackServer, line: bytes) -> None:
    outcome = await ask(server, streamed([encode(A), line + b"\n\n", encode(STOP), DONE]))
    assert type(outcome.error) is ProviderUnavailableError


# ------------------------------------------------------------------ what errors show


async def test_texts_of_the_server_are_masked_and_cut(server: LoopbackServer) -> None:
    text = f"Incorrect key {KEY}, or sk-other-9876543210abcdef, header Bearer abcdefgh12345678. " + "y" * 5000
    for reply in (
        error(401, text),
        error(500, text),
        plain(400, text.encode()),
        json_reply({"error": text}),
        html(502, f"<html>{text}"),
    ):
        outcome = await ask(server, reply)
        assert outcome.error is not None
        shown = f"{outcome.error} {outcome.error!r} {json.dumps(outcome.error.details)}"
        assert "***" in shown
        assert not any(secret in shown for secret in (KEY, "9876543210", "abcdefgh12345678"))
        assert "y" * 500 not in shown
        assert "\n" not in outcome.error.message


async def test_a_key_inside_a_stream_that_breaks_is_masked(server: LoopbackServer) -> None:
    for tail in ({"error": {"message": KEY}}, {"error": {"message": KEY, "code": KEY}}, event({}, KEY)):
        outcome = await ask(server, sse(A, tail))
        assert outcome.error is not None
        assert KEY not in f"{outcome.error} {outcome.error.details}"
