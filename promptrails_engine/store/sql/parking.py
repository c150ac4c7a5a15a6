"""How a run stops for now in SQL, and what else is done to one that nobody runs.

Locks are taken in one order: the root, then what is below it by id, then requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    String,
    Table,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    update,
)

from promptrails_engine.errors import ConflictError
from promptrails_engine.events import ErrorEvent
from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.store import EXECUTION_TERMINAL, ExecutionRow
from promptrails_engine.store.codec import dump_json, escape, index_key, load_json, unescape
from promptrails_engine.store.entries import CANCELLED, add_entries, entries_of, fenced
from promptrails_engine.store.sql import approvals
from promptrails_engine.store.sql.clock import now
from promptrails_engine.store.sql.keys import below, going_on, key, tree
from promptrails_engine.store.sql.rows import Values, events_text, execution_row
from promptrails_engine.store.sql.statements import longer_events, new_entries, new_spans
from promptrails_engine.store.sql.tables import (
    EXECUTION_ROW,
    IDENTITY_COLUMNS,
    JOURNAL_ROW,
    events,
    executions,
    journal,
    spans,
)

E, J = executions.c, journal.c
_RUNNING = literal_column("'running'", String)
_AGAIN = "again"
"""The state of an entry that keeps its place alone: its step may run again."""
_END_COLUMNS = [column.name for column in list(executions.c)[IDENTITY_COLUMNS:-2]]


@dataclass(frozen=True, slots=True)
class Suspension:
    """What is written where a run stops for now, as rows of the tables."""

    fence: Values
    attempt: int
    state: Values
    """Of `end_values`."""
    entries: Sequence[Values]
    spans: Sequence[Values]
    events: Values | None
    approvals: Sequence[Mapping[str, Any]]


# -------------------------------------------------------------- by the run


def suspend(conn: Connection, what: Suspension) -> str:
    """The status that the execution has afterwards."""
    workspace, root, is_below, own, owner = what.fence
    if is_below:
        conn.execute(select(E.id).where(key(workspace, root)).with_for_update())
    mine = and_(key(workspace, own), E.status == _RUNNING, E.owner.is_not_distinct_from(owner))
    found = conn.execute(select(E.cancel_requested_at).where(mine).with_for_update()).first()
    if found is None:
        raise fenced(unescape(own))
    dialect = conn.dialect.name
    _insert(conn, new_entries(dialect), what.entries, [column.name for column in JOURNAL_ROW])
    _insert(conn, new_spans(dialect), what.spans, _names(spans))
    _insert(conn, longer_events(dialect), [] if what.events is None else [what.events], _names(events))
    approvals.request(conn, what.approvals)
    values = dict(zip(_END_COLUMNS, what.state, strict=True))
    if not is_below and values["status"] in ("awaiting_approval", "in_doubt"):
        waits = values["status"] == "in_doubt" or approvals.are_pending(conn, workspace, root)
        if found.cancel_requested_at is not None or not waits:  # nobody else would see the one or the other
            values["status"] = "pending"
    conn.execute(update(executions).where(key(workspace, own)).values(**values, owner=None))
    status: str = values["status"]
    return status


def suspended(conn: Connection, what: Suspension) -> str | None:
    """The status, if an attempt of unknown outcome did suspend it: a run loses its owner so, or to another attempt."""
    workspace, _root, _below, own, owner = what.fence
    found = conn.execute(select(E.status, E.owner, E.attempt).where(key(workspace, own))).first()
    if found is None or found.attempt != what.attempt or (found.status == "running" and found.owner == owner):
        return None
    status: str = found.status
    return status


def _insert(conn: Connection, statement: Any, rows: Sequence[Values], names: Sequence[str]) -> None:
    if rows:
        statement = statement.values({name: bindparam(name) for name in names})
        conn.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])


def _names(table: Table) -> list[str]:
    return [column.name for column in table.c]


# -------------------------------------------------------------- journals


def read_journal(conn: Connection, workspace_id: str, execution_id: str) -> list[JournalEntry]:
    """All entries, in the order in which they were first written."""
    workspace, execution = escape(workspace_id), escape(execution_id)
    chosen = and_(J.workspace_id == workspace, J.execution_id == execution)
    known: dict[str, JournalEntry | None] = {}
    for row in conn.execute(select(journal).where(chosen).order_by(J.seq)):
        known[unescape(row.key)] = None if row.state == _AGAIN else _entry(row)
    last = conn.execute(select(E.journal).where(key(workspace, execution))).scalar()
    add_entries(known, () if last is None else entries_of(last))
    return [entry for entry in known.values() if entry is not None]


def unanswered(conn: Connection, workspace_id: str, root_ids: Sequence[str]) -> list[tuple[str, str, JournalEntry]]:
    """Root id, execution id and entry of the intents that somebody has to answer, by the order of the roots."""
    workspace = escape(workspace_id)
    order = {root_id: place for place, root_id in enumerate(root_ids)}
    query = _in_doubt(workspace, [escape(root_id) for root_id in order], E.id, E.root_execution_id, *journal.c)
    is_below = case((E.root_execution_id.is_(None), 0), else_=1)
    found = [
        (unescape(row.root_execution_id or row.id), unescape(row.id), _entry(row))
        for row in conn.execute(query.order_by(is_below, E.created_at, E.id, J.seq))
    ]
    return sorted(found, key=lambda one: order[one[0]])


def answer(
    conn: Connection, workspace_id: str, execution_id: str, entry_key: str, value: Mapping[str, Any] | None
) -> bool:
    """Whether there was such an intent."""
    workspace, execution = escape(workspace_id), escape(execution_id)
    chosen = and_(key(workspace, execution), going_on())
    found = conn.execute(select(E.root_execution_id).where(chosen)).first()
    if found is None:
        return False
    root = found.root_execution_id or execution
    in_doubt = and_(key(workspace, root), E.status == literal_column("'in_doubt'"))
    if conn.execute(select(E.id).where(in_doubt).with_for_update()).first() is None:
        return False
    state = _AGAIN if value is None else "done"
    changed = update(journal).where(_entry_key(workspace, execution, entry_key), J.state == "intended")
    if conn.execute(changed.values(state=state, value=_answer_text(value))).rowcount == 0:
        return False
    if conn.execute(_in_doubt(workspace, [root], J.seq).limit(1)).first() is None:
        conn.execute(update(executions).where(in_doubt).values(status="pending"))
    return True


def answered(
    conn: Connection, workspace_id: str, execution_id: str, entry_key: str, value: Mapping[str, Any] | None
) -> bool | None:
    """True if an attempt of unknown outcome has answered it, else None."""
    chosen = _entry_key(escape(workspace_id), escape(execution_id), entry_key)
    found = conn.execute(select(J.state, J.value).where(chosen)).first()
    given = (_AGAIN if value is None else "done", _answer_text(value))
    return True if found is not None and tuple(found) == given else None


def _in_doubt(workspace: str, roots: Sequence[str], *columns: Any) -> Any:
    joined = executions.join(journal, and_(J.workspace_id == E.workspace_id, J.execution_id == E.id))
    wanted = and_(tree(workspace, roots), going_on(), J.state == "intended", J.effect == "effect")
    return select(*columns).select_from(joined).where(wanted)


def _entry_key(workspace: str, execution: str, entry_key: str) -> Any:
    return and_(J.workspace_id == workspace, J.execution_id == execution, J.key_key == index_key(entry_key))


def _answer_text(value: Mapping[str, Any] | None) -> str:
    return "{}" if value is None else dump_json(dict(value))


def _entry(row: Row[Any]) -> JournalEntry:
    return JournalEntry(unescape(row.key), row.kind, row.effect, row.state, load_json(row.value))


# -------------------------------------------------------------- by others


def cancel(conn: Connection, workspace_id: str, execution_id: str) -> ExecutionRow | None:
    """The row as it then is, or None."""
    workspace, own = escape(workspace_id), escape(execution_id)
    first = conn.execute(select(E.root_execution_id).where(key(workspace, own))).first()
    if first is None:
        return None
    if first.root_execution_id is not None:
        conn.execute(select(E.id).where(key(workspace, first.root_execution_id)).with_for_update())
    found = conn.execute(select(E.status).where(key(workspace, own)).with_for_update()).one()
    if found.status == "running":
        marked = and_(key(workspace, own), E.cancel_requested_at.is_(None))
        conn.execute(update(executions).where(marked).values(cancel_requested_at=now(conn)))
    elif found.status not in EXECUTION_TERMINAL:
        if first.root_execution_id is not None:
            root_id = unescape(first.root_execution_id)
            raise ConflictError(f"Execution {execution_id} is part of a tree that waits; cancel its root {root_id}.")
        _cancel_tree(conn, workspace, own)
    return execution_row(conn.execute(select(*EXECUTION_ROW).where(key(workspace, own))).one())


def _cancel_tree(conn: Connection, workspace: str, root: str) -> None:
    chosen = and_(below(workspace, [root]), going_on())
    members = conn.execute(select(E.id).where(chosen).order_by(E.id).with_for_update()).scalars().all()
    clock = now(conn)
    for member in (root, *members):
        of_member = and_(events.c.workspace_id == workspace, events.c.execution_id == member)
        last = conn.execute(select(func.max(events.c.last_seq)).where(of_member)).scalar() or 0
        values = {
            "status": "cancelled",
            "completed_at": clock,
            "duration_ms": cast(func.round((clock - E.created_at) * 1000), BigInteger),
            "error": CANCELLED,
            "error_code": "cancelled",
            "events": events_text([ErrorEvent(CANCELLED, "cancelled", last + 1)]),
        }
        conn.execute(update(executions).where(key(workspace, member)).values(values))
    approvals.withdraw(conn, workspace, root)


def replace_lock(conn: Connection, workspace: str, execution: str, version: str, lock: str) -> bool:
    """Whether there was one that nobody runs and that has not ended."""
    waiting = and_(key(workspace, execution), E.status != _RUNNING, going_on())
    changed = update(executions).where(waiting).values(agent_version_id=version, version_lock=lock)
    return conn.execute(changed).rowcount > 0


def lock_replaced(conn: Connection, workspace: str, execution: str, version: str, lock: str) -> bool | None:
    """True if an attempt of unknown outcome has replaced it, else None."""
    same = and_(key(workspace, execution), E.agent_version_id == version, E.version_lock == lock)
    return True if conn.execute(select(E.id).where(same)).first() is not None else None
