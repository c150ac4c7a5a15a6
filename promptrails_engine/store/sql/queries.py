"""Executions, events, traces and costs, read from SQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    update,
)

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
from promptrails_engine.store.codec import dump_metadata, escape, load_json, metadata_lines
from promptrails_engine.store.sql.definitions import LIMIT, OFFSET, contains, count, total
from promptrails_engine.store.sql.keys import EXECUTION
from promptrails_engine.store.sql.rows import DAY_SECONDS, events_of, execution_row, span_of
from promptrails_engine.store.sql.tables import EXECUTION_ROW, KEY_LENGTH_LIMIT, events, executions, spans

E, S = executions.c, spans.c

_ROW = select(*EXECUTION_ROW).where(EXECUTION)
_LOCK_ROW = _ROW.with_for_update()
_MERGE = update(executions).where(EXECUTION).values(metadata=bindparam("merged"))
_EVENTS = (
    select(events.c.data)
    .where(
        events.c.workspace_id == bindparam("workspace"),
        events.c.execution_id == bindparam("execution"),
        events.c.last_seq > bindparam("after"),
    )
    .order_by(events.c.first_seq)
)
_LAST_EVENTS = select(E.events).where(EXECUTION)
_SPANS_ORDER = (S.started_at.desc(), S.span_id.desc(), S.execution_id.desc())
_OF_EXECUTION = and_(S.workspace_id == bindparam("workspace"), S.execution_id == bindparam("execution"))
_SPANS = select(spans).where(_OF_EXECUTION).order_by(*_SPANS_ORDER).offset(OFFSET).limit(LIMIT)
_NUMBER_OF_SPANS = select(func.count()).select_from(spans).where(_OF_EXECUTION)


def get_execution(conn: Connection, workspace_id: str, execution_id: str) -> ExecutionRow | None:
    """The execution, or None."""
    found = conn.execute(_ROW, _execution(workspace_id, execution_id)).first()
    return None if found is None else execution_row(found)


def list_executions(
    conn: Connection, workspace_id: str, where: ExecutionFilter, *, offset: int, limit: int
) -> tuple[list[ExecutionRow], int]:
    """One slice, newest first, and the count of all that match."""
    conditions = [E.workspace_id == escape(workspace_id)]
    conditions += _equal(executions, {"agent_id": where.agent_id, "status": where.status})
    conditions += _callers(executions, session_id=where.session_id, user_id=where.user_id)
    kin = {"parent_execution_id": where.parent_execution_id, "root_execution_id": where.root_execution_id}
    conditions += _equal(executions, kin)
    if where.roots_only:
        conditions.append(E.parent_execution_id.is_(None))
    conditions += _between(E.created_at, where.created_from, where.created_to)
    for key, value in (where.metadata or {}).items():
        conditions.append(or_(*(contains(conn, E.metadata, line) for line in metadata_lines(key, value))))
    query = select(*EXECUTION_ROW).where(*conditions).order_by(E.created_at.desc(), E.id.desc())
    rows = conn.execute(query.offset(offset).limit(limit)).all()
    return [execution_row(row) for row in rows], total(rows, offset, limit, lambda: count(conn, executions, conditions))


def update_metadata(
    conn: Connection, workspace_id: str, execution_id: str, metadata: Mapping[str, Any]
) -> ExecutionRow | None:
    """The execution with these keys merged into its metadata, or None."""
    chosen = _execution(workspace_id, execution_id)
    found = conn.execute(_LOCK_ROW, chosen).first()
    if found is None:
        return None
    merged = {**load_json(found.metadata), **metadata}
    conn.execute(_MERGE, chosen | {"merged": dump_metadata(merged)})
    row = execution_row(found)
    row.metadata = merged
    return row


def read_events(conn: Connection, workspace_id: str, execution_id: str, after: int) -> list[Event]:
    """The events numbered above `after`, in order."""
    chosen = _execution(workspace_id, execution_id)
    texts = [row.data for row in conn.execute(_EVENTS, chosen | {"after": after})]
    last = conn.execute(_LAST_EVENTS, chosen).scalar()
    if last is not None:
        texts.append(last)
    found: dict[int, Event] = {}
    for part in texts:  # a block may repeat the end of the one before
        for event in events_of(part, after):
            found.setdefault(event.seq, event)
    return [found[seq] for seq in sorted(found)]


def list_spans(
    conn: Connection, workspace_id: str, where: SpanFilter, *, offset: int, limit: int
) -> tuple[list[Span], int]:
    """One slice, newest first, and the count of all that match."""
    if where.execution_id is not None and where == SpanFilter(execution_id=where.execution_id):
        return _spans_of(conn, _execution(workspace_id, where.execution_id), offset, limit)
    mine = S.workspace_id == escape(workspace_id)
    conditions = [mine]
    if where.trace_id is not None:
        trace = escape(where.trace_id)
        batches = spans.alias("batches").c
        of_trace = and_(batches.workspace_id == escape(workspace_id), batches.trace_key == trace)
        conditions += [S.execution_id.in_(select(batches.execution_id).where(of_trace)), S.trace_id == trace]
    conditions += _equal(
        spans,
        {
            "execution_id": where.execution_id,
            "agent_id": where.agent_id,
            "kind": where.kind,
            "status": where.status,
            "model_name": where.model_name,
        },
    )
    conditions += _callers(spans, session_id=where.session_id, user_id=where.user_id)
    conditions += _between(S.started_at, where.started_from, where.started_to)
    query = select(spans).where(*conditions).order_by(*_SPANS_ORDER)
    rows = conn.execute(query.offset(offset).limit(limit)).all()
    traces: dict[str, TraceInfo] = {}
    return [span_of(row, traces) for row in rows], total(rows, offset, limit, lambda: count(conn, spans, conditions))


def _spans_of(conn: Connection, execution: dict[str, Any], offset: int, limit: int) -> tuple[list[Span], int]:
    """As `list_spans`, of one execution: so whenever one goes on."""
    rows = conn.execute(_SPANS, execution | {"offset": offset, "limit": limit}).all()
    traces: dict[str, TraceInfo] = {}
    number = total(rows, offset, limit, lambda: conn.execute(_NUMBER_OF_SPANS, execution).scalar_one())
    return [span_of(row, traces) for row in rows], number


def cost_totals(
    conn: Connection, workspace_id: str, agent_id: str | None, created_from: float | None, created_to: float | None
) -> CostTotals:
    """Sums over the finished executions, by UTC day and in all."""
    conditions = [E.workspace_id == escape(workspace_id), E.status.in_(sorted(EXECUTION_TERMINAL))]
    conditions += _equal(executions, {"agent_id": agent_id})
    if agent_id is None:
        conditions.append(E.parent_execution_id.is_(None))
    conditions += _between(E.created_at, created_from, created_to)
    query = (
        select(
            E.created_day,
            func.sum(E.cost_known),
            func.count(),
            func.sum(E.total_tokens),
            func.sum(case((E.cost.is_(None), 1), else_=0)),
        )
        .where(*conditions)
        .group_by(E.created_day)
        .order_by(E.created_day)
    )
    totals = CostTotals()
    for day, cost, number, tokens, unknown in conn.execute(query):
        totals.daily.append(DailyCost(date=_date(day), cost=cost, executions=number, tokens=int(tokens)))
        totals.total_cost += cost
        totals.total_executions += number
        totals.total_tokens += int(tokens)
        totals.unknown_cost_executions += unknown
    return totals


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_SECONDS, UTC).date().isoformat()


def _execution(workspace_id: str, execution_id: str) -> dict[str, Any]:
    return {"workspace": escape(workspace_id), "execution": escape(execution_id)}


def _equal(table: Table, wanted: Mapping[str, str | None]) -> list[ColumnElement[bool]]:
    return [table.c[name] == escape(value) for name, value in wanted.items() if value is not None]


def _callers(table: Table, *, session_id: str | None, user_id: str | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for name, value in (("session_id", session_id), ("user_id", user_id)):
        if value is None:
            continue
        stored = escape(value)
        conditions.append(table.c[name] == stored)
        if stored and len(stored) <= KEY_LENGTH_LIMIT:
            # The condition of the partial index over this column, word for word, so that it serves the query.
            length = func.length(table.c[name])
            conditions += [table.c[name] != literal_column("''"), length <= literal_column(str(KEY_LENGTH_LIMIT))]
    return conditions


def _between(column: ColumnElement[float], low: float | None, high: float | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if low is not None:
        conditions.append(column >= low)
    if high is not None:
        conditions.append(column <= high)
    return conditions
