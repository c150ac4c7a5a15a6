"""Two executions and their spans, out of the store and, while they run, out of this process."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from promptrails_engine.comparison.records import ExecutionDiff
from promptrails_engine.comparison.runs import Recorded, compare_executions
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import ExecutionRow, SpanFilter
from promptrails_engine.resources.base import Parts
from promptrails_engine.store.payload import capped_copy
from promptrails_engine.tracing.payload import plain_payload

_SPANS_AT_ONCE = 10_000


async def diff_executions(parts: Parts, a: ExecutionRow, b: ExecutionRow) -> ExecutionDiff:
    """What differs between the two, compared on a thread: payloads may be long."""
    first = await _recorded(parts, a)
    second = first if a.id == b.id else await _recorded(parts, b)
    return await asyncio.to_thread(compare_executions, first, second)


async def _recorded(parts: Parts, row: ExecutionRow) -> Recorded:
    ctx = parts.runner.live(row.id)
    spans = await _trace(parts, row)
    if ctx is not None:  # the store may see its spans only at its end
        spans.update((span.span_id, _as_stored(span)) for span in tuple(ctx.spans))
    there = {span.trace.execution_id for span in spans.values()}
    found = list(spans.values())
    for span in spans.values():
        child = span.attributes.get("child_execution_id")
        if isinstance(child, str) and child not in there:
            found += await _elsewhere(parts, row.workspace_id, child, span)
    return Recorded(row, found)


async def _trace(parts: Parts, row: ExecutionRow) -> dict[str, Span]:
    spans: dict[str, Span] = {}
    total = 1
    offset = 0
    while offset < total:
        some, total = await parts.services.store.list_spans(
            row.workspace_id, SpanFilter(trace_id=row.trace_id), offset=offset, limit=_SPANS_AT_ONCE
        )
        spans.update((span.span_id, span) for span in some)
        offset += _SPANS_AT_ONCE
    return spans


async def _elsewhere(parts: Parts, workspace_id: str, child_id: str, starter: Span) -> list[Span]:
    """The spans of a child that another run has started, as if it had been the step of the fork that recalled it."""
    child = await parts.services.store.get_execution(workspace_id, child_id)
    if child is None or child.trace_id == starter.trace.trace_id:
        return []
    spans = await _trace(parts, child)
    inside: dict[str, Span] = {}
    for span in spans.values():
        path = [span]
        while path[-1].trace.execution_id != child_id and (above := spans.get(path[-1].parent_span_id)) is not None:
            path.append(above)
        if path[-1].trace.execution_id == child_id:
            inside[span.span_id] = span
    return [
        span if span.parent_span_id in inside else replace(span, parent_span_id=starter.span_id)
        for span in inside.values()
    ]


def _as_stored(span: Span) -> Span:
    return replace(
        span,
        input=capped_copy(plain_payload(span.input)),
        output=capped_copy(plain_payload(span.output)),
        attributes=dict(span.attributes),
    )
