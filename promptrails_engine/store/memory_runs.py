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
from promptrails_engine.events import Event
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
        self.spans: list[Sequence[Span]] = []
        self.events: list[Sequence[Event]] = []


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
            run.row = row
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
        elif not run.ended:
            if run.row is not row:
                run.row = _ended_row(run.row, row)
        if not run.ended and row.status in EXECUTION_TERMINAL:
            run.ended = True
            self._ended.append(key)
        if spans:
            run.spans.append(spans)
            self._spans += len(spans)
        if events:
            run.events.append(events)
            self._events += len(events)
        if (
            len(self._ended) > self._max_executions
            or self._spans > self._max_spans
            or self._events > self._max_events
        ):
            self._evict()

    def append_events(self, workspace_id: str, execution_id: str, events: Sequence[Event]) -> None:
        """Write events of a run that is still going on."""
        self._run(workspace_id, execution_id).events.append(tuple(events))
        self._events += len(events)
        self._evict()

    def append_spans(self, spans: Sequence[Span]) -> None:
        """Write finished spans of a run that is still going on."""
        for info, part in _by_execution(spans):
            run = self._run(info.workspace_id, info.execution_id)
            run.spans.append(part)
            self._index(info.trace_id, run)
            self._spans += len(part)
        self._evict()

    def merge_metadata(
        self, workspace_id: str, execution_id: str, metadata: Mapping[str, Any]
    ) -> ExecutionRow | None:
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

    def list(self, workspace_id: str, where: ExecutionFilter, offset: int, limit: int) -> tuple[list[ExecutionRow], int]:
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
        events = [replace(event) for part in run.events for event in part if event.seq > after]
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
