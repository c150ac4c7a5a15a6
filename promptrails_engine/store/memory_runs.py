"""Executions with their spans and events in memory.

This is on the path of each run of the default engine: it keeps the objects it is given, and reads copy them.  When a
bound is passed, the execution that ended first goes, with all it holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any, TypeVar

from promptrails_engine.errors import ConflictError
from promptrails_engine.events import DoneEvent, Event
from promptrails_engine.ports.journal import ApprovalRow, JournalEntry
from promptrails_engine.ports.sink import Span, TraceInfo
from promptrails_engine.ports.store import (
    EXECUTION_TERMINAL,
    CostTotals,
    DailyCost,
    ExecutionFilter,
    ExecutionRow,
    ExecutionStatus,
    SpanFilter,
)
from promptrails_engine.store.codec import metadata_lines
from promptrails_engine.store.entries import add_entries
from promptrails_engine.store.memory_owners import Owners
from promptrails_engine.store.memory_run import Run, copied, ended_row, metadata_of
from promptrails_engine.store.payload import capped_copy, copy_json
from promptrails_engine.store.usage import total_tokens
from promptrails_engine.tracing.payload import plain_payload

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
_DAY = 86_400


class Runs:
    """Bounded by the number of executions, of spans and of events."""

    def __init__(self, max_executions: int, max_spans: int, max_events: int) -> None:
        self._max_executions = max_executions
        self._max_spans = max_spans
        self._max_events = max_events
        self.owners = Owners()
        """Who runs those that a process may take up from another."""
        self._runs: dict[tuple[str, str], Run] = {}
        self._by_trace: dict[str, list[Run]] = {}
        self._by_root: dict[tuple[str, str], list[Run]] = {}
        self.approvals: dict[tuple[str, str], ApprovalRow] = {}
        self._ended: deque[tuple[str, str]] = deque()
        self._spans = 0
        self._events = 0

    # ------------------------------------------------------------------ writing

    def begin(self, row: ExecutionRow, *, exclusive: bool) -> None:
        """Add an execution; one that is there already stands."""
        key = (row.workspace_id, row.id)
        if key in self._runs:
            if exclusive:
                raise ConflictError("An execution with this id exists already; let the engine make the id.")
            return
        self._runs[key] = run = Run(row)
        self._index(run)
        if row.owner is not None or row.status != "running":
            if row.status != "running":  # whoever takes it up has a row of its own
                run.row = replace(row)
            self.owners.place(run)

    def finish(
        self, row: ExecutionRow, spans: Sequence[Span], events: Sequence[Event], entries: Sequence[JournalEntry]
    ) -> None:
        """Write the end of an execution; a second end, or that of another owner, changes nothing."""
        key = (row.workspace_id, row.id)
        run = self._runs.get(key)
        if run is None:
            self.begin(row, exclusive=False)
            run = self._runs[key]
        elif run.ended or run.owner != row.owner:
            return
        elif run.row is not row:
            run.row = ended_row(run.row, row)
        if run.owner is not None or run.status != "running":
            self.owners.leave(run)
        run.status = row.status
        if row.status in EXECUTION_TERMINAL:
            run.last_entries = entries
            self._end(run)
        else:
            self.owners.place(run)
            _enter(run, entries)
        self._add(run, spans, events)

    def progress(
        self, run: Run, entries: Sequence[JournalEntry], spans: Sequence[Span], events: Sequence[Event]
    ) -> None:
        """Write what a run that goes on has done."""
        _enter(run, entries)
        self._add(run, tuple(spans), tuple(events))

    def move(self, run: Run, status: ExecutionStatus, owner: str | None, **changes: Any) -> None:
        """Give an execution another status and owner, and other fields; the row that somebody holds stays as it is."""
        self.owners.leave(run)
        run.status, run.owner = status, owner
        run.row = replace(run.row, status=status, owner=owner, **changes)
        if status in EXECUTION_TERMINAL:
            self._end(run)
            self._evict()
        else:
            self.owners.place(run)

    def request(self, run: Run, approval: ApprovalRow) -> None:
        """Enter a request, which is the store's own from now on; one that is there already stays as it is."""
        key = (approval.workspace_id, approval.id)
        if key not in self.approvals and approval.key not in run.approvals:
            self.approvals[key] = approval
            run.approvals = {**run.approvals, approval.key: approval}

    def _end(self, run: Run) -> None:
        run.ended = True
        self._ended.append((run.row.workspace_id, run.row.id))

    def _add(self, run: Run, spans: Sequence[Span], events: Sequence[Event]) -> None:
        if spans and run.spans:
            known = {span.span_id for part in run.spans for span in part}
            spans = [span for span in spans if span.span_id not in known]
        if spans:
            run.spans = (*run.spans, spans) if run.spans else (spans,)
            self._spans += len(spans)
        if events:
            self._add_events(run, events)
        self._evict()

    def _add_events(self, run: Run, events: Sequence[Event]) -> None:
        self._events += len(events)
        if run.events and events[0].seq <= run.events[-1][-1].seq:
            # A block that comes again, perhaps with more behind it: what was there first stands.
            known = {event.seq: event for part in reversed(run.events) for event in part}
            merged = {**{event.seq: event for event in events}, **known}
            self._events += len(merged) - len(known) - len(events)
            run.events = (tuple(merged[seq] for seq in sorted(merged)),)
        else:
            run.events = (*run.events, events)

    def merge_metadata(self, workspace_id: str, execution_id: str, metadata: Mapping[str, Any]) -> ExecutionRow | None:
        """The execution with these keys merged into its metadata, or None."""
        run = self._runs.get((workspace_id, execution_id))
        if run is None:
            return None
        run.metadata = {**metadata_of(run), **copy_json(dict(metadata))}
        return copied(run)

    # ------------------------------------------------------------------ reading

    def get(self, workspace_id: str, execution_id: str) -> ExecutionRow | None:
        """A copy of the execution, or None."""
        run = self._runs.get((workspace_id, execution_id))
        return None if run is None else copied(run)

    def find(self, workspace_id: str, execution_id: str) -> Run | None:
        """The execution itself, or None."""
        return self._runs.get((workspace_id, execution_id))

    def tree(self, workspace_id: str, root_id: str) -> list[Run]:
        """The root, if it is there, and all below it, the oldest first."""
        root = self._runs.get((workspace_id, root_id))
        below = sorted(self._by_root.get((workspace_id, root_id), ()), key=lambda run: (run.row.created_at, run.row.id))
        return below if root is None or root.row.root_execution_id is not None else [root, *below]

    def page(
        self, workspace_id: str, where: ExecutionFilter, offset: int, limit: int
    ) -> tuple[list[ExecutionRow], int]:
        """One slice, newest first, and the count of all that match."""
        pairs = {key: metadata_lines(key, value) for key, value in (where.metadata or {}).items()}
        found = [run for run in self._of(workspace_id) if _wanted(where, run.row) and _tagged(pairs, run)]
        chosen = page(found, offset, limit, lambda run: (run.row.created_at, run.row.id))
        return [copied(run) for run in chosen], len(found)

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
        chosen = page(found, offset, limit, lambda span: (span.started_at, span.span_id, span.trace.execution_id))
        traces: dict[str, TraceInfo] = {}
        return [_copied_span(span, traces) for span in chosen], len(found)

    def costs(self, workspace_id: str, where: ExecutionFilter) -> CostTotals:
        """Sums over the finished executions, by UTC day and in all."""
        totals = CostTotals()
        days: dict[int, DailyCost] = {}
        for run in self._of(workspace_id):
            row = run.row
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

    def _of(self, workspace_id: str) -> Iterator[Run]:
        return (run for (workspace, _id), run in self._runs.items() if workspace == workspace_id)

    def _candidates(self, workspace_id: str, where: SpanFilter) -> Iterable[Run]:
        if where.execution_id is not None:
            run = self._runs.get((workspace_id, where.execution_id))
            return () if run is None else (run,)
        if where.trace_id is not None:
            return self._by_trace.get(where.trace_id, ())
        return self._runs.values()

    def _index(self, run: Run) -> None:
        row = run.row
        runs = self._by_trace.get(row.trace_id)
        if runs is None:
            self._by_trace[row.trace_id] = [run]
        else:
            runs.append(run)
        if row.root_execution_id is not None:
            self._by_root.setdefault((row.workspace_id, row.root_execution_id), []).append(run)

    def _evict(self) -> None:
        while self._ended and (
            len(self._ended) > self._max_executions or self._spans > self._max_spans or self._events > self._max_events
        ):
            run = self._runs.get(key := self._ended.popleft())
            if run is not None and run.ended:
                del self._runs[key]
                self._forget(run)

    def _forget(self, run: Run) -> None:
        row = run.row
        self._events -= sum(map(len, run.events))
        self._spans -= sum(map(len, run.spans))
        _leave(self._by_trace, row.trace_id, run)
        if row.root_execution_id is not None:
            _leave(self._by_root, (row.workspace_id, row.root_execution_id), run)
        for approval in run.approvals.values():
            del self.approvals[approval.workspace_id, approval.id]


def _enter(run: Run, entries: Sequence[JournalEntry]) -> None:
    if entries:
        run.journal = {} if run.journal is None else run.journal
        add_entries(run.journal, entries)


def _leave(index: dict[K, list[Run]], key: K, run: Run) -> None:
    runs = index[key]
    runs.remove(run)
    if not runs:
        del index[key]


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


def _tagged(pairs: Mapping[str, tuple[str, ...]], run: Run) -> bool:
    """Whether the metadata hold these pairs, compared as the JSON text that a database compares."""
    metadata = metadata_of(run)
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


def page(found: list[T], offset: int, limit: int, key: Callable[[T], Any]) -> list[T]:
    """One slice, the greatest first."""
    return nlargest(offset + limit, found, key=key)[offset:]


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY, UTC).date().isoformat()
