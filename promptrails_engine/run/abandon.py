"""What becomes of the executions below one that ends without them: they waited for somebody, and wait no more."""

from __future__ import annotations

import asyncio
import logging

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.events import ErrorEvent
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import EXECUTION_TERMINAL, ExecutionFilter, ExecutionRow
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.spans import fail_span

_log = logging.getLogger(__name__)
_ALL = 1_000_000
_WHY = "the execution that started it has ended"


async def abandon_below(ctx: RunContext) -> None:
    """End what waits below a run that ends, and withdraw what it asks for."""
    store, row = ctx.services.store, ctx.row
    where = ExecutionFilter(root_execution_id=row.root_execution_id or row.id)
    try:
        rows, _ = await store.list_executions(row.workspace_id, where, offset=0, limit=_ALL)
        for part in _below(row.id, rows):
            await _withdraw(ctx, part.id)
            await _end(ctx, part)
    except PromptRailsError as error:  # the end itself is more important, and tells what is wrong with the store
        _log.warning("what waited below execution %s was not ended with it: %s", row.id, error)


def cut_off(ctx: RunContext) -> list[Span]:
    """End the spans of steps that waited, and return them."""
    spans, ctx.left = ctx.left, []
    for span in spans:
        fail_span(span, asyncio.CancelledError())
        ctx.close_span(span)
    return spans


def _below(execution_id: str, rows: list[ExecutionRow]) -> list[ExecutionRow]:
    """Those below it that have not ended."""
    ids = {execution_id}
    found: list[ExecutionRow] = []
    left = rows
    while more := [row for row in left if row.parent_execution_id in ids]:
        found += more
        ids = {row.id for row in more}
        left = [row for row in left if row.id not in ids]
    return [row for row in found if row.status not in EXECUTION_TERMINAL]


async def _withdraw(ctx: RunContext, execution_id: str) -> None:
    store, workspace = ctx.services.store, ctx.row.workspace_id
    found, _ = await store.list_approvals(workspace, status="pending", execution_id=execution_id, offset=0, limit=_ALL)
    for request in found:
        await store.decide_approval(workspace, request.id, "withdrawn", reason=_WHY, decided_by="")


async def _end(ctx: RunContext, row: ExecutionRow) -> None:
    events = await ctx.services.store.read_events(row.workspace_id, row.id, 0)
    row.status = "cancelled"
    row.error, row.error_code = _WHY, "cancelled"
    row.completed_at = ctx.services.clock.now()
    row.duration_ms = round((row.completed_at - row.created_at) * 1000)
    child = ctx.waiting.get(row.id)
    spans = () if child is None else cut_off(child)
    await ctx.services.store.finish_execution(row, spans, [ErrorEvent(_WHY, "cancelled", len(events) + 1)])
