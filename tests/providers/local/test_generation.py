"""A real model in this process: the structure of its answers, never their wit."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest

from promptrails_engine.errors import BadRequestError, ContextOverflowError, ProviderUnavailableError
from promptrails_engine.ports.provider import Message, ModelRequest, TextDelta, ToolCall, ToolSpec
from promptrails_providers.local_model import LocalModelProvider
from tests.providers.local.calls import collect, finish_of, request, text_of, usage_of
from tests.providers.local.conftest import needs_model

pytestmark = [pytest.mark.once, needs_model]

SCHEMA = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "enum": ["red", "green", "blue"]},
        "warm": {"type": "boolean"},
    },
    "required": ["colour", "warm"],
    "additionalProperties": False,
}


async def test_an_answer_is_streamed_and_counted(shared: LocalModelProvider) -> None:
    deltas = await collect(shared, request())
    pieces = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
    counts = usage_of(deltas)
    assert len(pieces) > 1
    assert counts.completion_tokens is not None
    assert len(pieces) <= counts.completion_tokens <= 8
    assert counts.prompt_tokens is not None
    assert counts.total_tokens == counts.prompt_tokens + counts.completion_tokens
    assert finish_of(deltas) in ("stop", "length")


async def test_a_cut_answer_ends_with_length(shared: LocalModelProvider) -> None:
    deltas = await collect(shared, request("Count from one to one hundred.", max_tokens=3))
    assert finish_of(deltas) == "length"
    assert usage_of(deltas).completion_tokens == 3


async def test_the_same_request_gives_the_same_answer(shared: LocalModelProvider) -> None:
    assert text_of(await collect(shared, request())) == text_of(await collect(shared, request()))
    warm = request(temperature=1.5, options={"seed": 11})
    assert text_of(await collect(shared, warm)) == text_of(await collect(shared, warm))


async def test_an_answer_with_a_schema_is_of_the_schema(shared: LocalModelProvider) -> None:
    deltas = await collect(shared, request("Which colour?", output_schema=SCHEMA, max_tokens=60))
    value = json.loads(text_of(deltas))
    assert set(value) == {"colour", "warm"}
    assert value["colour"] in ("red", "green", "blue")
    assert isinstance(value["warm"], bool)
    assert finish_of(deltas) == "stop"


async def test_emulated_tool_calls_are_of_their_schema(shared: LocalModelProvider) -> None:
    def option(name: str, argument: str) -> dict[str, object]:
        arguments = {"type": "object", "properties": {argument: {"type": "integer"}}, "required": [argument]}
        properties = {"tool": {"const": name}, "arguments": {**arguments, "additionalProperties": False}}
        return {
            "type": "object",
            "properties": properties,
            "required": ["tool", "arguments"],
            "additionalProperties": False,
        }

    schema = {"anyOf": [option("double", "number"), option("wait", "seconds")]}
    value = json.loads(text_of(await collect(shared, request("Double 4.", output_schema=schema, max_tokens=60))))
    assert (value["tool"], *value["arguments"]) in (("double", "number"), ("wait", "seconds"))


async def test_two_calls_at_once_and_a_third_that_waits(shared: LocalModelProvider) -> None:
    answers = await asyncio.gather(*(collect(shared, request()) for _ in range(3)))
    assert all(finish_of(deltas) in ("stop", "length") for deltas in answers)
    assert all(text_of(deltas) for deltas in answers)


async def test_a_prompt_over_the_window(shared: LocalModelProvider) -> None:
    with pytest.raises(ContextOverflowError) as caught:
        await collect(shared, request("word " * 1500))
    window = shared.capabilities("smollm2").context_window
    assert window == 1024
    assert caught.value.details["context_window"] == window
    assert caught.value.details["prompt_tokens"] > window
    assert "n_ctx" in str(caught.value)


async def test_an_answer_that_fills_the_window_ends_with_length() -> None:
    provider = LocalModelProvider(n_ctx=256, n_parallel=1)
    try:
        deltas = await collect(provider, request("word " * 200, max_tokens=None, options={"ignore_eos": True}))
        counts = usage_of(deltas)
        assert finish_of(deltas) == "length"
        assert counts.total_tokens is not None
        assert counts.total_tokens <= 257
    finally:
        await provider.aclose()


async def test_odd_characters_are_answered(shared: LocalModelProvider) -> None:
    deltas = await collect(shared, request("a\ud800b \u202e \x00 \U000e0041", max_tokens=3))
    assert finish_of(deltas) in ("stop", "length")


async def test_messages_of_tools_are_told_as_text(shared: LocalModelProvider) -> None:
    messages = [
        Message("system", "Be brief."),
        Message("user", "What is the weather?"),
        Message("assistant", "", tool_calls=[ToolCall("c1", "weather", "{}")]),
        Message("tool", "sunny", tool_call_id="c1"),
    ]
    deltas = await collect(shared, ModelRequest("smollm2", messages, temperature=0.0, max_tokens=4))
    assert text_of(deltas)


# ------------------------------------------------------------------ what is refused


async def test_tools_are_left_to_the_engine(shared: LocalModelProvider) -> None:
    assert shared.capabilities("smollm2").tools == "emulated"
    tool = ToolSpec("f", "", {"type": "object", "properties": {}})
    with pytest.raises(BadRequestError, match="emulate"):
        await collect(shared, request(tools=[tool]))


@pytest.mark.parametrize("option", ["messages", "stream", "tools", "response_format", "return_progress", "n"])
async def test_options_of_the_engine(shared: LocalModelProvider, option: str) -> None:
    with pytest.raises(BadRequestError, match=option):
        await collect(shared, request(options={option: 1}))


async def test_a_schema_that_cannot_be_enforced(shared: LocalModelProvider) -> None:
    with pytest.raises(BadRequestError, match="schema"):
        await collect(shared, request(output_schema={"type": "no such type"}))


# ------------------------------------------------------------------ leaving


async def test_leaving_frees_the_only_slot() -> None:
    provider = LocalModelProvider(n_ctx=2048, n_parallel=1)
    try:
        long = request("Write a long story.", max_tokens=1500, options={"ignore_eos": True})
        stream = provider.stream(long)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
        # With the slot taken, this would come 1,500 tokens later, past the deadline of the test.
        assert finish_of(await collect(provider, request(max_tokens=2))) == "length"

        task = asyncio.create_task(collect(provider, long))
        waiting = asyncio.create_task(collect(provider, request()))
        await asyncio.sleep(0)
        task.cancel()
        waiting.cancel()
        await asyncio.wait([task, waiting])
        assert task.cancelled()
        assert waiting.cancelled()
        assert finish_of(await collect(provider, request(max_tokens=2))) == "length"
    finally:
        await provider.aclose()


async def test_unloading_stops_what_runs_and_a_later_call_loads_anew() -> None:
    provider = LocalModelProvider(n_ctx=2048, n_parallel=1)
    before = threading.active_count()
    stream = provider.stream(request("Write a long story.", max_tokens=1500, options={"ignore_eos": True}))
    await anext(stream)
    queued = asyncio.create_task(collect(provider, request()))
    await asyncio.sleep(0)
    await provider.aclose()
    await provider.aclose()
    with pytest.raises(Exception, match="unloaded"):
        async for _ in stream:
            pass
    with pytest.raises(ProviderUnavailableError, match="unloaded"):
        await queued
    assert threading.active_count() <= before + 1  # one of the loop's own
    assert finish_of(await collect(provider, request(max_tokens=2))) == "length"
    await provider.aclose()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's table of sockets")
def test_nothing_listens_on_a_port(shared: LocalModelProvider) -> None:
    asyncio.run(shared.warm_up())
    mine = {os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _is_link(name)}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    assert not mine & listening


def _is_link(name: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{name}")


def test_one_provider_in_loops_one_after_the_other(shared: LocalModelProvider) -> None:
    for _ in range(2):
        assert finish_of(asyncio.run(collect(shared, request(max_tokens=2)))) in ("stop", "length")
