"""Webhooks: what is posted, how it is signed, when it is tried again, and what never shows."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine import ConfigurationError, HookEvent, Secret, Webhook, WebhookError, verify_signature
from tests.engine.approval_kit import park, waiting
from tests.providers.loopback import Hold, LoopbackServer, Reply, Reset, Send
from tests.providers.replies import head, plain, redirect

SECRET = "whsec-0123456789abcdef"
PATH = "/hooks/T0KEN-in-the-path"
EVENT = HookEvent(
    "approval.decided", "3MT6aFsq8R15fcfa10987b96d7d", "2026-01-02T03:04:05.000000Z", {"é": "\ud800", "n": 1}
)
TAKEN = plain(200, b"ok", "text/plain")
AT_ONCE = {"retry_after": "0"}


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        server.script(TAKEN)
        yield server


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def hook(server: LoopbackServer, **more: Any) -> Webhook:
    return Webhook(server.root + PATH, secret=SECRET, **more)


async def test_the_event_is_posted_and_signed(server: LoopbackServer):
    await hook(server)(EVENT)
    [request] = server.requests
    assert (request.method, request.path) == ("POST", PATH)
    assert request.headers["content-type"] == "application/json"
    assert request.json == {"event": EVENT.event, "id": EVENT.id, "created_at": EVENT.created_at, "data": EVENT.data}
    signed = hmac.new(SECRET.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-webhook-signature"] == f"sha256={signed}"
    assert verify_signature(request.body, request.headers["x-webhook-signature"], SECRET)


async def test_without_a_secret_nothing_is_signed(server: LoopbackServer):
    await Webhook(server.root)(EVENT)
    assert "x-webhook-signature" not in server.requests[0].headers


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_every_2xx_is_success(server: LoopbackServer, status: int):
    server.script(plain(status, b""))
    await hook(server)(EVENT)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_it_is_tried_again_with_the_same_body(server: LoopbackServer, status: int):
    server.script(plain(status, b"", **AT_ONCE), plain(status, b"", **AT_ONCE), TAKEN)
    await hook(server)(EVENT)
    assert len(server.requests) == 3
    assert len({(request.body, request.headers["x-webhook-signature"]) for request in server.requests}) == 1


async def test_it_is_tried_again_after_a_broken_connection(server: LoopbackServer):
    server.script(Reply((Reset(),)), Reply((), close=True), TAKEN)
    await hook(server)(EVENT)
    assert len(server.requests) == 3


@pytest.mark.parametrize("attempts", [1, 2, 4])
async def test_attempts_are_counted(server: LoopbackServer, attempts: int):
    server.script(plain(503, b"", **AT_ONCE))
    with pytest.raises(WebhookError, match="status 503"):
        await hook(server, attempts=attempts)(EVENT)
    assert len(server.requests) == attempts


@pytest.mark.parametrize("status", [400, 401, 404, 410, 418])
async def test_what_another_attempt_would_not_change_is_not_tried_again(server: LoopbackServer, status: int):
    server.script(plain(status, b"", **AT_ONCE))
    with pytest.raises(WebhookError, match=f"status {status}") as caught:
        await hook(server)(EVENT)
    assert not caught.value.retryable
    assert len(server.requests) == 1


async def test_redirects_are_not_followed(server: LoopbackServer):
    server.script(redirect(f"{server.root}/elsewhere", 307))
    with pytest.raises(WebhookError, match="status 307"):
        await hook(server)(EVENT)
    assert [request.path for request in server.requests] == [PATH]


@pytest.mark.parametrize("asked", ["soon", "-1", "²", "9" * 400, "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_odd_wishes_for_a_wait_do_no_harm(server: LoopbackServer, asked: str):
    server.script(plain(503, b"", retry_after=asked.encode().decode("latin-1")))
    with pytest.raises(WebhookError, match="status 503"):
        await hook(server, attempts=1)(EVENT)


async def test_an_attempt_has_its_time(server: LoopbackServer):
    server.script(Reply((Hold(),)), TAKEN)
    with pytest.raises(WebhookError, match=r"no answer within 0\.2 s") as caught:
        await hook(server, timeout_s=0.2, attempts=1)(EVENT)
    assert caught.value.retryable
    assert server.wait_disconnects()


async def test_a_body_without_end_is_not_waited_for(server: LoopbackServer):
    server.script(Reply((Send(head(200, {"content-length": "1000000"})), Hold())))
    await hook(server)(EVENT)
    assert server.wait_disconnects()


async def test_nobody_there():
    with LoopbackServer() as gone:
        url = gone.root
    with pytest.raises(WebhookError, match="ConnectError"):
        await Webhook(url, attempts=1)(EVENT)


async def test_a_proxy_that_cannot_be_used_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(WebhookError, match="NO_PROXY"):
        await Webhook("http://receiver.invalid/")(EVENT)


async def test_a_url_that_nobody_can_call_says_so():
    with pytest.raises(WebhookError, match="URL is not valid"):
        await Webhook("http://xn--a.example/")(EVENT)


async def test_certificates_that_are_not_there_say_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    with pytest.raises(WebhookError, match="SSL_CERT_FILE"):
        await Webhook("https://127.0.0.1:1/", attempts=1)(EVENT)


# ------------------------------------------------------------------ what must not show


async def test_neither_secret_nor_url_shows(server: LoopbackServer, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    server.script(plain(503, b"", **AT_ONCE), plain(400, b""))
    made = hook(server)
    with pytest.raises(WebhookError) as caught:
        await made(EVENT)
    shown = [repr(made), str(made), repr(caught.value), str(caught.value.details), caplog.text, repr([made])]
    chain: BaseException | None = caught.value
    while chain is not None:
        shown.append(str(chain))
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    assert not [text for text in shown if SECRET in text or "T0KEN" in text]
    assert server.root in caught.value.message
    with pytest.raises(TypeError):
        pickle.dumps(made)


async def test_a_failure_is_logged_without_them(server: LoopbackServer, caplog: pytest.LogCaptureFixture):
    server.script(plain(400, b""))
    async with waiting(hooks={"approval.decided": [hook(server)]}) as (_, store, approvals, _woken):
        [row] = await park(store)
        await approvals.decide(row.id, "approved")
    [request] = server.requests
    assert request.json["data"]["approval_id"] == row.id
    assert verify_signature(request.body, request.headers["x-webhook-signature"], SECRET)
    assert "failed: WebhookError" in caplog.text
    assert "T0KEN" not in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"url": ""}, "http or https"),
        ({"url": "example.com/hook"}, "http or https"),
        ({"url": "ftp://example.com"}, "http or https"),
        ({"url": "https:///hook"}, "http or https"),
        ({"url": "https://[::1"}, "http or https"),
        ({"url": "https://example.com:99999"}, "http or https"),
        ({"url": "https://example.com/a b"}, "http or https"),
        ({"url": "https://example.com/\r\nX: y"}, "http or https"),
        ({"url": "https://exämple.com/"}, "ASCII"),
        ({"url": "https://user:hidden-word@example.com/"}, "user and password"),
        ({"secret": ""}, "secret of a webhook is empty"),
        ({"secret": Secret("")}, "secret of a webhook is empty"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"timeout_s": float("inf")}, "timeout_s"),
        ({"attempts": 0}, "attempts"),
        ({"attempts": 11}, "attempts"),
    ],
)
def test_arguments_that_cannot_be_used(arguments: dict[str, Any], said: str):
    with pytest.raises(ConfigurationError, match=said) as caught:
        Webhook(**{"url": "https://example.com/hook", **arguments})
    assert "hidden-word" not in str(caught.value)


# ------------------------------------------------------------------ what a receiver checks


@given(st.binary(), st.text(min_size=1))
def test_only_the_signed_bytes_and_the_secret_verify(body: bytes, secret: str):
    digest = hmac.new(secret.encode("utf-8", "surrogatepass"), body, hashlib.sha256).hexdigest()
    header = f"sha256={digest}"
    assert verify_signature(body, header, secret)
    assert not verify_signature(body + b" ", header, secret)
    assert not verify_signature(body, header, secret + "x")
    flipped = header[:-1] + ("0" if header[-1] != "0" else "1")
    for bad in (flipped, digest, header[:-1], f"sha1={digest}", "", "sha256=", f"{header}0"):
        assert not verify_signature(body, bad, secret)


@given(st.text())
def test_any_text_may_stand_in_the_header(header: str):
    assert not verify_signature(json.dumps(EVENT.to_dict()).encode(), header, SECRET)


def test_an_empty_secret_verifies_nothing():
    header = "sha256=" + hmac.new(b"", b"{}", hashlib.sha256).hexdigest()
    assert not verify_signature(b"{}", header, "")
