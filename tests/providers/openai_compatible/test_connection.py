"""Connections: faults of them, their ends, their number, and what is loaded when."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import cast

import pytest

from promptrails_engine.errors import (
    ConfigurationError,
    PromptRailsError,
    ProviderProtocolError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ResponseTooLargeError,
    StreamInterruptedError,
)
from promptrails_engine.ports.provider import Delta, TextDelta
from promptrails_providers.openai_compatible import OpenAICompatibleProvider
from tests.providers.loopback import Hold, LoopbackServer, Reply, Send
from tests.providers.openai_compatible.calls import KEY, ask, drain, request
from tests.providers.replies import (
    DONE,
    bad_chunking,
    chat,
    encode,
    endless,
    error,
    event,
    gzipped,
    hang_up,
    head,
    plain,
    reset,
    short_body,
    streamed,
)

A = encode(event({"content": "a"}))
STOP = encode(event({}, "stop"))


def opened(provider: OpenAICompatibleProvider) -> AsyncGenerator[Delta, None]:
    return cast("AsyncGenerator[Delta, None]", provider.stream(request()))


# ------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("reply", "cls"),
    [
        pytest.param(reset(), ProviderUnavailableError, id="reset before headers"),
        pytest.param(hang_up(), ProviderUnavailableError, id="closed before headers"),
        pytest.param(hang_up(b"HTTP/1.1 200 OK\r\ncontent-ty"), ProviderUnavailableError, id="closed within headers"),
        pytest.param(hang_up(b"this is no HTTP\r\n\r\n"), ProviderUnavailableError, id="no HTTP"),
        pytest.param(hang_up(head(200, {"x": "y" * 200_000})), ProviderUnavailableError, id="huge headers"),
        pytest.param(short_body(b""), ProviderUnavailableError, id="no byte of the body"),
        pytest.param(bad_chunking(), ProviderUnavailableError, id="bad framing at once"),
        pytest.param(short_body(A), StreamInterruptedError, id="short body"),
        pytest.param(bad_chunking(A), StreamInterruptedError, id="bad framing after text"),
        pytest.param(
            Reply((*streamed([A], end=False).actions,), close=True), StreamInterruptedError, id="cut after text"
        ),
        pytest.param(plain(200, b"no gzip", content_encoding="gzip"), ProviderProtocolError, id="bad encoding"),
    ],
)
async def test_faults_of_the_connection(server: LoopbackServer, reply: Reply, cls: type[PromptRailsError]) -> None:
    outcome = await ask(server, reply)
    assert type(outcome.error) is cls
    assert outcome.finish is None
    assert (outcome.text == "a") == (cls is StreamInterruptedError)


async def test_a_reset_after_text(server: LoopbackServer) -> None:
    gate = threading.Event()
    server.script(Reply((*streamed([A], end=False).actions, Hold(gate), *reset().actions)))
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    async with aclosing(opened(provider)) as deltas:
        assert await anext(deltas) == TextDelta("a")
        gate.set()
        with pytest.raises(StreamInterruptedError) as caught:
            await anext(deltas)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    await provider.aclose()


async def test_a_connection_that_breaks_after_the_finish_reason_lost_nothing(server: LoopbackServer) -> None:
    for reply in (short_body(A + STOP), bad_chunking(A, STOP)):
        outcome = await ask(server, reply)
        assert (outcome.text, outcome.finish, outcome.error) == ("a", "stop", None)


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    provider = OpenAICompatibleProvider("vllm", f"http://127.0.0.1:{port}/v1")
    found = (await drain(provider)).error
    assert type(found) is ProviderUnavailableError
    assert str(port) in found.message
    await provider.aclose()


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of waiting connections is full, so that connecting hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for filler in fillers:
            filler.close()


async def test_the_connect_timeout_is_kept(full_port: int) -> None:
    provider = OpenAICompatibleProvider("vllm", f"http://127.0.0.1:{full_port}/v1")
    found = (await drain(provider, request(connect_timeout_s=0.2))).error
    assert type(found) is ProviderTimeoutError
    assert found.phase == "connect"
    assert "0.2 s" in found.message
    await provider.aclose()


# ------------------------------------------------------------------ size


async def test_an_endless_answer_is_stopped_and_left(server: LoopbackServer) -> None:
    outcome = await ask(server, endless(encode(event({"content": "x" * 100_000}))))
    assert type(outcome.error) is ResponseTooLargeError
    assert server.wait_disconnects()


async def test_an_endless_error_body_is_not_read_on(server: LoopbackServer) -> None:
    opening = head(500, {"transfer-encoding": "chunked", "content-type": "text/html"})
    body = endless(b"<html>" + b"x" * 65536).actions[1:]
    outcome = await ask(server, Reply((Send(opening), *body)))
    assert type(outcome.error) is ProviderUnavailableError
    assert server.wait_disconnects()


@pytest.mark.parametrize("status", [200, 400])
async def test_a_compressed_bomb_is_stopped(server: LoopbackServer, status: int) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join(packer.compress(b": " + b" " * 998 + b"\n") for _ in range(30_000)) + packer.flush()
    outcome = await ask(server, plain(status, bomb, content_encoding="gzip"))
    assert outcome.error is not None
    assert outcome.error.code == ("response_too_large" if status == 200 else "bad_request")


async def test_compressed_answers_are_read_though_none_was_asked_for(server: LoopbackServer) -> None:
    noise = random.Random(1)
    words = ["".join(noise.choices("abcdefgh", k=6)) for _ in range(8_000)]
    body = b"".join(encode(event({"content": word})) for word in words) + STOP + DONE
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    for reply in (
        gzipped(body),
        plain(200, zlib.compress(body), content_encoding="deflate"),
        plain(200, raw.compress(body) + raw.flush(), content_encoding="deflate"),
    ):
        outcome = await ask(server, reply)
        assert (outcome.text, outcome.error) == ("".join(words), None)
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_an_unknown_encoding_is_a_protocol_error(server: LoopbackServer) -> None:
    outcome = await ask(server, plain(200, b"....", content_encoding="br"))
    assert type(outcome.error) is ProviderProtocolError


# ------------------------------------------------------------------ proxies, secrets, imports


async def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script(chat())
    monkeypatch.setenv("HTTP_PROXY", server.root)
    provider = OpenAICompatibleProvider("far", "http://models.invalid/v1", KEY)
    assert (await drain(provider)).finish == "stop"
    assert server.requests[0].path == "http://models.invalid/v1/chat/completions"
    await provider.aclose()
    near = OpenAICompatibleProvider("near", server.url, KEY)
    assert (await drain(near)).finish == "stop"
    assert server.requests[1].path == "/v1/chat/completions"
    await near.aclose()


@pytest.mark.parametrize("proxy", ["gopher://127.0.0.1:1", "socks5://127.0.0.1:1"])
async def test_a_proxy_that_cannot_be_used_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    if proxy.startswith("socks"):
        monkeypatch.setitem(sys.modules, "socksio", None)
    outcome = await drain(OpenAICompatibleProvider("far", "http://models.invalid/v1", KEY))
    assert type(outcome.error) is ConfigurationError


async def test_the_key_shows_nowhere(server: LoopbackServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    page = plain(500, f"<html>{KEY}</html>".encode(), "text/html")
    broken = streamed([A, f"data: {KEY}\n\n".encode()])
    for reply in (chat(), error(401, KEY), reset(), short_body(A), page, broken):
        server.script(reply)
        provider = OpenAICompatibleProvider("openai", server.url, KEY)
        outcome = await drain(provider)
        texts += [
            repr(provider),
            str(outcome.error),
            repr(outcome.error),
            json.dumps(getattr(outcome.error, "details", {})),
        ]
        chain: BaseException | None = outcome.error
        while chain is not None:
            texts.append(repr(vars(chain)))
            chain = chain.__cause__ or chain.__context__
        await provider.aclose()
    assert KEY not in "".join(texts) + caplog.text


def test_nothing_is_loaded_before_the_first_call() -> None:
    code = """
import sys
from promptrails_providers.openai_compatible import OpenAICompatibleProvider, create
provider = create("openai")
provider.capabilities("gpt-4o"), provider.name, repr(provider)
loaded = [name for name in ("httpx", "httpcore", "anyio", "litellm", "openai") if name in sys.modules]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


async def test_no_connection_or_task_is_left(server: LoopbackServer) -> None:
    server.script(chat(), reset(), short_body(A), error(500), chat())
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    for _ in range(5):
        await drain(provider)
    await provider.aclose()
    gc.collect()
    assert asyncio.all_tasks() == {asyncio.current_task()}
