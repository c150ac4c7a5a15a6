"""Tool calls of one answer: run side by side, their results in the order of the calls.

Whatever goes wrong with a call becomes the result that the model sees; only the run's own end stops them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.errors import ToolDeniedError, ToolError, ToolUnknownError
from promptrails_engine.ports.provider import Message, ToolCall
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.tool import Tool
from promptrails_engine.run.approvals import decision, denial
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guarding import guarded, restored
from promptrails_engine.run.json_texts import json_in
from promptrails_engine.run.labelling import guard_later
from promptrails_engine.run.parking import Parked, all_parked
from promptrails_engine.run.plan import Plan, PromptStep, SubAgent
from promptrails_engine.run.recall import STOPPERS, retell
from promptrails_engine.run.side_by_side import side_by_side
from promptrails_engine.run.spans import fail_span
from promptrails_engine.run.sub_agents import delegate
from promptrails_engine.run.tool_dispatch import A_MODEL, call_on_record, recalled, show_recalled
from promptrails_engine.run.tool_events import cut_call, end_call, start_call
from promptrails_engine.run.tool_result import result_text
from promptrails_engine.schema import parse_arguments

_AT_ONCE = 8


async def run_calls(
    ctx: RunContext, parent: Span, step: PromptStep, calls: Sequence[ToolCall], said: Sequence[Message], key: str
) -> list[Message]:
    """One result message a call, in order; `said` is the conversation that sub-agents may be shown."""
    if len(calls) == 1:
        return [await _run_call(ctx, parent, step, calls[0], said, f"{key}/tool[0]")]
    slots = asyncio.Semaphore(_AT_ONCE)
    parked: list[Parked] = []
    failures: list[BaseException] = []
    results: dict[int, Message] = {}

    async def run(index: int, call: ToolCall) -> Message:
        async with slots:
            return await _run_call(ctx, parent, step, call, said, f"{key}/tool[{index}]")

    def ended(index: int, outcome: Message | BaseException) -> bool:
        if isinstance(outcome, Message):
            results[index] = outcome
        elif isinstance(outcome, Parked):  # the calls beside it go on to their end
            parked.append(outcome)
        else:  # a failing call is a result, so this is the end of the run itself
            failures.append(outcome)
        return bool(failures)

    await side_by_side([run(index, call) for index, call in enumerate(calls)], ended)
    if failures:
        raise failures[0]
    if parked:
        raise all_parked(parked)
    return [results[index] for index in range(len(calls))]


def refuse_calls(calls: Sequence[ToolCall], why: str) -> list[Message]:
    """The same error as result of every call; none is run."""
    return [Message("tool", _error_text(why), tool_call_id=call.id, name=call.name) for call in calls]


async def _run_call(
    ctx: RunContext, parent: Span, step: PromptStep, call: ToolCall, said: Sequence[Message], key: str
) -> Message:
    if ctx.guards.tool_arguments:
        call = await _guarded_call(ctx, parent, call, key)
    record = None if ctx.past is None else ctx.journal.recorded(key)
    if record is not None:
        text = _recalled(record)
        if ctx.guards.tool_results:
            text = await _guarded_result(ctx, parent, text, key)
        if retell(ctx, parent, key):
            return Message("tool", text, tool_call_id=call.id, name=call.name)
        start_call(ctx, call.id, call.name)
        show_recalled(ctx, parent, call.name, key, parse_arguments(call.arguments), record, text)
    else:
        refused = await refusal(ctx, step, call, key)
        start_call(ctx, call.id, call.name)
        try:
            text = await ctx.step("tool", call.name, key, parent, _call_tool, step, call, said, refused)
        except Parked:
            raise
        except BaseException:
            cut_call(ctx, call.id, call.name)
            raise
    end_call(ctx, call.id, call.name, text)
    return Message("tool", text, tool_call_id=call.id, name=call.name)


async def _guarded_call(ctx: RunContext, parent: Span, call: ToolCall, key: str) -> ToolCall:
    """The call with its arguments as the guards let them pass; one whose arguments cannot be read is refused later."""
    try:
        arguments = parse_arguments(call.arguments)
    except ToolError:
        return call
    passed = await guarded(ctx, parent, ctx.guards.tool_arguments, arguments, f"{key}/guards/arguments")
    return call if passed == arguments else ToolCall(call.id, call.name, compact_json(passed))


async def _guarded_result(ctx: RunContext, parent: Span, text: str, key: str) -> str:
    """What the model is told of a result, as the guards let it pass; JSON stays JSON."""
    data = json_in(text)
    if data is None:
        data = text
    passed = await guard_later(ctx, parent, "tool_results", data, key, f"{key}/guards/result")
    if passed == data:
        return text
    return passed if isinstance(passed, str) else compact_json(passed)


def _recalled(record: dict[str, Any]) -> str:
    """What the model is told of an outcome on record."""
    try:
        return result_text(recalled(record))
    except ToolError as error:
        return _error_text(error.message)


async def refusal(ctx: RunContext, step: PromptStep, call: ToolCall, key: str) -> str | None:
    """Why a call that needs approval may not be made; None where it was approved, or could not be made anyway.

    Raises:
        Parked: nobody has decided yet.
    """
    if call.name not in step.guarded:
        return None
    try:
        arguments = parse_arguments(call.arguments)
    except ToolError:
        return None
    called = step.sub_agents.get(call.name)
    if ctx.labels.known and called is None:  # who decides sees what the tool would be given
        arguments = restored(ctx.labels.known, arguments)
    payload = {"tool": call.name, "arguments": arguments, "call_id": call.id}
    decided = await decision(
        ctx, f"{key}/approval", call.name, payload, bound_to(ctx.plan, step.tools.get(call.name), called)
    )
    return None if decided.status == "approved" else denial(decided)


def bound_to(plan: Plan, tool: Tool | None, agent: SubAgent | None = None) -> dict[str, Any]:
    """What is approved with the arguments of a call: the versions that would be called."""
    bound: dict[str, Any] = {"agent_version_id": plan.version_id}
    if agent is not None:
        bound["sub_agent_version_id"] = agent.plan.version_id
    if tool is not None:
        bound["tool_schema"] = {"name": tool.name, "parameters": dict(tool.parameters)}
    return bound


async def _call_tool(
    ctx: RunContext, span: Span, step: PromptStep, call: ToolCall, said: Sequence[Message], refused: str | None
) -> str:
    """The text that the model sees; a failure is recorded on the span and becomes that text."""
    attributes = span.attributes
    attributes["tool_name"] = call.name
    called = step.tools.get(call.name, step.sub_agents.get(call.name))
    attributes["tool_type"] = "agent" if isinstance(called, SubAgent) else "function"
    try:
        if refused is not None:
            raise ToolDeniedError(refused)
        if called is None:
            there = ", ".join([*step.tools, *step.sub_agents])
            raise ToolUnknownError(f"there is no tool '{call.name}'; there are: {there}")
        arguments = parse_arguments(call.arguments)
        attributes["parameters"] = span.input = arguments
        if isinstance(called, SubAgent):
            text = await delegate(ctx, span, called, arguments, said)
        else:
            values = restored(ctx.labels.known, arguments) if ctx.labels.known else arguments
            text = await call_on_record(ctx, attributes["key"], called, values, call.id, A_MODEL)
    except STOPPERS:
        raise
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and ctx.being_cancelled():
            raise
        failed = A_MODEL.failed(call.name, error)
        fail_span(span, failed)
        text = _error_text(failed.message)
        if not ctx.guards.tool_results:
            return text
        passed = await _guarded_result(ctx, span, text, attributes["key"])
        if passed != text:
            span.error_message = passed
        return passed
    if ctx.guards.tool_results:
        text = await _guarded_result(ctx, span, text, attributes["key"])
    span.output = text
    return text


def _error_text(why: str) -> str:
    return compact_json({"error": why})
