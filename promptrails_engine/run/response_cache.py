"""Kept answers: keyed on all that shapes an answer, stored as JSON data."""

from __future__ import annotations

import hashlib
from typing import Any

from promptrails_engine.definitions.digest import canonical_json
from promptrails_engine.ports.provider import ModelRequest, ToolCall
from promptrails_engine.run.fold import ModelReply


def cache_key(model_name: str, request: ModelRequest) -> str:
    """SHA-256, in hexadecimal, over the model, the rendered messages, the tools, the schema and the parameters."""
    content = {
        "model": model_name,
        "messages": [message.to_dict() for message in request.messages],
        "tools": [[spec.name, spec.description, spec.parameters] for spec in request.tools],
        "output_schema": request.output_schema,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "max_tokens": request.max_tokens,
        "options": dict(request.options),
    }
    return hashlib.sha256(canonical_json(content).encode("utf-8", "surrogatepass")).hexdigest()


def dump_reply(reply: ModelReply) -> dict[str, Any]:
    return {
        "v": 1,
        "text": reply.text,
        "thinking": reply.thinking,
        "finish": reply.finish,
        "tool_calls": [[call.id, call.name, call.arguments] for call in reply.tool_calls],
    }


def load_reply(data: dict[str, Any], model_name: str) -> ModelReply:
    """The kept reply: no tokens were used and nothing is owed for it."""
    return ModelReply(
        text=data["text"],
        thinking=data["thinking"],
        finish=data["finish"],
        tool_calls=[ToolCall(*call) for call in data["tool_calls"]],
        model_name=model_name,
        cost=0.0,
        cached=True,
    )
