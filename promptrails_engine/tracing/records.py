"""A span as a dict with the fields of the hosted API's trace record, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptrails_engine.clock import from_iso, iso, iso_or_none
from promptrails_engine.ports.sink import Span, TraceInfo
from promptrails_engine.tracing.payload import CAP_BYTES, capped_payload, capped_text, escape_odd, without_content

SERVICE_NAME = "promptrails-engine"


def span_to_dict(span: Span, *, content: bool = True, cap_bytes: int = CAP_BYTES) -> dict[str, Any]:
    """The span as JSON data in valid UTF-8: times in ISO 8601 (UTC), `duration_ms` in milliseconds, `cost` in USD.

    Args:
        span: A finished span; it is not changed.
        content: Whether to keep what may hold text of prompts, answers and tools: input, output, error message and
            stack, and attributes whose text is no name or code.
        cap_bytes: The most that input, output, one attribute, error message or stack may take, in bytes of JSON.
            A longer payload becomes `{"truncated": true, "preview": "..."}`.
    """
    trace = span.trace
    attributes = span.attributes if content else without_content(span.attributes)
    return {
        "id": span.span_id,
        "workspace_id": trace.workspace_id,
        "trace_id": trace.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "name": capped_text(span.name, cap_bytes),
        "kind": span.kind,
        "status": span.status,
        "level": span.level,
        "input": capped_payload(span.input, cap_bytes) if content else None,
        "output": capped_payload(span.output, cap_bytes) if content else None,
        "attributes": {escape_odd(name): capped_payload(value, cap_bytes) for name, value in attributes.items()},
        "tags": [capped_text(tag, cap_bytes) for tag in span.tags],
        "token_usage": span.token_usage or None,
        "cost": span.cost,
        "duration_ms": span.duration_ms,
        "error_message": capped_text(span.error_message, cap_bytes) if content else "",
        "error_type": escape_odd(span.error_type),
        "error_stack": capped_text(span.error_stack, cap_bytes) if content else "",
        "prompt_tokens": span.prompt_tokens,
        "completion_tokens": span.completion_tokens,
        "total_tokens": span.total_tokens,
        "agent_id": trace.agent_id or None,
        "agent_name": escape_odd(trace.agent_name),
        "agent_type": trace.agent_type,
        "prompt_id": span.prompt_id or None,
        "prompt_name": escape_odd(span.prompt_name),
        "model_name": escape_odd(span.model_name),
        "llm_model_id": escape_odd(span.model_name) or None,
        "user_id": escape_odd(trace.user_id) or None,
        "session_id": escape_odd(trace.session_id),
        "execution_id": trace.execution_id or None,
        "service_name": SERVICE_NAME,
        "started_at": iso(span.started_at),
        "ended_at": iso_or_none(span.ended_at),
        "completion_start_time": iso_or_none(span.completion_start_time),
        "created_at": iso(span.started_at),
    }


def span_from_dict(data: Mapping[str, Any]) -> Span:
    """The span that `span_to_dict` wrote, as far as it was written; times to the microsecond.

    Raises:
        KeyError: `trace_id`, `span_id`, `name`, `kind` or `started_at` is missing.
    """
    ended, first = data.get("ended_at"), data.get("completion_start_time")
    return Span(
        trace=_trace_info(data),
        span_id=data["span_id"],
        parent_span_id=data.get("parent_span_id") or "",
        name=data["name"],
        kind=data["kind"],
        started_at=from_iso(data["started_at"]),
        ended_at=None if ended is None else from_iso(ended),
        status=data.get("status") or "ok",
        level=data.get("level") or "default",
        input=data.get("input"),
        output=data.get("output"),
        attributes=dict(data.get("attributes") or {}),
        tags=tuple(data.get("tags") or ()),
        model_name=data.get("model_name") or "",
        prompt_id=data.get("prompt_id") or "",
        prompt_name=data.get("prompt_name") or "",
        prompt_tokens=data.get("prompt_tokens"),
        completion_tokens=data.get("completion_tokens"),
        total_tokens=data.get("total_tokens"),
        cost=data.get("cost"),
        completion_start_time=None if first is None else from_iso(first),
        error_message=data.get("error_message") or "",
        error_type=data.get("error_type") or "",
        error_stack=data.get("error_stack") or "",
    )


def _trace_info(data: Mapping[str, Any]) -> TraceInfo:
    def text(name: str) -> str:
        return data.get(name) or ""

    return TraceInfo(
        trace_id=data["trace_id"],
        execution_id=text("execution_id"),
        workspace_id=text("workspace_id"),
        agent_id=text("agent_id"),
        agent_name=text("agent_name"),
        agent_type=text("agent_type"),
        session_id=text("session_id"),
        user_id=text("user_id"),
    )
