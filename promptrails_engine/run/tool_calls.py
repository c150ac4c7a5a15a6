"""Tool calls of one answer: run side by side, their results in the order of the calls.

Whatever goes wrong with a call becomes the result that the model sees; only the run's own end stops them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.errors import ToolError, ToolUnknownError
from promptrails_engine.events import ToolEndEvent, ToolStartEvent
from promptrails_engine.ports.provider import Message, ToolCall
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.tool import ToolContext
from promptrails_engine.run.context import RunContext, fail_span
from promptrails_engine.run.plan import PromptStep, SubAgent
from promptrails_engine.run.sub_agents import delegate
from promptrails_engine.run.tool_result import result_text, to_json_data
from promptrails_engine.run.tool_state import RunState
from promptrails_engine.schema import parse_arguments
from promptrails_engine.secrets import mask

_AT_ONCE = 8
SUMMARY_CHARS = 200
"""Of a result in the event that ends its call."""


async def run_calls(
    ctx: RunContext, parent: Span, step: PromptStep, calls: Sequence[ToolCall], said: Sequence[Message], key: str
) -> list[Message]:
    """One result message a call, in order; `said` is the conversation that sub-agents may be shown."""
    if len(calls) == 1:
        return [await _run_call(ctx, parent, step, calls[0], said, f"{key}/tool[0]")]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def run(index: int, call: ToolCall) -> Message:
        async with slots:
            return await _run_call(ctx, parent, step, call, said, f"{key}/tool[{index}]")

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(index, call)) for index, call in enumerate(calls)]
    except BaseExceptionGroup as failures:
        # A failing call is a result, so this is the end of the run itself, and one of its reasons is enough.
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def refuse_calls(calls: Sequence[ToolCall], why: str) -> list[Message]:
    """The same error as result of every call; none is run."""
    return [Message("tool", _error_text(why), tool_call_id=call.id, name=call.name) for call in calls]


async def _run_call(
    ctx: RunContext, parent: Span, step: PromptStep, call: ToolCall, said: Sequence[Message], key: str
) -> Message:
    ctx.emit(ToolStartEvent(call.id, call.name))
    try:
        text = await ctx.step("tool", call.name, key, parent, _call_tool, step, call, said)
    except BaseException:  # the run may go on without this branch, and its listeners wait for an end
        ctx.emit(ToolEndEvent(call.id, call.name, "cancelled"))
        raise
    summary = text if len(text) <= SUMMARY_CHARS else text[: SUMMARY_CHARS - 1] + "…"
    ctx.emit(ToolEndEvent(call.id, call.name, summary))
    return Message("tool", text, tool_call_id=call.id, name=call.name)


async def _call_tool(ctx: RunContext, span: Span, step: PromptStep, call: ToolCall, said: Sequence[Message]) -> str:
    """The text that the model sees; a failure is recorded on the span and becomes that text."""
    attributes = span.attributes
    attributes["tool_name"] = call.name
    called = step.tools.get(call.name, step.sub_agents.get(call.name))
    attributes["tool_type"] = "agent" if isinstance(called, SubAgent) else "function"
    try:
        if called is None:
            there = ", ".join([*step.tools, *step.sub_agents])
            raise ToolUnknownError(f"there is no tool '{call.name}'; there are: {there}")
        arguments = parse_arguments(call.arguments)
        attributes["parameters"] = span.input = arguments
        if isinstance(called, SubAgent):
            text = await delegate(ctx, span, called, arguments, said)
        else:
            result = await called.call(arguments, tool_context(ctx, call.id))
            if ctx.being_cancelled():
                await asyncio.sleep(0)  # where it is still on its way, it arrives here
                raise asyncio.CancelledError  # once more, for the tool has swallowed the one that it got
            text = result_text(to_json_data(result, call.name))
    except ToolError as error:
        error.message = mask(error.message)  # it may repeat whatever the tool was told
        fail_span(span, error)
        return _error_text(error.message)
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and ctx.being_cancelled():
            raise
        failed = ToolError(mask(f"{type(error).__name__}: {error}"))
        fail_span(span, failed)
        return _error_text(failed.message)
    span.output = text
    return text


def tool_context(ctx: RunContext, call_id: str) -> ToolContext:
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
    )


def _error_text(why: str) -> str:
    return compact_json({"error": why})
