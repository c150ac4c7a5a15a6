"""A tool called by an agent's definition rather than by a model: what goes wrong with it ends the step."""

from __future__ import annotations

from typing import Any

from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.tool import Tool
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guarding import guarded, restored
from promptrails_engine.run.labelling import guard_later
from promptrails_engine.run.parking import Parked
from promptrails_engine.run.recall import retell
from promptrails_engine.run.tool_dispatch import A_DEFINITION, call_on_record, recalled, show_recalled
from promptrails_engine.run.tool_events import SUMMARY_CHARS, cut_call, end_call, start_call
from promptrails_engine.run.tool_result import result_text


async def run_tool_step(ctx: RunContext, parent: Span, tool: Tool, arguments: dict[str, Any], key: str) -> Any:
    """The tool's result as JSON data.

    Raises:
        ToolError: it failed, or refused its arguments.
        BudgetExceededError: the run has no tool calls left.
    """
    if not ctx.on_record:
        await ctx.begin()
    ctx.count_tool_calls(1)
    key = f"{key}/tool"
    ids = ctx.services.ids
    call_id = "call_" + (ids.derived(ctx.row.id, key) if ctx.stays else ids.span())
    if ctx.guards.tool_arguments:
        arguments = await guarded(ctx, parent, ctx.guards.tool_arguments, arguments, f"{key}/guards/arguments")
    record = None if ctx.past is None else ctx.journal.recorded(key)
    if record is not None and retell(ctx, parent, key):
        return await _guarded_result(ctx, parent, recalled(record), key)
    start_call(ctx, call_id, tool.name)
    try:
        if record is not None:
            result = None if "error" in record else await _guarded_result(ctx, parent, recalled(record), key)
            show_recalled(ctx, parent, tool.name, key, arguments, record, result)
            recalled(record)
        else:
            result = await ctx.step("tool", tool.name, key, parent, _call, tool, arguments, call_id)
    except Parked:
        raise
    except Exception:
        end_call(ctx, call_id, tool.name, "failed")
        raise
    except BaseException:
        cut_call(ctx, call_id, tool.name)
        raise
    end_call(ctx, call_id, tool.name, result_text(result, SUMMARY_CHARS))
    return result


async def _call(ctx: RunContext, span: Span, tool: Tool, arguments: dict[str, Any], call_id: str) -> Any:
    attributes = span.attributes
    attributes["tool_name"] = tool.name
    attributes["tool_type"] = "function"
    attributes["parameters"] = span.input = arguments
    values = restored(ctx.labels.known, arguments) if ctx.labels.known else arguments
    result = await call_on_record(ctx, attributes["key"], tool, values, call_id, A_DEFINITION)
    span.output = await _guarded_result(ctx, span, result, attributes["key"])
    return span.output


async def _guarded_result(ctx: RunContext, parent: Span, result: Any, key: str) -> Any:
    if not ctx.guards.tool_results:
        return result
    return await guard_later(ctx, parent, "tool_results", result, key, f"{key}/guards/result")
