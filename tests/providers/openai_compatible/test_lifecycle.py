"""Streams that end early, connections that are kept, and loops that share a provider."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import pytest

from promptrails_engine.errors import StreamInterruptedError
from promptrails_engine.ports.provider import Delta, Finish, TextDelta
from promptrails_providers.openai_compatible import OpenAICompatibleProvider
from tests.providers.loopback import Hold, LoopbackServer
from tests.providers.openai_compatible.calls import KEY, drain, request
from tests.providers.replies import DONE, chat, encode, error, event, silent, sse, streamed

A = encode(event({"content": "a"}))
STOP = encode(event({}, "stop"))


def opened(provider: OpenAICompatibleProvider) -> AsyncGenerator[Delta, None]:
    return cast("AsyncGenerator[Delta, None]", provider.stream(request()))


async def test_cancelling_the_reader_closes_the_connection(server: LoopbackServer) -> None:
    server.script(chat("one two", gate=threading.Event()), chat("after"))
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    first = asyncio.Event()

    async def read() -> None:
        async for _ in provider.stream(request()):
            first.set()

    task = asyncio.create_task(read())
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.wait_disconnects)
    assert (await drain(provider)).text == "after"
    await provider.aclose()


async def test_cancelling_before_the_headers_closes_the_connection(server: LoopbackServer) -> None:
    server.script(silent())
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    task = asyncio.create_task(drain(provider))
    assert await asyncio.to_thread(server.wait_requests, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.wait_disconnects)
    await provider.aclose()


async def test_leaving_the_stream_closes_the_connection(server: LoopbackServer) -> None:
    server.script(chat("one two", gate=threading.Event()))
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    async with aclosing(opened(provider)) as deltas:
        assert await anext(deltas) == TextDelta("one ")
    assert await asyncio.to_thread(server.wait_disconnects)
    await provider.aclose()


async def test_text_is_given_out_as_it_arrives(server: LoopbackServer) -> None:
    gate = threading.Event()
    server.script(chat("one two", gate=gate))
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    async with aclosing(opened(provider)) as deltas:
        assert await anext(deltas) == TextDelta("one ")
        assert not gate.is_set()
        gate.set()
        rest = [delta async for delta in deltas]
    assert rest[0] == TextDelta("two")
    assert rest[-1] == Finish("stop")
    await provider.aclose()


async def test_connections_are_used_again(server: LoopbackServer) -> None:
    server.script(chat(), error(500), chat(), sse(event({}, "stop")), chat())
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    for _ in range(5):
        await drain(provider)
    assert len(server.requests) == 5
    assert server.connections == 1
    await provider.aclose()


async def test_a_body_that_stays_open_after_the_end_mark_does_not_hold_the_answer(server: LoopbackServer) -> None:
    server.script(streamed([A, STOP, DONE, Hold()], end=False))
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    outcome = await drain(provider)
    assert (outcome.text, outcome.finish, outcome.error) == ("a", "stop", None)
    assert await asyncio.to_thread(server.wait_disconnects)
    await provider.aclose()


async def test_the_pool_is_capped(server: LoopbackServer) -> None:
    gate = threading.Event()
    server.script(chat("one two", gate=gate))
    provider = OpenAICompatibleProvider("openai", server.url, KEY, max_connections=2)
    calls = [asyncio.create_task(drain(provider)) for _ in range(6)]
    assert await asyncio.to_thread(server.wait_requests, 2)
    gate.set()
    outcomes = await asyncio.gather(*calls)
    assert [outcome.text for outcome in outcomes] == ["one two"] * 6
    assert server.connections == 2
    await provider.aclose()


async def test_many_at_once_keep_apart(server: LoopbackServer) -> None:
    server.script(lambda received: chat(f"for {received.json['messages'][0]['content']}")(received))
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    wanted = [request() for _ in range(40)]
    for number, one in enumerate(wanted):
        one.messages[0].content = str(number)
    outcomes = await asyncio.gather(*(drain(provider, one) for one in wanted))
    assert [outcome.text for outcome in outcomes] == [f"for {number}" for number in range(40)]
    await provider.aclose()


async def test_closing_twice_and_calling_again(server: LoopbackServer) -> None:
    server.script(chat())
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    await provider.aclose()
    assert (await drain(provider)).finish == "stop"
    await provider.aclose()
    await provider.aclose()
    assert (await drain(provider)).finish == "stop"
    await provider.aclose()


async def test_closing_amid_a_stream_ends_it_with_an_error_of_the_tree(server: LoopbackServer) -> None:
    server.script(chat("one two", gate=threading.Event()))
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    async with aclosing(opened(provider)) as deltas:
        await anext(deltas)
        reading = asyncio.ensure_future(anext(deltas))
        await asyncio.sleep(0)
        await provider.aclose()
        with pytest.raises(StreamInterruptedError):
            await reading


def test_loops_of_two_threads_share_a_provider(server: LoopbackServer) -> None:
    server.script(chat())
    provider = OpenAICompatibleProvider("openai", server.url, KEY)
    found: list[str | None] = []

    async def calls() -> None:
        found.extend([(await drain(provider)).finish for _ in range(5)])
        await provider.aclose()

    threads = [threading.Thread(target=asyncio.run, args=(calls(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["stop"] * 15
