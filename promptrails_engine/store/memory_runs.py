"""Executions with their spans and events in memory.

This is on the path of each run of the default engine: it keeps the objects it is given, and reads copy them.  When a
bound is passed, the execution that ended first goes, with all it holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any, TypeVar

from promptrails_engine.errors import ConflictError
from promptrails_engine.events import DoneEvent, Event
from promptrails_engine.ports.sink import Span, TraceInfo
from promptrails_engine.ports.store import (
    EXECUTION_TERMINAL,
    CostTotals,
    DailyCost,
    ExecutionFilter,
    ExecutionRow,
    SpanFilter,
)
from promptrails_engine.store.codec import metadata_lines
from promptrails_engine.store.payload import capped_copy, copy_json
from promptrails_engine.store.usage import total_tokens
from promptrails_engine.tracing.payload import plain_payload

T = TypeVar("T")
_DAY = 86_400


class _Run:
    """One execution; `row` is None for spans and events whose execution is unknown."""

    __slots__ = ("ended", "events", "metadata", "row", "spans")

    def __init__(self, row: ExecutionRow | None) -> None:
        self.row = row
        self.ended = False
        self.metadata: dict[str, Any] | None = None
        """What took the place of the row's own."""
        self.spans: tuple[Sequence[Span], ...] = ()
        self.events: tuple[Sequence[Event], ...] = ()


class Runs:
    """Bounded by the number of executions, of spans and of events."""

    def __init__(self, max_executions: int, max_spans: int, max_events: int) -> None:
        self._max_executions = max_executions
        self._max_spans = max_spans
        self._max_events = max_events
        self._runs: dict[tuple[str, str], _Run] = {}
        self._by_trace: dict[str, list[_Run]] = {}
        self._ended: deque[tuple[str, str]] = deque()
        self._spans = 0
        self._events = 0

    # ------------------------------------------------------------------ writing

    def begin(self, row: ExecutionRow, *, exclusive: bool) -> None:
        """Add a running execution; one that is there already stands."""
        key = (row.workspace_id, row.id)
        run = self._runs.get(key)
        if run is None:
            self._runs[key] = run = _Run(row)
            self._index(row.trace_id, run)
        elif run.row is None:
            run.row, run.ended = row, False
            self._index(row.trace_id, run)
        elif exclusive:
            raise ConflictError("An execution with this id exists already; let the engine make the id.")

    def finish(self, row: ExecutionRow, spans: Sequence[Span], events: Sequence[Event]) -> None:
        """Write the end of an execution; a second end changes nothing."""
        key = (row.workspace_id, row.id)
        run = self._runs.get(key)
        if run is None or run.row is None:
            self.begin(row, exclusive=False)
            run = self._runs[key]
        elif run.ended:
            return
        elif run.row is not row:
            run.row = _ended_row(run.row, row)
        if row.status in EXECUTION_TERMINAL:
            run.ended = True
            self._ended.append(key)
        if spans:
            run.spans = (*run.spans, spans) if run.spans else (spans,)
            self._spans += len(spans)
        if events:
            self._add_events(run, events)
        self._evict()

    def append_events(self, workspace_id: str, execution_id: str, events: Sequence[Event]) -> None:
        """Write events of a run that is still going on."""
        run = self._run(workspace_id, execution_id)
        self._add_events(run, tuple(events))
        self._evict()

    def _add_events(self, run: _Run, events: Sequence[Event]) -> None:
        self._events += len(events)
        if run.events and events and events[0].seq <= run.events[-1][-1].seq:
            # A block that comes again, perhaps with more behind it: what was there first stands.
            known = {event.seq: event for part in reversed(run.events) for event in part}
            merged = {**{event.seq: event for event in events}, **known}
            self._events += len(merged) - len(known) - len(events)
            run.events = (tuple(merged[seq] for seq in sorted(merged)),)
        elif events:
            run.events = (*run.events, events)

    def append_spans(self, spans: Sequence[Span]) -> None:
        """Write finished spans of a run that is still going on."""
        for info, part in _by_execution(spans):
            run = self._run(info.workspace_id, info.execution_id)
            run.spans = (*run.spans, part)
            self._index(info.trace_id, run)
            self._spans += len(part)
        self._evict()

    def merge_metadata(self, workspace_id: str, execution_id: str, metadata: Mapping[str, Any]) -> ExecutionRow | None:
        """The execution with these keys merged into its metadata, or None."""
        run = self._runs.get((workspace_id, execution_id))
        if run is None or run.row is None:
            return None
        run.metadata = {**_metadata(run, run.row), **copy_json(dict(metadata))}
        return _copied(run, run.row)

    # ------------------------------------------------------------------ reading

    def get(self, workspace_id: str, execution_id: str) -> ExecutionRow | None:
        """A copy of the execution, or None."""
        run = self._runs.get((workspace_id, execution_id))
        return None if run is None or run.row is None else _copied(run, run.row)

    def page(
        self, workspace_id: str, where: ExecutionFilter, offset: int, limit: int
    ) -> tuple[list[ExecutionRow], int]:
        """One slice, newest first, and the count of all that match."""
        pairs = {key: metadata_lines(key, value) for key, value in (where.metadata or {}).items()}
        found = [
            (run, row) for run, row in self._rows(workspace_id) if _wanted(where, row) and _tagged(pairs, run, row)
        ]
        page = _page(found, offset, limit, lambda pair: (pair[1].created_at, pair[1].id))
        return [_copied(run, row) for run, row in page], len(found)

    def read_events(self, workspace_id: str, execution_id: str, after: int) -> list[Event]:
        """Copies of the events numbered above `after`, in order."""
        run = self._runs.get((workspace_id, execution_id))
        if run is None:
            return []
        events = [_copied_event(event) for part in run.events for event in part if event.seq > after]
        return sorted(events, key=lambda event: event.seq)

    def list_spans(self, workspace_id: str, where: SpanFilter, offset: int, limit: int) -> tuple[list[Span], int]:
        """Copies of one slice, newest first, and the count of all that match."""
        found = [
            span
            for run in self._candidates(workspace_id, where)
            for part in run.spans
            for span in part
            if span.trace.workspace_id == workspace_id and _span_wanted(where, span)
        ]
        page = _page(found, offset, limit, lambda span: (span.started_at, span.span_id, span.trace.execution_id))
        traces: dict[str, TraceInfo] = {}
        return [_copied_span(span, traces) for span in page], len(found)

    def costs(self, workspace_id: str, where: ExecutionFilter) -> CostTotals:
        """Sums over the finished executions, by UTC day and in all."""
        totals = CostTotals()
        days: dict[int, DailyCost] = {}
        for _run, row in self._rows(workspace_id):
            if row.status not in EXECUTION_TERMINAL or not _wanted(where, row):
                continue
            tokens = total_tokens(row.token_usage)
            number = int(row.created_at // _DAY)
            day = days.setdefault(number, DailyCost(_date(number), 0.0, 0, 0))
            day.cost += row.cost_known
            day.executions += 1
            day.tokens += tokens
            totals.total_cost += row.cost_known
            totals.total_executions += 1
            totals.total_tokens += tokens
            totals.unknown_cost_executions += row.cost is None
        totals.daily = [days[number] for number in sorted(days)]
        return totals

    # ------------------------------------------------------------------ inside

    def _rows(self, workspace_id: str) -> Iterator[tuple[_Run, ExecutionRow]]:
        for (workspace, _id), run in self._runs.items():
            if workspace == workspace_id and run.row is not None:
                yield run, run.row

    def _candidates(self, workspace_id: str, where: SpanFilter) -> Iterable[_Run]:
        if where.execution_id is not None:
            run = self._runs.get((workspace_id, where.execution_id))
            return () if run is None else (run,)
        if where.trace_id is not None:
            return self._by_trace.get(where.trace_id, ())
        return self._runs.values()

    def _run(self, workspace_id: str, execution_id: str) -> _Run:
        key = (workspace_id, execution_id)
        run = self._runs.get(key)
        if run is None:
            self._runs[key] = run = _Run(None)
            run.ended = True
            self._ended.append(key)
        return run

    def _index(self, trace_id: str, run: _Run) -> None:
        runs = self._by_trace.get(trace_id)
        if runs is None:
            self._by_trace[trace_id] = [run]
        elif run not in runs:
            runs.append(run)

    def _evict(self) -> None:
        while self._ended and (
            len(self._ended) > self._max_executions or self._spans > self._max_spans or self._events > self._max_events
        ):
            run = self._runs.get(key := self._ended.popleft())
            if run is not None and run.ended:
                del self._runs[key]
                self._forget(run)

    def _forget(self, run: _Run) -> None:
        self._events -= sum(map(len, run.events))
        traces: set[str] = set() if run.row is None else {run.row.trace_id}
        for part in run.spans:
            self._spans -= len(part)
            traces.add(part[0].trace.trace_id)
        for trace_id in traces:
            runs = self._by_trace.get(trace_id)
            if runs is None:
                continue
            if run in runs:
                runs.remove(run)
            if not runs:
                del self._by_trace[trace_id]


def _by_execution(spans: Sequence[Span]) -> Iterator[tuple[TraceInfo, tuple[Span, ...]]]:
    parts: dict[tuple[str, str, str], list[Span]] = {}
    for span in spans:
        info = span.trace
        parts.setdefault((info.workspace_id, info.execution_id, info.trace_id), []).append(span)
    for part in parts.values():
        yield part[0].trace, tuple(part)


def _ended_row(begun: ExecutionRow, end: ExecutionRow) -> ExecutionRow:
    """The end with what was settled when the execution began."""
    return replace(
        end,
        agent_id=begun.agent_id,
        agent_version_id=begun.agent_version_id,
        trace_id=begun.trace_id,
        input=begun.input,
        version_lock=begun.version_lock,
        metadata=begun.metadata,
        created_at=begun.created_at,
        user_id=begun.user_id,
        session_id=begun.session_id,
        parent_execution_id=begun.parent_execution_id,
        root_execution_id=begun.root_execution_id,
    )


def _metadata(run: _Run, row: ExecutionRow) -> dict[str, Any]:
    return row.metadata if run.metadata is None else run.metadata


def _copied(run: _Run, row: ExecutionRow) -> ExecutionRow:
    return replace(
        row,
        input=copy_json(row.input),
        version_lock=copy_json(dict(row.version_lock)),
        metadata=copy_json(_metadata(run, row)),
        output=copy_json(row.output),
        token_usage=dict(row.token_usage),
    )


def _copied_span(span: Span, traces: dict[str, TraceInfo]) -> Span:
    info = traces.get(span.trace.execution_id)
    if info is None:
        info = traces[span.trace.execution_id] = replace(span.trace, ambient=None)
    return replace(
        span,
        trace=info,
        input=capped_copy(plain_payload(span.input)),
        output=capped_copy(plain_payload(span.output)),
        attributes=copy_json(span.attributes),
        tags=tuple(span.tags),
    )


def _copied_event(event: Event) -> Event:
    if isinstance(event, DoneEvent):
        return replace(event, output=copy_json(event.output), token_usage=replace(event.token_usage))
    return replace(event)


def _wanted(where: ExecutionFilter, row: ExecutionRow) -> bool:
    return (
        where.agent_id in (None, row.agent_id)
        and where.session_id in (None, row.session_id)
        and where.user_id in (None, row.user_id)
        and where.status in (None, row.status)
        and where.parent_execution_id in (None, row.parent_execution_id)
        and where.root_execution_id in (None, row.root_execution_id)
        and not (where.roots_only and row.parent_execution_id is not None)
        and _between(row.created_at, where.created_from, where.created_to)
    )


def _tagged(pairs: Mapping[str, tuple[str, ...]], run: _Run, row: ExecutionRow) -> bool:
    """Whether the metadata hold these pairs, compared as the JSON text that a database compares."""
    metadata = _metadata(run, row)
    return all(
        key in metadata and not set(lines).isdisjoint(metadata_lines(key, metadata[key]))
        for key, lines in pairs.items()
    )


def _span_wanted(where: SpanFilter, span: Span) -> bool:
    info = span.trace
    return (
        where.trace_id in (None, info.trace_id)
        and where.execution_id in (None, info.execution_id)
        and where.agent_id in (None, info.agent_id)
        and where.session_id in (None, info.session_id)
        and where.user_id in (None, info.user_id)
        and where.kind in (None, span.kind)
        and where.status in (None, span.status)
        and where.model_name in (None, span.model_name)
        and _between(span.started_at, where.started_from, where.started_to)
    )


def _between(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _page(found: list[T], offset: int, limit: int, key: Callable[[T], Any]) -> list[T]:
    return nlargest(offset + limit, found, key=key)[offset:]


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY, UTC).date().isoformat()
