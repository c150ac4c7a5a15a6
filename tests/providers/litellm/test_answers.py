"""Answers as deltas: text, thinking, refusals, tool calls, usage, and the request that asked for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptrails_engine.errors import BadRequestError
from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.provider import (
    Finish,
    Message,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    ToolSpec,
    UsageDelta,
)
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
    collect,
    make,
    request,
    text_of,
)
from tests.providers.loopback import LoopbackServer
from tests.providers.replies import call, chat, event, sse, usage

TOOL = ToolSpec("add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})


@pytest.mark.parametrize("model", ALL)
async def test_a_streamed_answer(server: LoopbackServer, model: str) -> None:
    server.script(answer(model))
    deltas = await collect(make(server), request(model))
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["Hel", "lo"]
    assert deltas[-1] == Finish("stop")
    assert len(server.requests) == 1


@pytest.mark.parametrize("model", ALL)
async def test_usage_is_what_the_provider_counted(server: LoopbackServer, model: str) -> None:
    server.script(answer(model))
    deltas = await collect(make(server), request(model))
    counts = [delta.usage for delta in deltas if isinstance(delta, UsageDelta)][-1]
    if model == ANTHROPIC:  # its prompt tokens leave the cached ones out, ours hold them
        assert (counts.prompt_tokens, counts.completion_tokens) == (10, 3)
        assert (counts.cached_tokens, counts.cache_creation_tokens) == (2, 1)
    else:
        assert (counts.prompt_tokens, counts.completion_tokens, counts.total_tokens) == (7, 3, 10)


@pytest.mark.parametrize("model", OPENAI_FORMAT)
async def test_usage_that_was_not_sent_is_not_invented(server: LoopbackServer, model: str) -> None:
    server.script(sse(event({"content": "x"}), event({}, "stop")))
    deltas = await collect(make(server), request(model))
    assert deltas == [TextDelta("x"), Finish("stop")]


@pytest.mark.parametrize("model", OPENAI_FORMAT)
async def test_details_of_usage(server: LoopbackServer, model: str) -> None:
    counts = usage(20, 9) | {
        "prompt_tokens_details": {"cached_tokens": 16},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    server.script(chat("x", counts=counts))
    deltas = await collect(make(server), request(model))
    known = next(delta.usage for delta in deltas if isinstance(delta, UsageDelta))
    assert (known.cached_tokens, known.reasoning_tokens) == (16, 5)
    assert known.total_tokens == 29


@pytest.mark.parametrize("model", OPENAI_FORMAT)
async def test_absurd_counts_are_unknown(server: LoopbackServer, model: str) -> None:
    counts = {"prompt_tokens": -5, "completion_tokens": 3, "total_tokens": -2}
    server.script(sse(event({"content": "x"}), event({}, "stop"), event(usage=counts)))
    deltas = await collect(make(server), request(model))
    assert [delta.usage for delta in deltas if isinstance(delta, UsageDelta)] == [TokenUsage(completion_tokens=3)]


@pytest.mark.parametrize("model", OPENAI_FORMAT)
async def test_thinking_comes_apart_from_the_text(server: LoopbackServer, model: str) -> None:
    server.script(chat("so", thinking="hm"))
    deltas = await collect(make(server), request(model))
    assert [delta for delta in deltas if isinstance(delta, ThinkingDelta)] == [ThinkingDelta("hm")]
    assert text_of(deltas) == "so"


async def test_a_refusal_is_told_as_one(server: LoopbackServer) -> None:
    server.script(chat("", refusal="I will not"))
    deltas = await collect(make(server), request(SDK))
    assert deltas[0] == RefusalDelta("I will not")
    assert deltas[-1] == Finish("stop")


@pytest.mark.parametrize("model", OPENAI_FORMAT)
@pytest.mark.parametrize(("reason", "expected"), [("length", "length"), ("content_filter", "content_filter")])
async def test_finish_reasons(server: LoopbackServer, model: str, reason: str, expected: str) -> None:
    server.script(chat("x", finish=reason))
    assert (await collect(make(server), request(model)))[-1] == Finish(expected)  # type: ignore[arg-type]  # a test table


# ------------------------------------------------------------------ tools


@pytest.mark.parametrize("model", OPENAI_FORMAT)
async def test_parallel_tool_calls(server: LoopbackServer, model: str) -> None:
    server.script(chat("", tool_calls=[("c1", "add", '{"a": 1}'), ("c2", "add", '{"a": 2}')]))
    deltas = await collect(make(server), request(model, tools=[TOOL]))
    pieces = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert [(piece.index, piece.id, piece.name) for piece in pieces if piece.id] == [(0, "c1", "add"), (1, "c2", "add")]
    for index, arguments in enumerate(('{"a": 1}', '{"a": 2}')):
        assert "".join(piece.arguments for piece in pieces if piece.index == index) == arguments
    assert deltas[-1] == Finish("tool_calls")
    sent = server.requests[0].json["tools"]
    assert sent == [
        {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": dict(TOOL.parameters)}}
    ]


@pytest.mark.parametrize("model", OPENAI_FORMAT)
async def test_calls_that_end_in_stop_are_tool_calls_all_the_same(server: LoopbackServer, model: str) -> None:
    server.script(chat("", tool_calls=[("c1", "add", "{}")], finish="stop"))
    assert (await collect(make(server), request(model, tools=[TOOL])))[-1] == Finish("tool_calls")


@pytest.mark.parametrize("model", OPENAI_FORMAT)
async def test_arguments_come_as_received_even_broken(server: LoopbackServer, model: str) -> None:
    server.script(sse(event({"tool_calls": [call(0, "c1", "add", '{"a": ')]}), event({}, "tool_calls")))
    deltas = await collect(make(server), request(model, tools=[TOOL]))
    assert "".join(delta.arguments for delta in deltas if isinstance(delta, ToolCallDelta)) == '{"a": '


async def test_anthropic_tool_use(server: LoopbackServer) -> None:
    def block(type: str, **fields: Any) -> bytes:
        return f"event: {type}\ndata: {json.dumps({'type': type, **fields})}\n\n".encode()

    start: dict[str, Any] = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []}
    server.script(
        sse(
            block("message_start", message={**start, "usage": {"input_tokens": 4, "output_tokens": 1}}),
            block(
                "content_block_start",
                index=0,
                content_block={"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}},
            ),
            block("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": '{"a"'}),
            block("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": ": 1}"}),
            block("content_block_stop", index=0),
            block("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9}),
            block("message_stop"),
            done=False,
        )
    )
    deltas = await collect(make(server), request(ANTHROPIC, tools=[TOOL]))
    pieces = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert (pieces[0].id, pieces[0].name) == ("toolu_1", "add")
    assert json.loads("".join(piece.arguments for piece in pieces)) == {"a": 1}
    assert deltas[-1] == Finish("tool_calls")


async def test_gemini_function_calls(server: LoopbackServer) -> None:
    part = {"functionCall": {"name": "add", "args": {"a": 1}}}
    server.script(
        sse(
            {"candidates": [{"index": 0, "content": {"role": "model", "parts": [part, part]}, "finishReason": "STOP"}]},
            done=False,
        )
    )
    deltas = await collect(make(server), request(GEMINI, tools=[TOOL]))
    calls = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert len({delta.index for delta in calls}) == 2
    assert all(delta.id and json.loads(delta.arguments) == {"a": 1} for delta in calls)
    assert deltas[-1] == Finish("tool_calls")


# ------------------------------------------------------------------ the request


async def test_what_is_sent(server: LoopbackServer) -> None:
    server.script(chat())
    asked = request(
        messages=[
            Message("system", "Be brief."),
            Message("user", "hi"),
            Message("assistant", "", tool_calls=[ToolCall("c1", "add", '{"a": 1}'), ToolCall("c2", "add", "{broken")]),
            Message("tool", "2", tool_call_id="c1"),
        ],
        tools=[TOOL],
        temperature=0.5,
        top_p=0.9,
        max_tokens=11,
        options={"seed": 7, "stop": ["x"], "presence_penalty": None},
    )
    await collect(make(server), asked)
    received = server.requests[0]
    body = received.json
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert (body["temperature"], body["top_p"], body["seed"], body["stop"]) == (0.5, 0.9, 7, ["x"])
    assert body["max_tokens" if "max_tokens" in body else "max_completion_tokens"] == 11
    assert "presence_penalty" not in body
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool"]
    first, second = body["messages"][2]["tool_calls"]
    assert json.loads(first["function"]["arguments"]) == {"a": 1}
    assert isinstance(json.loads(second["function"]["arguments"]), dict)
    assert body["messages"][3]["tool_call_id"] == "c1"


@pytest.mark.parametrize("model", OPENAI_FORMAT)
async def test_an_output_schema_is_sent_as_one(server: LoopbackServer, model: str) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    server.script(chat('{"answer": "x"}'))
    deltas = await collect(make(server), request(model, output_schema=schema))
    sent = server.requests[0].json["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["schema"] == schema
    assert json.loads(text_of(deltas)) == {"answer": "x"}


async def test_nothing_is_sent_that_was_not_asked_for(server: LoopbackServer) -> None:
    server.script(chat())
    await collect(make(server), request())
    assert set(server.requests[0].json) == {"model", "messages", "stream", "stream_options"}


async def test_prompt_caching_marks_the_system_message(server: LoopbackServer) -> None:
    server.script(answer(ANTHROPIC))
    messages = [Message("system", "Long."), Message("user", "hi")]
    await collect(make(server), request(ANTHROPIC, messages=messages, options={"prompt_caching": True}))
    assert server.requests[0].json["system"][0]["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    "option",
    ["api_base", "base_url", "api_key", "timeout", "num_retries", "model", "mock_response", "aws_region_name",
     "vertex_credentials", "custom_llm_provider", "fallbacks", "client", "extra_headers", "stream", "_skip_mcp_handler",
     "metadata", "callbacks", "n"],
)  # fmt: skip
async def test_options_cannot_change_where_a_call_goes(server: LoopbackServer, option: str) -> None:
    server.script(chat())
    deltas, error = await attempt(make(server), request(options={option: "x"}))
    assert isinstance(error, BadRequestError)
    assert option in str(error)
    assert not deltas
    assert not server.requests


@pytest.mark.parametrize("model", [SDK, HANDLER])
async def test_the_asked_model_is_the_one_sent(server: LoopbackServer, model: str) -> None:
    server.script(chat())
    await collect(make(server), request(model.replace("/m", "/vendor/name:tag")))
    assert server.requests[0].json["model"] == "vendor/name:tag"
