"""Calls through the provider, and answers in the formats of several providers."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.ports.provider import Delta, Message, ModelRequest, TextDelta
from promptrails_providers.litellm_provider import LiteLLMProvider
from tests.providers.loopback import Action, LoopbackServer, Reply
from tests.providers.replies import encode, event, streamed

KEY = "key-canary-7f3a9c5e1b"

# One provider for each way that litellm calls: the OpenAI SDK, its own handler with OpenAI's format, and three formats.
SDK, HANDLER, ANTHROPIC, GEMINI = "openai/m", "hosted_vllm/m", "anthropic/m", "gemini/m"
OPENAI_FORMAT = (SDK, HANDLER)
ALL = (SDK, HANDLER, ANTHROPIC, GEMINI)

# Providers of each way beyond those; the list is what the one-send promise is checked on.
MORE_SDK = ("deepinfra", "perplexity", "nvidia_nim", "cerebras", "sambanova", "baseten", "moonshot", "dashscope")
MORE_HANDLER = ("mistral", "xai", "deepseek", "together_ai", "fireworks_ai", "openrouter", "groq", "databricks")


def make(server: LoopbackServer, **settings: Any) -> LiteLLMProvider:
    return LiteLLMProvider(api_key=KEY, api_base=server.url, **settings)


def request(model: str = SDK, text: str = "hi", **fields: Any) -> ModelRequest:
    return ModelRequest(model, fields.pop("messages", None) or [Message("user", text)], **fields)


async def collect(provider: LiteLLMProvider, asked: ModelRequest) -> list[Delta]:
    """The deltas; the provider is closed."""
    async with closing(provider):
        return [delta async for delta in provider.stream(asked)]


async def attempt(provider: LiteLLMProvider, asked: ModelRequest) -> tuple[list[Delta], PromptRailsError]:
    """What came before the error, and the error; the call must fail with one of the tree.  The provider is closed."""
    deltas: list[Delta] = []
    async with closing(provider):
        try:
            async for delta in provider.stream(asked):
                deltas.append(delta)
        except PromptRailsError as error:
            return deltas, error
    raise AssertionError(f"no error, but {deltas}")


@asynccontextmanager
async def closing(provider: LiteLLMProvider) -> AsyncGenerator[LiteLLMProvider, None]:
    try:
        yield provider
    finally:
        await provider.aclose()


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


# ------------------------------------------------------------------ the same answer in every format


def _anthropic_event(type: str, **fields: Any) -> bytes:
    return f"event: {type}\ndata: {json.dumps({'type': type, **fields})}\n\n".encode()


def _anthropic_pieces(text: str) -> list[bytes]:
    counts = {"input_tokens": 7, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1, "output_tokens": 1}
    message: dict[str, Any] = {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": counts,
    }
    block = {"type": "text", "text": ""}
    return [
        _anthropic_event("message_start", message=message),
        _anthropic_event("content_block_start", index=0, content_block=block),
        *(
            _anthropic_event("content_block_delta", index=0, delta={"type": "text_delta", "text": part})
            for part in text.split("|")
        ),
        _anthropic_event("content_block_stop", index=0),
        _anthropic_event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3}),
        _anthropic_event("message_stop"),
    ]


def _gemini_pieces(text: str) -> list[bytes]:
    parts = text.split("|")
    counts = {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}
    events: list[dict[str, Any]] = [
        {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": part}]}}]} for part in parts
    ]
    events[-1]["candidates"][0]["finishReason"] = "STOP"
    events[-1]["usageMetadata"] = counts
    return [encode(item) for item in events]


def _openai_pieces(text: str) -> list[bytes]:
    counts = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return [
        encode(event({"role": "assistant", "content": ""})),
        *(encode(event({"content": part})) for part in text.split("|")),
        encode(event({}, "stop")),
        encode(event(usage=counts)),
        b"data: [DONE]\n\n",
    ]


_PIECES = {SDK: _openai_pieces, HANDLER: _openai_pieces, ANTHROPIC: _anthropic_pieces, GEMINI: _gemini_pieces}


def pieces(model: str, text: str = "Hel|lo") -> list[bytes]:
    """The events of an answer in the model's format; `|` parts the deltas."""
    return _PIECES.get(model, _openai_pieces)(text)


def answer(model: str, text: str = "Hel|lo") -> Reply:
    return streamed(pieces(model, text))


def opening(model: str, *after: Action) -> Reply:
    """The first content of an answer, then these actions."""
    count = {ANTHROPIC: 3, GEMINI: 1}.get(model, 2)
    return streamed([*pieces(model)[:count], *after], end=False)
