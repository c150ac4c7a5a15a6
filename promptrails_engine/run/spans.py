"""What spans say of the run that they belong to, and of what ended them."""

from __future__ import annotations

import asyncio
from typing import Any

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.ports.sink import Span, TraceInfo
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.run.parking import Parked
from promptrails_engine.run.plan import Plan

PARKED = "parked"
"""Marks a span that has not ended: it goes on with its run, here or elsewhere."""


def fail_span(span: Span, error: BaseException) -> None:
    """Mark a span as failed by `error`."""
    span.status = "error"
    span.level = "error"
    if isinstance(error, PromptRailsError):
        span.error_type = error.code
        span.error_message = error.message
    elif isinstance(error, Parked):
        span.error_type = PARKED
    elif isinstance(error, asyncio.CancelledError):
        span.error_type = "cancelled"
        span.error_message = "cancelled"
    else:
        span.error_type = "internal"
        span.error_message = f"{type(error).__name__}: {error}"


def trace_of(row: ExecutionRow, plan: Plan, ambient: Any) -> TraceInfo:
    """What all spans of an execution share; `ambient` is what the sinks saw in the caller's context."""
    return TraceInfo(
        row.trace_id,
        row.id,
        row.workspace_id,
        plan.agent_id,
        plan.agent_name,
        plan.agent_type,
        row.session_id,
        row.user_id,
        ambient,
    )
