"""How a run ends: with a result, an error or a stop; and how it stops for now, to go on elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any

from promptrails_engine.errors import (
    ApprovalRejectedError,
    FencedError,
    PromptRailsError,
    RunCancelledError,
    RunError,
)
from promptrails_engine.events import ApprovalRequiredEvent, DoneEvent, ErrorEvent, Event, TokenUsage
from promptrails_engine.ports.journal import ApprovalRow
from promptrails_engine.ports.store import ExecutionRow, ExecutionStatus
from promptrails_engine.run.abandon import abandon_below, cut_off
from promptrails_engine.run.approvals import asked_data
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.deadlines import take_back
from promptrails_engine.run.parking import LetGo, Parked
from promptrails_engine.run.pipeline import Strategy, run_pipeline
from promptrails_engine.run.prompt_step import StepOutput

_log = logging.getLogger(__name__)
_NO_USAGE = TokenUsage()
CANCEL_S = 5.0
"""What a run that was cancelled may take to put its end on record."""


async def conclude(ctx: RunContext, strategy: Strategy) -> ExecutionRow:
    """Run the pipeline, and put on record how it ended, or where it stopped for now.

    Raises:
        PromptRailsError: it cannot be run with this input, and nothing is on record; FencedError.
        CancelledError: the caller was cancelled.
        Parked: a child waits for decisions.
    """
    result: StepOutput | None = None
    failure: BaseException | None = None
    try:
        result = await run_pipeline(ctx, strategy)
    except (Exception, asyncio.CancelledError, Parked) as error:
        failure = error
    ctx.ending = True
    if ctx.parent is not None and failure is not None and ctx.parent.leaving:
        await _bounded(ctx.journal.flush())
        raise LetGo if isinstance(failure, Parked) else failure  # it goes on with the one that started it
    if ctx.interrupts or ctx.deadline is not None or isinstance(failure, asyncio.CancelledError):
        failure = await _stopped(ctx, failure)
        result = result if failure is None else None
    if isinstance(failure, asyncio.CancelledError):
        why = "the caller was cancelled" if ctx.parent is None else "the execution that started it was stopped"
        with suppress(FencedError):  # the caller wants to hear of its own cancellation
            await _bounded(_finish(ctx, None, RunCancelledError(why)))
        raise failure
    if failure is not None and not ctx.begun:
        if ctx.parent is None or not ctx.parent.begun:
            raise ctx.stopped() if isinstance(failure, Parked) else failure
        ctx.begin_late()
    if failure is None and not ctx.lost:
        return await _finish(ctx, result, None)
    return await _end(ctx, failure)


async def _end(ctx: RunContext, failure: BaseException | None) -> ExecutionRow:
    if isinstance(failure, FencedError) or ctx.lost:
        raise failure if isinstance(failure, FencedError) else ctx.stopped()
    if isinstance(failure, Parked) and ctx.ends_early:
        failure = ctx.stopped()
    if isinstance(failure, Parked) and not isinstance(failure, LetGo):
        return await _park(ctx, failure)
    if isinstance(failure, LetGo) or (
        isinstance(failure, RunCancelledError) and ctx.letting_go and not ctx.cancel_requested
    ):
        await _suspend(ctx, "pending")
        return ctx.row
    if failure is not None and not isinstance(failure, PromptRailsError):
        _log.error("a fault in the engine ended execution %s", ctx.row.id, exc_info=failure)
    return await _finish(ctx, None, failure)


# ------------------------------------------------------------------ for now


async def _park(ctx: RunContext, parked: Parked) -> ExecutionRow:
    """Put on record what the run waits for; a child takes the one that started it along.

    Raises:
        Parked: it is a child.
    """
    told = {event.approval_id for event in ctx.log.events if isinstance(event, ApprovalRequiredEvent)}
    for request in parked.requests:
        if request.id not in told:
            ctx.log.append(
                ApprovalRequiredEvent(request.id, request.checkpoint_name, request.payload, request.expires_at)
            )
    own = [request for request in parked.requests if request.execution_id == ctx.row.id]
    await _suspend(ctx, "awaiting_approval", own)
    for request in own:
        if request.id not in told:
            ctx.services.hooks.fire("execution.awaiting_approval", asked_data(request))
    if ctx.parent is not None:
        raise parked
    return ctx.row


async def _suspend(ctx: RunContext, status: ExecutionStatus, approvals: Sequence[ApprovalRow] = ()) -> None:
    """Let go of a run; its row says what it then waits for.

    Raises:
        FencedError: somebody else runs it by now.
    """
    row = ctx.row
    _total(ctx, row)
    row.status = status
    journal = ctx.journal
    await journal.settle()
    seq = len(ctx.log.events)
    journal.note(f"pause[{seq}]", "pause", "pure", {"seq": seq})
    events = ctx.log.events[ctx.log.stored :]
    spans = ctx.spans[ctx.spans_stored :]
    work = ctx.services.store.suspend_execution(row, journal.pending, spans, events, approvals)
    row.status = await _completed(work)
    row.owner = None


async def _completed(work: Awaitable[str]) -> Any:
    """What it returns, also where the task is cancelled meanwhile: half of it would be worse."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=CANCEL_S)
        raise


# ------------------------------------------------------------------ for good


async def _finish(ctx: RunContext, result: StepOutput | None, error: BaseException | None) -> ExecutionRow:
    """Commit the terminal state, then tell listeners and sinks."""
    row = ctx.row
    if not ctx.begun:
        return row
    if ctx.left:
        cut_off(ctx)
    if ctx.waiting or (ctx.past is not None and "agents" in ctx.plan.version_lock):
        await abandon_below(ctx)
    row.completed_at = ctx.now()
    row.duration_ms = round((row.completed_at - row.created_at) * 1000)
    usage = _total(ctx, row)
    last: Event
    if result is not None:
        row.status = "completed"
        row.output = result.output
        last = DoneEvent(result.output, usage)
    else:
        row.status = _status(error)
        row.error = error.message if isinstance(error, PromptRailsError) else f"{type(error).__name__}: {error}"
        row.error_code = error.code if isinstance(error, PromptRailsError) else "internal"
        last = ErrorEvent(row.error, row.error_code)
    log = ctx.log
    last.seq = len(log.events) + 1
    try:
        await _store_end(ctx, last)
    except asyncio.CancelledError:
        # The caller gives up while the end is being written; a second end changes nothing, none would lose it.
        await _bounded(_store_end(ctx, last))
        log.append(last)
        raise
    if ctx.lease is not None:  # else nobody can have taken over
        await ctx.lease.check(row, ctx.lapses)
    log.append(last)
    ctx.services.sinks.publish(ctx.spans)
    return row


def _status(error: BaseException | None) -> ExecutionStatus:
    if isinstance(error, RunCancelledError):
        return "cancelled"
    return "rejected" if isinstance(error, ApprovalRejectedError) else "failed"


def _total(ctx: RunContext, row: ExecutionRow) -> TokenUsage:
    usage = ctx.usage or _NO_USAGE
    row.token_usage = usage.to_dict()
    row.cost_known = ctx.cost_known
    row.cost = None if ctx.cost_unknown else ctx.cost_known
    row.truncated = ctx.truncated
    return usage


async def _store_end(ctx: RunContext, last: Event) -> None:
    journal = ctx.journal
    if journal.flights:
        await journal.settle()  # what is being written comes first
    pending = [*ctx.log.events[ctx.log.stored :], last]
    await ctx.services.store.finish_execution(ctx.row, ctx.spans[ctx.spans_stored :], pending, journal.pending)


async def _stopped(ctx: RunContext, failure: BaseException | None) -> BaseException | None:
    """What really ended the run, once the engine's own cancellations of its task are taken back."""
    late = ctx.deadline is not None and ctx.deadline.expired
    delivered = isinstance(failure, asyncio.CancelledError)
    if ctx.task is None:
        return failure
    if ctx.deadline is not None:
        ctx.deadlines.stop(ctx.deadline)
    alone = await take_back(ctx.task, ctx.interrupts + late, ctx.baseline, delivered=delivered)
    if not alone:
        return failure if delivered else asyncio.CancelledError()
    if ctx.interrupts or late:
        return ctx.stopped()  # whatever else it came to: somebody may have swallowed the cancellation
    return RunError("something in the run raised CancelledError, which nobody had asked for") if delivered else failure


async def _bounded(work: Awaitable[Any]) -> None:
    """Let clean-up finish although the task is cancelled, for five seconds at most."""
    task = asyncio.ensure_future(asyncio.wait_for(work, timeout=CANCEL_S))
    task.add_done_callback(_heard)
    try:
        await asyncio.shield(task)
    except TimeoutError:
        _log.warning("a cancelled run could not be put on record within 5 s")


def _heard(task: asyncio.Task[Any]) -> None:
    """Let an error be known: who waited may have been cancelled meanwhile, and hears of that."""
    if not task.cancelled():
        task.exception()
