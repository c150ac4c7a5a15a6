"""Rows for the store's tests: plausible, and different in every field that has a say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from promptrails_engine.events import (
    ApprovalRequiredEvent,
    ContentEvent,
    DoneEvent,
    ErrorEvent,
    Event,
    ExecutionEvent,
    RestartEvent,
    ThinkingEvent,
    TokenUsage,
    ToolEndEvent,
    ToolStartEvent,
)
from promptrails_engine.ports.journal import ApprovalRow, JournalEntry
from promptrails_engine.ports.sink import Span, SpanKind, SpanStatus, TraceInfo
from promptrails_engine.ports.store import (
    DefinitionKind,
    DefinitionRow,
    DefinitionStatus,
    ExecutionRow,
    ExecutionStatus,
    VersionRow,
)
from promptrails_engine.ports.tool import Effect

MOMENT = 1_760_000_000.25
"""A time of which a float and a database keep every digit."""
ODD_TEXTS = (
    "nul\x00in the middle",
    "\x00",
    "lone \ud800 high",
    "lone \udfff low",
    "both halves \ud83d\ude00 apart",
    "emoji \U0001f9ea and a flag \U0001f1f9\U0001f1f7",
    "private use \U000f0800 \U000f0fff \U000f0abc",
    "quotes \" ' ` and \\ and \n\r\t and \u2028",
    "\\u0000 as text",
    "right-to-left \u202e\u05d0 and tag \U000e0041",
)
LONG_TEXT = "a\u00e9" * 524_288 + "\U0001f9ea\x00"
"""A little over a million characters."""


def unique(prefix: str = "x") -> str:
    """A name that no other test has."""
    return f"{prefix}_{uuid4().hex}"


def definition(
    workspace: str,
    name: str = "Summaries",
    *,
    kind: DefinitionKind = "agent",
    id: str = "",
    type: str = "simple",
    status: DefinitionStatus = "active",
    current: str | None = None,
    data: dict[str, Any] | None = None,
    created_at: float = MOMENT,
) -> DefinitionRow:
    """A definition."""
    return DefinitionRow(
        kind=kind,
        id=id or unique("def"),
        workspace_id=workspace,
        name=name,
        type=type,
        status=status,
        current_version_id=current,
        data={"description": "makes them", "labels": ["a", "b"]} if data is None else data,
        created_at=created_at,
        updated_at=created_at,
    )


def version(
    of: DefinitionRow,
    label: str = "1.0.0",
    *,
    id: str = "",
    data: dict[str, Any] | None = None,
    created_at: float = MOMENT,
) -> VersionRow:
    """A version of a definition."""
    return VersionRow(
        kind=of.kind,
        id=id or unique("ver"),
        definition_id=of.id,
        workspace_id=of.workspace_id,
        version=label,
        digest="0f" * 32,
        message="first",
        data={"temperature": 0.5, "nested": {"list": [1, None, True, "x"]}} if data is None else data,
        created_at=created_at,
    )


def execution(
    workspace: str,
    *,
    id: str = "",
    agent: str = "agent_1",
    trace: str = "",
    session: str = "",
    user: str = "",
    metadata: dict[str, Any] | None = None,
    input: dict[str, Any] | None = None,
    created_at: float = MOMENT,
    parent: str | None = None,
    root: str | None = None,
) -> ExecutionRow:
    """A running execution."""
    return ExecutionRow(
        id=id or unique("exe"),
        workspace_id=workspace,
        agent_id=agent,
        agent_version_id="version_1",
        trace_id=trace or uuid4().hex,
        status="running",
        input={"text": "what is it?"} if input is None else input,
        version_lock={"agent": {"id": agent, "digest": "0f" * 32}},
        created_at=created_at,
        user_id=user,
        session_id=session,
        metadata=metadata or {},
        started_at=created_at + 0.25,
        parent_execution_id=parent,
        root_execution_id=root,
    )


def ended(
    row: ExecutionRow,
    status: ExecutionStatus = "completed",
    *,
    cost: float | None = 0.25,
    known: float | None = None,
    tokens: int = 42,
    error: str = "",
) -> ExecutionRow:
    """The same execution at its end."""
    return replace(
        row,
        status=status,
        completed_at=row.created_at + 1.5,
        duration_ms=1500,
        output={"content": "it is this", "type": "text"} if status == "completed" else None,
        error=error,
        error_code="timeout" if error else "",
        token_usage={"prompt_tokens": tokens - 2, "completion_tokens": 2, "total_tokens": tokens},
        cost=cost,
        cost_known=(cost or 0.0) if known is None else known,
        truncated=status == "completed",
    )


def owned(row: ExecutionRow, owner: str | None, status: ExecutionStatus = "running") -> ExecutionRow:
    """The same execution with another owner, in another state."""
    return replace(row, owner=owner, status=status)


def intent(key: str, value: dict[str, Any] | None = None, *, effect: Effect = "effect") -> JournalEntry:
    """The intent of a tool call."""
    return JournalEntry(key, "tool", effect, "intended", {"call": key} if value is None else value)


def outcome(key: str, value: dict[str, Any] | None = None, *, effect: Effect = "effect") -> JournalEntry:
    """The outcome of a tool call."""
    return JournalEntry(key, "tool", effect, "done", {"result": key} if value is None else value)


def approval(
    row: ExecutionRow,
    key: str = "step",
    *,
    id: str = "",
    created_at: float = MOMENT,
    expires_at: float | None = None,
    payload: dict[str, Any] | None = None,
) -> ApprovalRow:
    """A request of an execution."""
    return ApprovalRow(
        id=id or unique("apr"),
        workspace_id=row.workspace_id,
        execution_id=row.id,
        root_execution_id=row.root_execution_id or row.id,
        agent_id=row.agent_id,
        key=key,
        checkpoint_name="before payment",
        payload={"arguments": {"amount": 5}} if payload is None else payload,
        digest="0f" * 32,
        created_at=created_at,
        expires_at=expires_at,
    )


def trace_of(row: ExecutionRow) -> TraceInfo:
    """What all spans of the execution share."""
    return TraceInfo(
        trace_id=row.trace_id,
        execution_id=row.id,
        workspace_id=row.workspace_id,
        agent_id=row.agent_id,
        agent_name="Summaries",
        agent_type="simple",
        session_id=row.session_id,
        user_id=row.user_id,
    )


def span(
    info: TraceInfo,
    name: str = "call",
    *,
    id: str = "",
    kind: SpanKind = "llm",
    status: SpanStatus = "ok",
    model: str = "openai/gpt-4o-mini",
    started_at: float = MOMENT,
    input: Any = None,
    output: Any = None,
) -> Span:
    """A finished span, every field filled."""
    return Span(
        trace=info,
        span_id=id or uuid4().hex[:16],
        parent_span_id="00f067aa0ba902b7",
        name=name,
        kind=kind,
        started_at=started_at,
        ended_at=started_at + 0.5,
        status=status,
        level="error" if status == "error" else "default",
        input={"messages": [{"role": "user", "content": "what is it?"}]} if input is None else input,
        output={"text": "this"} if output is None else output,
        attributes={"provider": "openai", "temperature": 0.5},
        tags=("blue", "green"),
        model_name=model,
        prompt_id="prompt_1",
        prompt_name="Summarizer",
        prompt_tokens=12,
        completion_tokens=30,
        total_tokens=42,
        cost=0.125,
        completion_start_time=started_at + 0.25,
        error_message="it broke" if status == "error" else "",
        error_type="timeout" if status == "error" else "",
        error_stack="line 1\nline 2" if status == "error" else "",
    )


def events(row: ExecutionRow, *texts: str, first: int = 1, last: bool = True) -> list[Event]:
    """Numbered events: the execution's, one for each text, and the done event."""
    found: list[Event] = [ExecutionEvent(row.id)] if first == 1 else []
    found += [ContentEvent(text) for text in texts]
    if last:
        found.append(DoneEvent({"content": "".join(texts)}, TokenUsage(12, 30, 42)))
    return numbered(found, first)


def every_event(row: ExecutionRow) -> list[Event]:
    """One of each type."""
    return numbered(
        [
            ExecutionEvent(row.id, "message_1"),
            ThinkingEvent("hm"),
            ToolStartEvent("call_1", "search"),
            ToolEndEvent("call_1", "search", "3 hits"),
            ToolEndEvent("call_2", "search"),
            ContentEvent("it is this"),
            ApprovalRequiredEvent("approval_1", "look", {"output": {"content": "it is this"}}, MOMENT),
            ApprovalRequiredEvent("approval_2", "search"),
            RestartEvent(2),
            DoneEvent({"content": "it is this"}, TokenUsage(1, 2, 3, 4, 5, 6)),
            ErrorEvent("too late", "run_timeout"),
        ]
    )


def numbered(found: list[Event], first: int = 1) -> list[Event]:
    """The same events, numbered from `first`."""
    return [replace(event, seq=seq) for seq, event in enumerate(found, first)]
