"""One call of a tool: announced before it is made, and its outcome on record once it has come; and such a record read.

A record holds what was returned under `result`, or under `text` what a model was told of it; or an `error`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from promptrails_engine.errors import ToolError
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.tool import Tool, ToolContext
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.recall import error_data
from promptrails_engine.run.spans import fail_span
from promptrails_engine.run.tool_result import result_text, to_json_data
from promptrails_engine.run.tool_state import RunState
from promptrails_engine.secrets import mask

_NOT_NEEDED = "it was cut off, for it was not needed any more"
"""Said of a call that the run itself has stopped: nobody is to be asked what became of it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls a tool: what is kept for it of the result, and how it names a failure."""

    kept_as: str
    keep: Callable[[Any], Any]
    failure: str

    def failed(self, tool_name: str, error: BaseException) -> ToolError:
        """What the caller is told of an error; without secrets, for it may repeat whatever the tool was told."""
        if isinstance(error, ToolError):
            error.message = mask(error.message)
            return error
        return ToolError(mask(self.failure.format(tool=tool_name, kind=type(error).__name__, error=error)))


def _as_it_is(data: Any) -> Any:
    return data


A_MODEL = Caller("text", result_text, "{kind}: {error}")
A_DEFINITION = Caller("result", _as_it_is, "tool '{tool}' failed: {kind}: {error}")


async def call_on_record(
    ctx: RunContext, key: str, tool: Tool, arguments: dict[str, Any], call_id: str, caller: Caller
) -> Any:
    """What is kept of the tool's result.

    Raises:
        ToolError: it failed.
        CancelledError: the step was cancelled, also where the tool went on in spite of it.
        StoreError, FencedError: it was not called, for that could not be put on record.
    """
    if tool.effect == "effect":
        await ctx.journal.intend(key, "tool", {"tool": tool.name, "arguments": arguments})
    else:
        ctx.journal.send()  # what came before any call
    try:
        result = await tool.call(arguments, _tool_context(ctx, call_id, key))
        if ctx.being_cancelled():
            await _stop()
        kept = caller.keep(to_json_data(result, tool.name))
    except (Exception, asyncio.CancelledError) as error:
        cancelled = ctx.being_cancelled()
        if cancelled and isinstance(error, asyncio.CancelledError):
            if not ctx.halting:  # the run may go on without it
                _note(ctx, key, tool, error_data(ToolError(_NOT_NEEDED)))
            raise
        failed = caller.failed(tool.name, error)
        _note(ctx, key, tool, error_data(failed))
        if cancelled:
            await _stop()
        if failed is error:
            raise
        raise failed from error
    _note(ctx, key, tool, {caller.kept_as: kept})
    return kept


async def _stop() -> None:
    """Cancel a step whose tool has swallowed the cancellation."""
    await asyncio.sleep(0)  # where it is still on its way, it arrives here
    raise asyncio.CancelledError


def _note(ctx: RunContext, key: str, tool: Tool, outcome: dict[str, Any]) -> None:
    if tool.effect != "pure":
        ctx.journal.note(key, "tool", tool.effect, outcome)


def _tool_context(ctx: RunContext, call_id: str, key: str) -> ToolContext:
    """What a tool may know of this run."""
    trace, services = ctx.trace, ctx.services
    return ToolContext(
        trace.execution_id,
        trace.trace_id,
        trace.workspace_id,
        trace.agent_id,
        call_id,
        trace.session_id,
        trace.user_id,
        RunState(services.store, trace.workspace_id, trace.session_id or trace.execution_id),
        services.clock.now,
        f"{trace.execution_id}/{key}",
    )


# ------------------------------------------------------------------ on record


def recalled(record: dict[str, Any]) -> Any:
    """What the call came to, whoever has put it on record.

    Raises:
        ToolError: it failed.
    """
    error: Any = record.get("error")
    if error is not None:
        raise ToolError(error["message"], code=error.get("code"))
    return record["text"] if "text" in record else record.get("result")


def show_recalled(
    ctx: RunContext, parent: Span, name: str, key: str, arguments: dict[str, Any], record: dict[str, Any], passed: Any
) -> None:
    """Have a call in the trace whose outcome is on record, also where somebody has told it in place of its process.

    `passed` is what the guards have left of it.
    """
    span = ctx.open_span("tool", name, key, parent)
    span.attributes |= {"tool_name": name, "tool_type": "function", "parameters": arguments}
    span.input = arguments
    try:
        recalled(record)
        span.output = passed
    except ToolError as error:
        fail_span(span, error)
    ctx.close_span(span)
