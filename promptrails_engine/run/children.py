"""Child executions: runs that a run starts in its own task, within its limits and below its spans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import BudgetExceededError, ChildFailedError
from promptrails_engine.events import ContentEvent, TokenUsage
from promptrails_engine.ports.provider import Message
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import EXECUTION_TERMINAL, ExecutionRow
from promptrails_engine.results import output_text
from promptrails_engine.run.context import Birth, RunContext
from promptrails_engine.run.past import Past, load_past
from promptrails_engine.run.plan import Plan
from promptrails_engine.run.recall import count_again
from promptrails_engine.run.spans import trace_of


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

    `relay` says that its answer is that of the run: it goes to the listeners as it comes, unless that has to pass
    something first.  Its prompts see the messages of `window` before their own words.

    Raises:
        ChildFailedError: it did not complete.
        BudgetExceededError: the run may not start it.
        InputInvalidError, TemplateError: it cannot be run with this input, and nothing is on record yet.
    """
    key = f"{span.attributes['key']}/child"
    if ctx.past is not None and (record := ctx.journal.recorded(key)) is not None:
        return _recalled(ctx, span, plan, record)
    refused = _refused(ctx, plan)
    if refused is not None:
        if not ctx.on_record:
            await ctx.begin()  # a run that its limits have stopped is on record
        raise refused
    for above in ctx.lineage():
        above.children += 1
    ctx.journal.send()
    relay = relay and not ctx.plan.holds_output and not ctx.is_filtered
    birth = Birth(ctx, span, relay, window)
    before = None if ctx.past is None else await _earlier(ctx, key)
    child = _context(ctx, plan, data, birth, key) if before is None else _going_on(ctx, plan, birth, *before)
    span.attributes["child_execution_id"] = child.row.id
    used = ctx.tool_calls, ctx.children
    row = child.row
    if row.status in EXECUTION_TERMINAL:
        _count(ctx, row, 0, 0)
        if relay and row.status == "completed":
            ctx.emit(ContentEvent(output_text(row.output)))  # whatever of it was heard has been taken back
    else:
        row = await _driven(ctx, child, key)
    outcome = _outcome(row, ctx.tool_calls - used[0], ctx.children - used[1])
    ctx.journal.note(key, "child", "idempotent", outcome)
    if row.status != "completed":
        raise _failed(plan, row.id, row.status, row.error, row.error_code)
    return row


async def _driven(ctx: RunContext, child: RunContext, key: str) -> ExecutionRow:
    try:
        return await ctx.drive(child)
    except BaseException:  # a run that is cancelled while it stops to wait may wait all the same
        if child.row.status == "awaiting_approval":
            for above in ctx.lineage():
                above.waiting[child.row.id] = child
        elif child.row.status in EXECUTION_TERMINAL and not ctx.halting:  # the run may go on without it
            ctx.journal.note(key, "child", "idempotent", _outcome(child.row, child.tool_calls, child.children))
        raise


async def _earlier(ctx: RunContext, key: str) -> tuple[ExecutionRow, Past] | None:
    """The child that this step had started before the run was interrupted, as far as it has come."""
    services = ctx.services
    row = await services.store.get_execution(services.workspace_id, services.ids.child(ctx.row.id, key))
    return None if row is None else (row, await load_past(services.store, row))


def _outcome(row: ExecutionRow, tool_calls: int, children: int) -> dict[str, Any]:
    """What the journal keeps of a child that has ended."""
    return {
        "execution_id": row.id,
        "status": row.status,
        "output": row.output,
        "failure": [row.error, row.error_code],
        "truncated": row.truncated,
        "token_usage": row.token_usage,
        "cost": row.cost,
        "cost_known": row.cost_known,
        "tool_calls": tool_calls,
        "children": children,
    }


def _recalled(ctx: RunContext, span: Span, plan: Plan, record: dict[str, Any]) -> ExecutionRow:
    """The child as it is on record.

    Raises:
        ChildFailedError: it did not complete.
    """
    row = count_child(ctx, plan, record)
    row.status, row.output, row.truncated = record["status"], record["output"], record["truncated"]
    row.error, row.error_code = record["failure"]
    span.attributes["child_execution_id"] = row.id
    if row.status != "completed":
        raise _failed(plan, row.id, row.status, row.error, row.error_code)
    return row


def count_child(ctx: RunContext, plan: Plan, record: dict[str, Any]) -> ExecutionRow:
    """Count again what a child on record has used; its row, with that."""
    for above in ctx.lineage():
        above.children += 1
    row = _row(ctx, plan, {}, record["execution_id"])
    row.token_usage, row.cost, row.cost_known = record["token_usage"], record["cost"], record["cost_known"]
    _count(ctx, row, record["tool_calls"], record["children"])
    return row


def _count(ctx: RunContext, row: ExecutionRow, tool_calls: int, children: int) -> None:
    """Count again what a child has used that does not run here."""
    usage = TokenUsage.from_dict(row.token_usage) if row.token_usage else None
    if row.cost is None:
        ctx.count(None, None)
    count_again(ctx, usage, row.cost_known)
    for above in ctx.lineage():
        above.tool_calls += tool_calls
        above.children += children


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


def _context(ctx: RunContext, plan: Plan, data: dict[str, Any], birth: Birth, key: str) -> RunContext:
    ids = ctx.services.ids
    row = _row(ctx, plan, data, ids.child(ctx.row.id, key) if ctx.stays else ids.record())
    return _child(ctx, plan, row, birth, None)


def _going_on(ctx: RunContext, plan: Plan, birth: Birth, row: ExecutionRow, past: Past) -> RunContext:
    row.owner = ctx.row.owner
    return _child(ctx, plan, row, birth, past)


def _row(ctx: RunContext, plan: Plan, data: dict[str, Any], execution_id: str) -> ExecutionRow:
    services, above = ctx.services, ctx.row
    now = ctx.now()
    return ExecutionRow(
        execution_id,
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
        owner=above.owner,
    )


def _child(ctx: RunContext, plan: Plan, row: ExecutionRow, birth: Birth, past: Past | None) -> RunContext:
    return RunContext(
        plan,
        row,
        trace_of(row, plan, ctx.trace.ambient),
        ctx.services,
        _limits(ctx, plan),
        ctx.deadlines,
        ctx.drive,
        detached=ctx.detached,
        asked=ctx.asked,
        birth=birth,
        lease=ctx.lease,
        past=past,
    )


def _limits(ctx: RunContext, plan: Plan) -> Limits:
    """What the caller said of each call, then what the agent says of its runs, then what the engine says of each call.

    Sums and the time of the whole are limited by the runs above.
    """
    own = plan.budget.over(plan.limits.each_call())
    return own if ctx.asked is None else ctx.asked.each_call().over(own)


def _failed(plan: Plan, execution_id: str, status: str, error: str, code: str) -> ChildFailedError:
    cancelled = status == "cancelled"
    details = {"execution_id": execution_id, "agent_id": plan.agent_id, "status": status}
    return ChildFailedError(
        f"agent '{plan.agent_name}' {'was cancelled' if cancelled else 'failed'} (execution {execution_id}): {error}",
        code="child_cancelled" if cancelled else code or None,
        details=details,
    )
