"""Spans in the words of OpenTelemetry's semantic conventions for generative AI (`gen_ai.*`).

What those have no word for is kept under `promptrails.`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeGuard

from promptrails_engine.ports.sink import Span, SpanKind
from promptrails_engine.tracing.payload import (
    CAP_BYTES,
    capped_payload,
    capped_text,
    escape_odd,
    plain_payload,
    without_content,
)

_LONGEST = 4 * CAP_BYTES  # more than any payload of CAP_BYTES takes once it is quoted
Value = str | bool | int | float | list[str]

OPERATIONS: dict[SpanKind, str] = {
    "agent": "invoke_agent",
    "chain": "invoke_workflow",
    "workflow": "invoke_workflow",
    "llm": "chat",
    "tool": "execute_tool",
    "embedding": "embeddings",
    "speech": "generate_content",
    "image": "generate_content",
    "video": "generate_content",
}
CLIENT_KINDS: frozenset[SpanKind] = frozenset(
    {"llm", "embedding", "speech", "image", "video", "mcp_call", "datasource", "storage"}
)
# Our provider prefixes (those of litellm) by the names that the conventions list.
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
_RENAMED = {
    "cache_creation_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "call_id": "gen_ai.tool.call.id",
    "max_tokens": "gen_ai.request.max_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "response_id": "gen_ai.response.id",
    "response_model": "gen_ai.response.model",
    "temperature": "gen_ai.request.temperature",
    "tool_name": "gen_ai.tool.name",
    "tool_type": "gen_ai.tool.type",
    "top_k": "gen_ai.request.top_k",
    "top_p": "gen_ai.request.top_p",
}
_MODEL_KINDS: frozenset[SpanKind] = frozenset({"llm", "embedding", "speech", "image", "video"})


def otel_name(span: Span) -> str:
    """`{operation} {subject}`, as the conventions ask; the span's own name where they have none."""
    operation = OPERATIONS.get(span.kind)
    if operation is None:
        return capped_text(span.name, 256)
    if span.kind in _MODEL_KINDS:
        subject = _model(span)[1]
    elif span.kind == "agent":
        subject = span.trace.agent_name
    else:
        subject = span.attributes.get("tool_name") or span.name
    return capped_text(f"{operation} {subject}".rstrip(), 256)


def otel_attributes(span: Span, *, content: bool) -> dict[str, Value]:
    """The span's attributes; texts of prompts, answers, tools and errors only if `content`."""
    found: dict[str, Value | None] = {
        "promptrails.span.kind": span.kind,
        "promptrails.span.name": capped_text(span.name),
        "promptrails.span.id": span.span_id,
        "promptrails.span.level": span.level,
        "promptrails.trace.id": span.trace.trace_id,
        "promptrails.execution.id": span.trace.execution_id,
        "promptrails.workspace.id": span.trace.workspace_id,
        "promptrails.prompt.id": span.prompt_id,
        "promptrails.prompt.name": span.prompt_name,
        "promptrails.tags": list(span.tags),
        "promptrails.cost_usd": span.cost,
        "gen_ai.operation.name": OPERATIONS.get(span.kind),
        "gen_ai.conversation.id": span.trace.session_id,
        "gen_ai.usage.input_tokens": span.prompt_tokens,
        "gen_ai.usage.output_tokens": span.completion_tokens,
        "error.type": (span.error_type or "_OTHER") if span.status == "error" else None,
        **_subject(span),
        **_others(span, content=content),
    }
    if content:
        found.update(_content(span))
    return {
        escape_odd(name): _clean(value) for name, value in found.items() if value is not None and value not in ("", [])
    }


def _subject(span: Span) -> dict[str, Value | None]:
    if span.kind == "agent":
        trace = span.trace
        return {
            "gen_ai.agent.id": trace.agent_id,
            "gen_ai.agent.name": trace.agent_name,
            "promptrails.agent.type": trace.agent_type,
        }
    if span.kind in {"chain", "workflow"}:
        return {"gen_ai.workflow.name": span.name}
    if span.kind == "tool" and "tool_name" not in span.attributes:
        return {"gen_ai.tool.name": span.name}
    if span.kind in _MODEL_KINDS:
        provider, model = _model(span)
        first = span.completion_start_time
        return {
            "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
            "gen_ai.request.model": model,
            "gen_ai.response.time_to_first_chunk": None if first is None else first - span.started_at,
        }
    return {}


def _model(span: Span) -> tuple[str, str]:
    """Provider and the model's name there."""
    provider, slash, model = span.model_name.partition("/")
    if not slash:
        provider, model = "", span.model_name
    attributes = span.attributes
    return str(attributes.get("provider") or provider), str(attributes.get("model") or model)


def _others(span: Span, *, content: bool) -> dict[str, Value | None]:
    attributes = span.attributes if content else without_content(span.attributes)
    found: dict[str, Value | None] = {}
    for name, value in attributes.items():
        if name in {"provider", "model"} and span.kind in _MODEL_KINDS:
            continue
        if name == "finish_reason":
            found["gen_ai.response.finish_reasons"] = [str(value)]
        elif value is not None:
            found[_RENAMED.get(name, f"promptrails.{name}")] = _scalar(value)
    return found


def _scalar(value: Any) -> Value:
    if isinstance(value, str):
        return capped_text(value)
    return value if isinstance(value, bool | int | float) else _json(value)


def _clean(value: Value) -> Value:
    if isinstance(value, str):
        return capped_text(value, _LONGEST)
    if isinstance(value, list):
        return [capped_text(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value) if value.bit_length() < CAP_BYTES else "(a number too large to write)"
    return value


# ------------------------------------------------------------------ content


def _content(span: Span) -> dict[str, Value]:
    names = _CONTENT_NAMES.get(span.kind, ("promptrails.input", "promptrails.output"))
    found: dict[str, Value] = {}
    for name, payload, role in ((names[0], span.input, "user"), (names[1], span.output, "assistant")):
        if payload is not None:
            found[name] = _json(_messages(payload, role) if span.kind == "llm" else payload)
    return found


_CONTENT_NAMES: dict[SpanKind, tuple[str, str]] = {
    "llm": ("gen_ai.input.messages", "gen_ai.output.messages"),
    "tool": ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result"),
}


def _messages(payload: Any, role: str) -> Any:
    """Messages as the conventions write them; a payload of another shape as one message."""
    plain = plain_payload(payload)
    if _is_object(plain) and _is_array(plain.get("messages")):
        plain = plain["messages"]
    return [_message(item, role) for item in (plain if _is_array(plain) else [plain])]


def _message(item: Any, role: str) -> dict[str, Any]:
    if not _is_object(item):
        return {"role": role, "parts": [{"type": "text", "content": item if isinstance(item, str) else _json(item)}]}
    text, calls = item.get("content"), item.get("tool_calls")
    message: dict[str, Any] = {"role": item.get("role", role), "parts": []}
    if item.get("tool_call_id"):
        message["parts"].append({"type": "tool_call_response", "id": item["tool_call_id"], "response": text})
    elif text:
        message["parts"].append({"type": "text", "content": text})
    for call in calls if _is_array(calls) else []:
        message["parts"].append({"type": "tool_call", **(call if _is_object(call) else {})})
    if item.get("finish_reason"):
        message["finish_reason"] = item["finish_reason"]
    return message


def _json(value: Any) -> str:
    return json.dumps(capped_payload(value), ensure_ascii=False, separators=(",", ":"))


def _is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _is_array(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
