"""Agents that a model calls as tools: asked for a result, or given the run to finish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.errors import (
    InputInvalidError,
    RunError,
    ToolArgsInvalidError,
    ToolDeniedError,
    ToolError,
    ValidationError,
)
from promptrails_engine.ports.provider import Message, ToolCall
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.results import output_text
from promptrails_engine.run.children import run_child
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.fold import ModelReply
from promptrails_engine.run.plan import PromptStep, SubAgent
from promptrails_engine.run.recall import STOPPERS
from promptrails_engine.run.spans import fail_span
from promptrails_engine.run.tool_events import end_call, start_call
from promptrails_engine.run.tool_result import result_text
from promptrails_engine.schema import check_input, parse_arguments


async def delegate(
    ctx: RunContext, span: Span, sub: SubAgent, arguments: dict[str, Any], said: Sequence[Message]
) -> str:
    """The agent's answer as the result of the call; `said` is the conversation of the one who asks.

    Raises:
        ToolError: the arguments are wrong, it may not run, or it failed: the model is told.
    """
    data = _checked(sub, arguments)
    try:
        row = await run_child(ctx, span, sub.plan, data, window=_window(sub, said))
    except STOPPERS:
        raise
    except (RunError, ValidationError) as error:
        raise ToolError(error.message) from error
    return result_text(output_text(row.output))


def taking_over(step: PromptStep, calls: Sequence[ToolCall]) -> SubAgent | None:
    """The agent to which these calls hand the run over."""
    for call in calls:
        sub = step.sub_agents.get(call.name)
        if sub is not None and sub.takes_over:
            return sub
    return None


async def hand_over(
    ctx: RunContext,
    parent: Span,
    sub: SubAgent,
    call: ToolCall,
    said: Sequence[Message],
    key: str,
    refused: str | None,
) -> ModelReply | Message:
    """The answer of the agent that takes over; a message for the model where its arguments are wrong, or where the call
    was `refused`.

    Raises:
        ChildFailedError: the agent failed.
        BudgetExceededError: the run may not start it.
    """
    start_call(ctx, call.id, call.name)
    try:
        data = _checked(sub, parse_arguments(call.arguments))
    except ToolArgsInvalidError as error:
        return await ctx.step("tool", call.name, key, parent, _refuse, call, error)
    if refused is not None:
        return await ctx.step("tool", call.name, key, parent, _refuse, call, ToolDeniedError(refused))
    end_call(ctx, call.id, call.name, f"handed over to agent '{sub.plan.agent_name}'")
    row = await ctx.step("tool", call.name, key, parent, _take_over, sub, data, _window(sub, said))
    ctx.truncated = ctx.truncated or row.truncated
    return ModelReply(output_text(row.output), output=row.output or {})


async def _take_over(
    ctx: RunContext, span: Span, sub: SubAgent, data: dict[str, Any], window: Sequence[Message]
) -> ExecutionRow:
    _describe(span, sub.spec.name)
    span.attributes["parameters"] = span.input = data
    row = await run_child(ctx, span, sub.plan, data, relay=True, window=window)
    span.output = row.output
    return row


async def _refuse(ctx: RunContext, span: Span, call: ToolCall, error: ToolError) -> Message:
    _describe(span, call.name)
    fail_span(span, error)
    text = compact_json({"error": error.message})
    end_call(ctx, call.id, call.name, text)
    return Message("tool", text, tool_call_id=call.id, name=call.name)


def _describe(span: Span, name: str) -> None:
    span.attributes["tool_name"] = name
    span.attributes["tool_type"] = "agent"


def _checked(sub: SubAgent, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return check_input(sub.validator, arguments, what=f"the arguments of '{sub.spec.name}'")
    except InputInvalidError as error:
        raise ToolArgsInvalidError(error.message) from None


def _window(sub: SubAgent, said: Sequence[Message]) -> Sequence[Message]:
    """What of the conversation the agent sees: the words of both sides, without system prompt and tools."""
    if not sub.sees_window:
        return ()
    return [
        Message(message.role, message.content)
        for message in said
        if message.role in ("user", "assistant") and message.content.strip()
    ]
