"""What listeners hear of tool calls: of each its begin and its end, once, also where the run goes on elsewhere."""

from __future__ import annotations

from promptrails_engine.events import ToolEndEvent, ToolStartEvent
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.past import CUT_OFF

SUMMARY_CHARS = 200
"""Of a result in the event that ends its call."""


def start_call(ctx: RunContext, call_id: str, name: str) -> None:
    """Say that a call begins, if they have not heard so before the run was interrupted."""
    if ctx.past is None or not ctx.past.heard.start(call_id):
        ctx.emit(ToolStartEvent(call_id, name))


def end_call(ctx: RunContext, call_id: str, name: str, text: str) -> None:
    """Say what a call came to, if they have not heard so before the run was interrupted."""
    if ctx.past is None or not ctx.past.heard.end(call_id):
        summary = text if len(text) <= SUMMARY_CHARS else text[: SUMMARY_CHARS - 1] + "…"
        ctx.emit(ToolEndEvent(call_id, name, summary))


def cut_call(ctx: RunContext, call_id: str, name: str) -> None:
    """Say that a call was cut off: the run may go on without it, and its listeners wait for an end."""
    ctx.emit(ToolEndEvent(call_id, name, CUT_OFF))
