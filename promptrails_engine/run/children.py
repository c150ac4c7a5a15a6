"""Child executions: runs that a run starts in its own task, within its limits and below its spans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import BudgetExceededError, ChildFailedError
from promptrails_engine.ports.provider import Message
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.run.context import Birth, RunContext, trace_of
from promptrails_engine.run.plan import Plan


async def run_child(
    ctx: RunContext,
    span: Span,
    plan: Plan,
    data: dict[str, Any],
    *,
    relay: bool = False,
    window: Sequence[Message] = (),
) -> ExecutionRow:
    """The completed execution of `plan`, with JSON data of its own as input; `span` is the step that starts it.

    `relay` says that its answer is that of the run: it goes to the listeners as it comes.  Its prompts see the messages
    of `window` before their own words.

    Raises:
        ChildFailedError: it did not complete.
        BudgetExceededError: the run may not start it.
        InputInvalidError, TemplateError: it cannot be run with this input, and nothing is on record yet.
    """
    refused = _refused(ctx, plan)
    if refused is not None:
        if not ctx.on_record:
            await ctx.begin()  # a run that its limits have stopped is on record
        raise refused
    for above in ctx.lineage():
        above.children += 1
    child = _context(ctx, plan, data, Birth(ctx, span, relay, window))
    span.attributes["child_execution_id"] = child.row.id
    row = await ctx.drive(child)
    if row.status != "completed":
        raise _failed(plan, row)
    return row


def _refused(ctx: RunContext, plan: Plan) -> BudgetExceededError | None:
    """Why the limits of the run, or of one above it, allow no more children, or none so deep; None where they do."""
    for depth, above in enumerate(ctx.lineage(), start=1):
        limits = above.limits
        if limits.max_depth is not None and depth > limits.max_depth:
            path = [plan.agent_name, *(run.plan.agent_name for run in ctx.lineage())]
            return BudgetExceededError(
                f"{above.called} may have {limits.max_depth} levels of child executions below it, and this would be "
                f"one more: {' -> '.join(reversed(path))}; raise max_depth"
            )
        if limits.max_children is not None and above.children >= limits.max_children:
            return BudgetExceededError(
                f"{above.called} may have {limits.max_children} child executions, and agent '{plan.agent_name}' would "
                "be one more; raise max_children"
            )
    return None


def _context(ctx: RunContext, plan: Plan, data: dict[str, Any], birth: Birth) -> RunContext:
    services, above = ctx.services, ctx.row
    now = ctx.now()
    row = ExecutionRow(
        services.ids.record(),
        services.workspace_id,
        plan.agent_id,
        plan.version_id,
        above.trace_id,
        "pending",
        data,
        plan.version_lock,
        now,
        above.user_id,
        above.session_id,
        started_at=now,
        parent_execution_id=above.id,
        root_execution_id=above.root_execution_id or above.id,
    )
    return RunContext(
        plan,
        row,
        trace_of(row, plan, ctx.trace.ambient),
        services,
        _limits(ctx, plan),
        ctx.deadlines,
        ctx.drive,
        detached=ctx.detached,
        asked=ctx.asked,
        birth=birth,
    )


def _limits(ctx: RunContext, plan: Plan) -> Limits:
    """What the caller said of each call, then what the agent says of its runs, then what the engine says of each call.

    Sums and the time of the whole are limited by the runs above.
    """
    own = plan.budget.over(plan.limits.each_call())
    return own if ctx.asked is None else ctx.asked.each_call().over(own)


def _failed(plan: Plan, row: ExecutionRow) -> ChildFailedError:
    cancelled = row.status == "cancelled"
    details = {"execution_id": row.id, "agent_id": plan.agent_id, "status": row.status}
    return ChildFailedError(
        f"agent '{plan.agent_name}' {'was cancelled' if cancelled else 'failed'} (execution {row.id}): {row.error}",
        code="child_cancelled" if cancelled else row.error_code or None,
        details=details,
    )
