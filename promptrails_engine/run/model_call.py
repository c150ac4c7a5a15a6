"""One model call: journal, cache, budget, attempts, fallback model; each attempt is an `llm` span."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import partial

from promptrails_engine import run
from promptrails_engine.errors import EmptyOutputError, PromptRailsError
from promptrails_engine.ports.provider import Message, ModelRequest
from promptrails_engine.ports.sink import Span
from promptrails_engine.run import response_cache
from promptrails_engine.run.attempt import run_attempt
from promptrails_engine.run.binding import ModelBinding
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.failures import may_fall_back, may_retry
from promptrails_engine.run.fold import ModelReply
from promptrails_engine.run.plan import ModelStep
from promptrails_engine.run.recall import STOPPERS, dump_answer, dump_failure, recall_reply, retell, spent
from promptrails_engine.run.requests import build_request
from promptrails_engine.run.saying import say

_ATTEMPTS_PER_MODEL = 3
_AGAIN = "/again"


async def call_model(
    ctx: RunContext,
    parent: Span,
    step: ModelStep,
    messages: Sequence[Message],
    key: str,
    *,
    show: bool,
    offer_tools: bool,
) -> ModelReply:
    """The reply of the step's model, or of its fallback model; of a run that goes on, the one that is on record.

    `show` passes the text on to listeners as it comes.

    Raises:
        PromptRailsError: of the provider, after attempts and fallback; EmptyOutputError, BudgetExceededError.
    """
    journal = ctx.journal
    if ctx.past is not None and (record := journal.recorded(key)) is not None:
        retell(ctx, parent, key)
        reply = recall_reply(ctx, record)
        if show and ctx.resay_after is not None and record["seq"] > ctx.resay_after:
            await say(ctx, reply.text)
        return reply
    if journal.durable:
        journal.send()
    mark = len(ctx.spans)
    try:
        if step.fallback is None:
            reply = await _answered(ctx, parent, step, step.model, messages, key, show, offer_tools)
        else:
            reply = await _with_fallback(ctx, parent, step, step.fallback, messages, key, show, offer_tools)
    except PromptRailsError as error:
        if not isinstance(error, STOPPERS):
            journal.note(key, "llm", "idempotent", (error, spent(ctx, mark, key)), dump_failure)
        raise
    lost = spent(ctx, mark, key)[:-1] if len(ctx.spans) - mark > 1 else ()
    journal.note(key, "llm", "idempotent", (reply, lost, len(ctx.log.events)), dump_answer)
    return reply


async def _with_fallback(
    ctx: RunContext,
    parent: Span,
    step: ModelStep,
    fallback: ModelBinding,
    messages: Sequence[Message],
    key: str,
    show: bool,
    offer_tools: bool,
) -> ModelReply:
    mark = len(ctx.log.events)
    try:
        return await _answered(ctx, parent, step, step.model, messages, key, show, offer_tools)
    except PromptRailsError as error:
        if not may_fall_back(error, step.model, fallback) or not _unsaid(ctx, mark, show):
            raise
        return await _answered(ctx, parent, step, fallback, messages, f"{key}/fallback", show, offer_tools)


def _answered(
    ctx: RunContext,
    parent: Span,
    step: ModelStep,
    binding: ModelBinding,
    messages: Sequence[Message],
    key: str,
    show: bool,
    offer_tools: bool,
) -> Awaitable[ModelReply]:
    """The reply of one model."""
    request = build_request(step, binding, messages, offer_tools=offer_tools)
    reply = _cached if step.cache_timeout > 0 else _fresh
    return reply(ctx, parent, step, binding, request, key, show)


async def _fresh(
    ctx: RunContext, parent: Span, step: ModelStep, binding: ModelBinding, request: ModelRequest, key: str, show: bool
) -> ModelReply:
    """A reply that is not empty; an empty one is asked for once more."""
    mark = len(ctx.log.events)
    try:
        reply = await ctx.step("llm", binding.name, key, parent, run_attempt, step, binding, request, show)
    except PromptRailsError as error:
        if not may_retry(error):
            raise
        reply = await _retried(ctx, parent, step, binding, request, key, show, mark, error)
    if not reply.is_empty:
        return reply
    if key.endswith(_AGAIN):
        raise EmptyOutputError(f"model '{binding.name}' answered twice without text and without a tool call")
    return await _fresh(ctx, parent, step, binding, request, key + _AGAIN, show)


async def _retried(
    ctx: RunContext,
    parent: Span,
    step: ModelStep,
    binding: ModelBinding,
    request: ModelRequest,
    key: str,
    show: bool,
    mark: int,
    error: PromptRailsError,
) -> ModelReply:
    """The reply of another attempt, after the first failed with `error`; `mark` is where its events began."""

    async def again() -> ModelReply:
        return await ctx.step("llm", binding.name, f"{key}/retry", parent, run_attempt, step, binding, request, show)

    return await run.attempt_again(
        again,
        error,
        attempts=_ATTEMPTS_PER_MODEL - 1,
        restartable=partial(_unsaid, ctx, mark, show),
        excused=ctx.services.rate_limits.excuse(binding),
        random=ctx.services.random,
    )


def _unsaid(ctx: RunContext, mark: int, show: bool) -> bool:
    """Whether nobody has heard of an attempt that failed; what it said since `mark` is taken back.

    One that is not shown has said nothing: the events since then are those of steps that run beside it.
    """
    return not show or ctx.log.rewind(mark)


async def _cached(
    ctx: RunContext, parent: Span, step: ModelStep, binding: ModelBinding, request: ModelRequest, key: str, show: bool
) -> ModelReply:
    """The reply of an equal earlier call, if one is kept; else a new one, which is then kept."""
    services = ctx.services
    digest = response_cache.cache_key(binding.name, request)
    kept = await services.store.cache_get(services.workspace_id, digest, services.clock.now())
    if kept is not None:
        reply = response_cache.load_reply(kept, binding.name)
        await ctx.step("llm", binding.name, key, parent, _replay, reply, show)
        return reply
    reply = await _fresh(ctx, parent, step, binding, request, key, show)
    if reply.finish in ("stop", "tool_calls"):
        expires = services.clock.now() + step.cache_timeout
        await services.store.cache_put(services.workspace_id, digest, response_cache.dump_reply(reply), expires)
    return reply


async def _replay(ctx: RunContext, span: Span, reply: ModelReply, show: bool) -> None:
    span.model_name = reply.model_name
    span.output = {"content": reply.text}
    span.cost = 0.0
    span.attributes["cached"] = True
    ctx.count(None, 0.0)
    if show:
        await say(ctx, reply.text)
