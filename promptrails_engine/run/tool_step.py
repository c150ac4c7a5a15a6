"""A tool called by an agent's definition rather than by a model: what goes wrong with it ends the step."""

from __future__ import annotations

import asyncio
from typing import Any

from promptrails_engine.errors import ToolError
from promptrails_engine.events import ToolEndEvent, ToolStartEvent
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.tool import Tool
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.tool_calls import SUMMARY_CHARS, tool_context
from promptrails_engine.run.tool_result import result_text, to_json_data
from promptrails_engine.secrets import mask


async def run_tool_step(ctx: RunContext, parent: Span, tool: Tool, arguments: dict[str, Any], key: str) -> Any:
    """The tool's result as JSON data.

    Raises:
        ToolError: it failed, or refused its arguments.
        BudgetExceededError: the run has no tool calls left.
    """
    if not ctx.on_record:
        await ctx.begin()
    ctx.count_tool_calls(1)
    call_id = f"call_{ctx.services.ids.span()}"
    ctx.emit(ToolStartEvent(call_id, tool.name))
    summary = "failed"
    try:
        result = await ctx.step("tool", tool.name, f"{key}/tool", parent, _call, tool, arguments, call_id)
        summary = result_text(result, SUMMARY_CHARS)
        return result
    finally:
        ctx.emit(ToolEndEvent(call_id, tool.name, summary))


async def _call(ctx: RunContext, span: Span, tool: Tool, arguments: dict[str, Any], call_id: str) -> Any:
    attributes = span.attributes
    attributes["tool_name"] = tool.name
    attributes["tool_type"] = "function"
    attributes["parameters"] = span.input = arguments
    try:
        result = to_json_data(await tool.call(arguments, tool_context(ctx, call_id)), tool.name)
    except ToolError as error:
        error.message = mask(error.message)  # it may repeat whatever the tool was told
        raise
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and ctx.being_cancelled():
            raise
        raise ToolError(mask(f"tool '{tool.name}' failed: {type(error).__name__}: {error}")) from error
    span.output = result
    return result
