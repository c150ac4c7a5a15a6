"""Rows of the store as the records that calls return."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promptrails_engine.clock import iso, iso_or_none
from promptrails_engine.ports.journal import ApprovalRow
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import CostTotals, ExecutionRow
from promptrails_engine.results import AgentExecution, ApprovalRequest, CostSummary, ExecutionResult, Trace
from promptrails_engine.tracing.payload import plain_payload


def execution_result(row: ExecutionRow) -> ExecutionResult:
    return ExecutionResult(
        execution_id=row.id,
        trace_id=row.trace_id,
        status=row.status,
        output=row.output,
        error=row.error,
        error_code=row.error_code,
        token_usage=row.token_usage,
        cost=row.cost,
        cost_known=row.cost_known,
        duration_ms=row.duration_ms,
        truncated=row.truncated,
    )


def agent_execution(row: ExecutionRow, children: Sequence[AgentExecution] = ()) -> AgentExecution:
    return AgentExecution(
        id=row.id,
        agent_id=row.agent_id,
        agent_version_id=row.agent_version_id,
        workspace_id=row.workspace_id,
        user_id=row.user_id,
        session_id=row.session_id,
        status=row.status,
        input=row.input,
        output=row.output,
        error=row.error,
        error_code=row.error_code,
        metadata=row.metadata,
        token_usage=row.token_usage,
        cost=row.cost,
        cost_known=row.cost_known,
        duration_ms=row.duration_ms,
        truncated=row.truncated,
        trace_id=row.trace_id,
        version_lock=dict(row.version_lock),
        started_at=iso_or_none(row.started_at),
        completed_at=iso_or_none(row.completed_at),
        created_at=iso(row.created_at),
        parent_execution_id=row.parent_execution_id,
        root_execution_id=row.root_execution_id or row.id,
        children=list(children),
    )


def execution_tree(top: ExecutionRow, rows: Iterable[ExecutionRow]) -> AgentExecution:
    """The execution with its whole descent, found among `rows`; siblings by their start."""
    below: dict[str, list[ExecutionRow]] = {}
    for row in sorted(rows, key=lambda row: (row.created_at, row.id)):
        if row.parent_execution_id is not None:
            below.setdefault(row.parent_execution_id, []).append(row)
    order = [top]  # parents before their children
    for row in order:
        order += below.pop(row.id, ())
    made: dict[str, list[AgentExecution]] = {}
    for row in reversed(order):
        record = agent_execution(row, made.get(row.id, [])[::-1])
        made.setdefault(row.parent_execution_id or "", []).append(record)
    return made[top.parent_execution_id or ""][0]


def approval_request(row: ApprovalRow) -> ApprovalRequest:
    return ApprovalRequest(
        id=row.id,
        execution_id=row.execution_id,
        root_execution_id=row.root_execution_id,
        workspace_id=row.workspace_id,
        agent_id=row.agent_id or None,
        key=row.key,
        checkpoint_name=row.checkpoint_name,
        payload=row.payload,
        digest=row.digest,
        status=row.status,
        reason=row.reason or None,
        decided_by=row.decided_by or None,
        decided_at=iso_or_none(row.decided_at),
        created_at=iso(row.created_at),
        expires_at=iso_or_none(row.expires_at),
    )


def trace(span: Span) -> Trace:
    shared = span.trace
    return Trace(
        id=span.span_id,
        workspace_id=shared.workspace_id,
        trace_id=shared.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        name=span.name,
        kind=span.kind,
        status=span.status,
        level=span.level,
        input=plain_payload(span.input),
        output=plain_payload(span.output),
        attributes=span.attributes,
        tags=list(span.tags),
        token_usage=span.token_usage or None,
        cost=span.cost,
        duration_ms=span.duration_ms,
        error_message=span.error_message,
        error_type=span.error_type,
        error_stack=span.error_stack,
        prompt_tokens=span.prompt_tokens,
        completion_tokens=span.completion_tokens,
        total_tokens=span.total_tokens,
        agent_id=shared.agent_id or None,
        agent_name=shared.agent_name,
        agent_type=shared.agent_type,
        prompt_id=span.prompt_id or None,
        prompt_name=span.prompt_name,
        model_name=span.model_name,
        llm_model_id=span.model_name or None,
        user_id=shared.user_id or None,
        session_id=shared.session_id,
        execution_id=shared.execution_id or None,
        started_at=iso(span.started_at),
        ended_at=iso_or_none(span.ended_at),
        completion_start_time=iso_or_none(span.completion_start_time),
        created_at=iso(span.started_at),
    )


def cost_summary(totals: CostTotals) -> CostSummary:
    return CostSummary(
        total_cost=totals.total_cost,
        total_executions=totals.total_executions,
        total_tokens=totals.total_tokens,
        unknown_cost_executions=totals.unknown_cost_executions,
        daily_costs=[
            {"date": day.date, "cost": day.cost, "executions": day.executions, "tokens": day.tokens}
            for day in totals.daily
        ],
    )
