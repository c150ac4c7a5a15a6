"""One attempt at a model: the provider's stream folded under deadlines, its text passed on, its cost counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from types import AsyncGeneratorType
from typing import Any

from promptrails_engine.errors import (
    ContentFilteredError,
    PromptRailsError,
    ProviderTimeoutError,
    RefusedError,
    ResponseTooLargeError,
)
from promptrails_engine.events import ContentEvent, ThinkingEvent
from promptrails_engine.ports.provider import Delta, ModelRequest, RateLimitDelta, TextDelta, ThinkingDelta, UsageDelta
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.binding import ModelBinding
from promptrails_engine.run.budget import Reservation
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.deadlines import Deadline, take_back
from promptrails_engine.run.emulation import read_emulated
from promptrails_engine.run.failures import foreign
from promptrails_engine.run.fold import Fold, ModelReply
from promptrails_engine.run.plan import ModelStep
from promptrails_engine.run.rate_gate import Gate, Ticket
from promptrails_engine.run.saying import Saying
from promptrails_engine.secrets import mask

_FIRST_TOKEN_S, _IDLE_S, _CALL_S = 60.0, 30.0, 300.0
_ANSWER_CHARS = 16 * 1024 * 1024


async def run_attempt(
    ctx: RunContext, span: Span, step: ModelStep, binding: ModelBinding, request: ModelRequest, show: bool
) -> ModelReply:
    """The model's reply.

    Raises:
        PromptRailsError: of the provider; ProviderTimeoutError, ResponseTooLargeError, ContentFilteredError,
            RefusedError, BudgetExceededError.
    """
    reservation = None
    if ctx.budget is not None:
        request = replace(request)  # the budget may give it a max_tokens, which is not the next attempt's
        reservation = await ctx.budget.reserve(request, binding.ceiling, binding.capabilities.max_output_tokens)
    _describe(span, binding, request)
    gate = ctx.services.rate_limits.gate(binding)
    fold = Fold() if gate is None else Fold(await _let_through(ctx, span, gate, request, reservation))
    saying = Saying(ctx) if show and ctx.is_filtered else None
    try:
        await _receive(ctx, span, step, binding, request, fold, saying if saying is not None else show)
        reply = fold.reply(binding.name)
    except BaseException as error:
        ctx.services.rate_limits.failed(binding, fold.ticket, fold.usage, error)
        _settle(ctx, span, binding, fold, reservation, refused=isinstance(error, PromptRailsError))
        raise
    if fold.ticket is not None:
        fold.ticket.settle(fold.usage)
    reply.cost = _settle(ctx, span, binding, fold, reservation, refused=False)
    span.output = _output(reply)
    if reply.refusal:
        raise RefusedError(f"model '{binding.name}' declined to answer: {mask(reply.refusal[:500])}")
    if reply.finish == "content_filter":
        raise ContentFilteredError(f"the provider of '{binding.name}' stopped the answer with its content filter")
    if saying is not None:
        await saying.end()
    return reply


async def _let_through(
    ctx: RunContext, span: Span, gate: Gate, request: ModelRequest, reservation: Reservation | None
) -> Ticket:
    """Wait for the call's turn; no deadline of the call counts until then, that of the run does."""
    begun = ctx.deadlines.now()
    try:
        return await gate.enter(ctx.plan.agent_id, request)
    except BaseException:
        if reservation is not None and ctx.budget is not None:
            ctx.budget.release(reservation)
        raise
    finally:
        waited = round((ctx.deadlines.now() - begun) * 1000)
        if waited:
            span.attributes["rate_limit_wait_ms"] = waited


async def _receive(
    ctx: RunContext,
    span: Span,
    step: ModelStep,
    binding: ModelBinding,
    request: ModelRequest,
    fold: Fold,
    show: Saying | bool,
) -> None:
    """Receive the provider's stream into the fold, under the deadlines."""
    limits, deadlines = ctx.limits, ctx.deadlines
    request.connect_timeout_s = limits.connect_s or request.connect_timeout_s
    now = deadlines.now()
    end = now + (limits.call_s or _CALL_S)
    deadline = deadlines.start(now, limits.first_token_s or _FIRST_TOKEN_S, end)
    failure: BaseException | None = None
    stream: AsyncIterator[Delta] | None = None
    try:
        stream = binding.provider.stream(request)
        if step.specs and binding.capabilities.tools != "native":
            stream = read_emulated(stream, f"call_{ctx.services.ids.span()}")
        await _drain(ctx, span, stream, fold, deadline, show)
    except (Exception, asyncio.CancelledError) as error:
        failure = error
    deadlines.stop(deadline)
    cancelled = deadline.task.cancelling() > deadline.baseline
    if failure is None and not deadline.expired and not cancelled and isinstance(stream, AsyncGeneratorType):
        return  # a generator that has come to its end is closed
    try:
        # Where nothing failed and yet somebody has cancelled the task, the adapter has swallowed that.
        if failure is not None or deadline.expired or cancelled:
            await _judge(deadline, failure, binding, span, late=deadlines.now() >= end)
    finally:
        if stream is not None:
            await _close(stream)


async def _judge(
    deadline: Deadline, failure: BaseException | None, binding: ModelBinding, span: Span, *, late: bool
) -> None:
    """Raise what the call came to, where it came to no answer.

    A CancelledError has one of three origins: the deadline, somebody who cancels the run, or the adapter itself, whose
    fault it then is.
    """
    delivered = isinstance(failure, asyncio.CancelledError)
    alone = await take_back(deadline.task, int(deadline.expired), deadline.baseline, delivered=delivered)
    if not alone:
        if not delivered:
            await asyncio.sleep(0)  # it is on its way still, or the adapter has swallowed it
        raise failure if isinstance(failure, asyncio.CancelledError) else asyncio.CancelledError
    if delivered and deadline.expired:
        raise _timeout(binding, span, late=late) from None
    if isinstance(failure, PromptRailsError):
        raise failure
    if failure is not None:
        raise foreign(failure, binding) from failure


async def _drain(
    ctx: RunContext, span: Span, stream: AsyncIterator[Delta], fold: Fold, deadline: Deadline, show: Saying | bool
) -> None:
    clock = ctx.deadlines.now
    cancelling, baseline = deadline.task.cancelling, deadline.baseline
    most = ctx.limits.max_answer_chars or _ANSWER_CHARS
    at_once = show is True
    async for delta in stream:
        if not _take(ctx, fold, delta, at_once):
            continue  # it carried nothing, and so keeps nothing alive
        if isinstance(show, Saying) and type(delta) is TextDelta:
            await show.say(delta.text)
        if span.completion_start_time is None:
            span.completion_start_time = ctx.now()
            if fold.ticket is not None:
                fold.ticket.accepted()
            ctx.deadlines.rearm(deadline, ctx.limits.idle_s or _IDLE_S)
        else:
            deadline.touched = clock()
        if cancelling() > baseline:
            await asyncio.sleep(0)  # where it is still on its way, it arrives here
            raise asyncio.CancelledError  # once more, for the adapter has swallowed the one that it got
        if fold.size > most:
            raise ResponseTooLargeError(
                f"the answer of '{span.model_name}' passed {most} characters and was cut off; "
                "raise Limits(max_answer_chars=...) if it may be that long"
            )


def _take(ctx: RunContext, fold: Fold, delta: Delta, show: bool) -> bool:
    """Fold a delta in and pass it on; whether it carried anything."""
    if type(delta) is TextDelta:
        text = delta.text
        if not text:
            return False
        fold.text(text)
        if show:
            ctx.emit(ContentEvent(text))
        return True
    fold.add(delta)
    if isinstance(delta, UsageDelta | RateLimitDelta):
        return False
    if isinstance(delta, ThinkingDelta) and show:
        ctx.emit(ThinkingEvent(delta.text))
    return True


def _timeout(binding: ModelBinding, span: Span, *, late: bool) -> ProviderTimeoutError:
    phase = "total" if late else "first" if span.completion_start_time is None else "idle"
    limit = {"total": "call_s", "first": "first_token_s", "idle": "idle_s"}[phase]
    return ProviderTimeoutError(
        f"the call of '{binding.name}' passed its deadline '{phase}'; raise it with Limits({limit}=...) "
        "if the model is that slow",
        phase=phase,
    )


async def _close(stream: AsyncIterator[Delta]) -> None:
    aclose: Any = getattr(stream, "aclose", None)
    if aclose is not None:
        await aclose()


def _settle(
    ctx: RunContext, span: Span, binding: ModelBinding, fold: Fold, reservation: Reservation | None, *, refused: bool
) -> float | None:
    """Count the tokens and the cost of the attempt; USD, None where unknown, as if it was cancelled under way."""
    usage = fold.usage
    if refused and usage is None and fold.size == 0:
        # Refused before anything was said: nothing to count, as far as anyone can tell.
        if reservation is not None and ctx.budget is not None:
            ctx.budget.release(reservation)
        return None
    cost = None if usage is None or binding.ceiling is None else ctx.services.models.cost(usage, binding.name)
    if reservation is not None and ctx.budget is not None:
        ctx.budget.settle(reservation, usage, cost)
    ctx.count(usage, cost)
    span.cost = cost
    if usage is not None:
        span.prompt_tokens = usage.prompt_tokens
        span.completion_tokens = usage.completion_tokens
        span.total_tokens = usage.total_tokens
    return cost


def _describe(span: Span, binding: ModelBinding, request: ModelRequest) -> None:
    span.model_name = binding.name
    # The request is not changed once it is sent, so the span may refer to its messages as they are.
    span.input = request.messages
    attributes = span.attributes
    attributes["model"] = binding.model
    attributes["provider"] = binding.provider.name
    attributes["temperature"] = request.temperature
    attributes["max_tokens"] = request.max_tokens


def _output(reply: ModelReply) -> dict[str, Any]:
    output: dict[str, Any] = {"content": reply.text}
    if reply.tool_calls:
        output["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in reply.tool_calls
        ]
    if reply.refusal:
        output["refusal"] = reply.refusal
    output["finish_reason"] = reply.finish
    return output
