"""Model and tools in turns, until the model answers."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from promptrails_engine.errors import OutputTruncatedError, ToolLoopError
from promptrails_engine.ports.provider import Message, ToolCall
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.fold import ModelReply
from promptrails_engine.run.model_call import call_model
from promptrails_engine.run.plan import PromptStep
from promptrails_engine.run.sub_agents import hand_over, taking_over
from promptrails_engine.run.tool_calls import refusal, refuse_calls, run_calls

_ROUNDS, _REPEATS = 25, 3


def answer(
    ctx: RunContext, parent: Span, step: PromptStep, messages: Sequence[Message], key: str, *, show: bool
) -> Awaitable[ModelReply]:
    """The model's final reply: tools are run and their results given back until it asks for none.

    In the last round the tools are withheld, so that the model has to answer.

    Raises:
        PromptRailsError: of the model call; ToolLoopError, BudgetExceededError, OutputTruncatedError.
    """
    if not step.specs:
        return call_model(ctx, parent, step, messages, f"{key}/llm[0]", show=show, offer_tools=False)
    return _rounds(ctx, parent, step, messages, key, show)


async def _rounds(
    ctx: RunContext, parent: Span, step: PromptStep, messages: Sequence[Message], key: str, show: bool
) -> ModelReply:
    rounds = ctx.limits.max_rounds or _ROUNDS
    seen: dict[tuple[str, str], int] = {}
    cut = False
    for number in range(rounds):
        last = number == rounds - 1
        reply = await call_model(ctx, parent, step, messages, f"{key}/llm[{number}]", show=show, offer_tools=not last)
        if not reply.tool_calls:
            return reply
        if last:
            break
        if reply.finish == "length":
            if cut:
                raise OutputTruncatedError(
                    f"model '{reply.model_name}' ran into its token limit twice in the middle of a tool call; "
                    "raise max_tokens"
                )
            cut = True  # no call of a cut answer is run, even one that parses: ask once more
            continue
        _count(ctx, seen, reply.tool_calls)
        said = [*messages, Message("assistant", reply.text)] if step.sub_agents else ()
        over = taking_over(step, reply.tool_calls) if said else None
        if over is not None and len(reply.tool_calls) == 1:
            place = f"{key}/llm[{number}]/tool[0]"
            why_not = await refusal(ctx, step, reply.tool_calls[0], place)
            outcome = await hand_over(ctx, parent, over, reply.tool_calls[0], said, place, why_not)
            if isinstance(outcome, ModelReply):
                return outcome
            results = [outcome]
        elif over is not None:
            results = refuse_calls(reply.tool_calls, f"'{over.spec.name}' takes over; none was run. Call it alone.")
        else:
            refused = _refused(ctx, reply.tool_calls)
            results = refused or await run_calls(ctx, parent, step, reply.tool_calls, said, f"{key}/llm[{number}]")
        asked = Message("assistant", reply.text, tool_calls=reply.tool_calls, thinking=reply.thinking)
        messages = [*messages, asked, *results]
    raise ToolLoopError(
        f"model '{step.model.name}' still asked for tools after {rounds} rounds; raise Limits(max_rounds=...) "
        "or tell it in the prompt when to stop"
    )


def _refused(ctx: RunContext, calls: Sequence[ToolCall]) -> list[Message] | None:
    """The results of an answer none of whose calls is to be run; None for one that is all right."""
    if len(calls) == 1:
        return None
    ids = {call.id for call in calls}
    if len(ids) != len(calls):
        return refuse_calls(calls, "two calls of one answer share an id; none was run. Ask again with one call.")
    most = ctx.limits.max_parallel_calls or 32
    if len(calls) > most:
        return refuse_calls(calls, f"{len(calls)} calls in one answer; none was run. Ask for {most} at most.")
    return None


def _count(ctx: RunContext, seen: dict[tuple[str, str], int], calls: Sequence[ToolCall]) -> None:
    """Hold the calls against the limits of the run.

    Raises:
        BudgetExceededError: the run has no tool calls left.
        ToolLoopError: one call is repeated too often.
    """
    ctx.count_tool_calls(len(calls))
    repeats = ctx.limits.max_repeated_calls or _REPEATS
    for call in calls:
        same = (call.name, call.arguments)
        seen[same] = seen.get(same, 0) + 1
        if seen[same] > repeats:
            raise ToolLoopError(f"the model called '{call.name}' with the same arguments more than {repeats} times")
