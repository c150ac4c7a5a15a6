"""Calls of the local model, kept short: a token takes some 30 ms."""

from __future__ import annotations

import asyncio
from typing import Any

from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.provider import Delta, Finish, Message, ModelRequest, TextDelta, UsageDelta
from promptrails_providers.local_model import LocalModelProvider


def request(text: str = "Name a colour.", **fields: Any) -> ModelRequest:
    fields.setdefault("temperature", 0.0)
    fields.setdefault("max_tokens", 8)
    return ModelRequest(fields.pop("model", "smollm2"), [Message("user", text)], **fields)


async def collect(provider: LocalModelProvider, asked: ModelRequest) -> list[Delta]:
    return [delta async for delta in provider.stream(asked)]


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def usage_of(deltas: list[Delta]) -> TokenUsage:
    return [delta.usage for delta in deltas if isinstance(delta, UsageDelta)][-1]


def finish_of(deltas: list[Delta]) -> str:
    last = deltas[-1]
    assert isinstance(last, Finish)
    assert sum(isinstance(delta, Finish) for delta in deltas) == 1
    return last.reason


def close_now(provider: LocalModelProvider) -> None:
    """Close it outside of any loop."""
    asyncio.run(provider.aclose())
