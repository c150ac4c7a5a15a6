"""How a run stops for now in SQL, and what else is done to one that nobody runs.

Locks are taken in one order: the root, then what is below it by id, then requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    String,
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
from promptrails_engine.store.sql.clock import NOW
from promptrails_engine.store.sql.keys import BELOW, EXECUTION, GOING_ON, ROOT, TREES
from promptrails_engine.store.sql.queries import get_execution
from promptrails_engine.store.sql.rows import Values, events_text
from promptrails_engine.store.sql.statements import HotStatements, hot_statements
from promptrails_engine.store.sql.tables import IDENTITY_COLUMNS, events, executions, journal

E, J = executions.c, journal.c
_RUNNING = literal_column("'running'", String)
_AGAIN = "again"
"""The state of an entry that keeps its place alone: its step may run again."""
_END_COLUMNS = [column.name for column in list(executions.c)[IDENTITY_COLUMNS:-2]]
_END: dict[str, Any] = {name: bindparam(name) for name in _END_COLUMNS}

_LOCK_ROOT = select(E.id).where(ROOT).with_for_update()


@dataclass(frozen=True, slots=True)
class Suspension:
    """What is written where a run stops for now, as rows of the tables."""

    fence: Values
    attempt: int
    state: Values
    """Of `end_values`."""
    entries: list[Values]
    spans: list[Values]
    events: Values | None
    approvals: Sequence[Mapping[str, Any]]


# -------------------------------------------------------------- by the run


_LOCK_OWN = (
    select(E.cancel_requested_at)
    .where(EXECUTION, E.status == _RUNNING, E.owner.is_not_distinct_from(bindparam("owner")))
    .with_for_update()
)
_SUSPEND = update(executions).where(EXECUTION).values(**_END, owner=None)
_STATE = select(E.status, E.owner, E.attempt).where(EXECUTION)


def suspend(conn: Connection, what: Suspension) -> str:
    """The status that the execution has afterwards."""
    workspace, root, is_below, own, owner = what.fence
    key = {"workspace": workspace, "execution": own}
    if is_below:
        conn.execute(_LOCK_ROOT, {"workspace": workspace, "root": root})
    found = conn.execute(_LOCK_OWN, key | {"owner": owner}).first()
    if found is None:
        raise fenced(unescape(own))
    _write(conn, hot_statements(conn.dialect.name), what)
    asked = approvals.request(conn, what.approvals)
    values = dict(zip(_END_COLUMNS, what.state, strict=True))
    if not is_below and values["status"] in ("awaiting_approval", "in_doubt"):
        waits = values["status"] == "in_doubt" or asked or approvals.are_pending(conn, workspace, root)
        if found.cancel_requested_at is not None or not waits:  # nobody else would see the one or the other
            values["status"] = "pending"
    conn.execute(_SUSPEND, key | values)
    status: str = values["status"]
    return status


def suspended(conn: Connection, what: Suspension) -> str | None:
    """The status, if an attempt of unknown outcome did suspend it: a run loses its owner so, or to another attempt."""
    workspace, _root, _below, own, owner = what.fence
    found = conn.execute(_STATE, {"workspace": workspace, "execution": own}).first()
    if found is None or found.attempt != what.attempt or (found.status == "running" and found.owner == owner):
        return None
    status: str = found.status
    return status


def _write(conn: Connection, statements: HotStatements, what: Suspension) -> None:
    with closing(conn.connection.cursor()) as cursor:
        if what.entries:
            statements.journal.execute(cursor, what.entries)
        if what.spans:
            statements.spans.execute(cursor, what.spans)
        if what.events is not None:
            statements.events.execute(cursor, [what.events])


# -------------------------------------------------------------- journals


_ENTRIES = (
    select(journal)
    .where(J.workspace_id == bindparam("workspace"), J.execution_id == bindparam("execution"))
    .order_by(J.seq)
)
_LAST_ENTRIES = select(E.journal).where(EXECUTION)


def read_journal(conn: Connection, workspace_id: str, execution_id: str) -> list[JournalEntry]:
    """All entries, in the order in which they were first written."""
    chosen = {"workspace": escape(workspace_id), "execution": escape(execution_id)}
    known: dict[str, JournalEntry | None] = {}
    for row in conn.execute(_ENTRIES, chosen):
        known[unescape(row.key)] = None if row.state == _AGAIN else _entry(row)
    last = conn.execute(_LAST_ENTRIES, chosen).scalar()
    add_entries(known, () if last is None else entries_of(last))
    return [entry for entry in known.values() if entry is not None]


_IN_DOUBT = (
    select(E.id, E.root_execution_id, *journal.c)
    .join(journal, and_(J.workspace_id == E.workspace_id, J.execution_id == E.id))
    .where(TREES, GOING_ON, J.state == "intended", J.effect == "effect")
    .order_by(case((E.root_execution_id.is_(None), 0), else_=1), E.created_at, E.id, J.seq)
)


def unanswered(conn: Connection, workspace_id: str, root_ids: Sequence[str]) -> list[tuple[str, str, JournalEntry]]:
    """Root id, execution id and entry of the intents that somebody has to answer, by the order of the roots."""
    order = {root_id: place for place, root_id in enumerate(root_ids)}
    found = [
        (unescape(row.root_execution_id or row.id), unescape(row.id), _entry(row))
        for row in conn.execute(_IN_DOUBT, {"workspace": escape(workspace_id), "roots": [*map(escape, order)]})
    ]
    return sorted(found, key=lambda one: order[one[0]])


_ROOT_OF = select(E.root_execution_id).where(EXECUTION)
_ROOT_OF_GOING_ON = _ROOT_OF.where(GOING_ON)
_LOCK_IN_DOUBT = _LOCK_ROOT.where(E.status == literal_column("'in_doubt'"))
_ENTRY = and_(
    J.workspace_id == bindparam("workspace"),
    J.execution_id == bindparam("execution"),
    J.key_key == bindparam("entry"),
)
_ANSWER = (
    update(journal)
    .where(_ENTRY, J.state == "intended")
    .values(state=bindparam("answered_state"), value=bindparam("answer"))
)
_ANSWERED = select(J.state, J.value).where(_ENTRY)
_FREE = update(executions).where(ROOT, E.status == literal_column("'in_doubt'")).values(status="pending")


def answer(
    conn: Connection, workspace_id: str, execution_id: str, entry_key: str, value: Mapping[str, Any] | None
) -> bool:
    """Whether there was such an intent."""
    workspace, execution = escape(workspace_id), escape(execution_id)
    own = {"workspace": workspace, "execution": execution}
    found = conn.execute(_ROOT_OF_GOING_ON, own).first()
    if found is None:
        return False
    root = {"workspace": workspace, "root": found.root_execution_id or execution}
    if conn.execute(_LOCK_IN_DOUBT, root).first() is None:
        return False
    state, text = _answer(value)
    given = own | {"entry": index_key(entry_key), "answered_state": state, "answer": text}
    if conn.execute(_ANSWER, given).rowcount == 0:
        return False
    if conn.execute(_IN_DOUBT, {"workspace": workspace, "roots": [root["root"]]}).first() is None:
        conn.execute(_FREE, root)
    return True


def answered(
    conn: Connection, workspace_id: str, execution_id: str, entry_key: str, value: Mapping[str, Any] | None
) -> bool | None:
    """True if an attempt of unknown outcome has answered it, else None."""
    chosen = {"workspace": escape(workspace_id), "execution": escape(execution_id), "entry": index_key(entry_key)}
    found = conn.execute(_ANSWERED, chosen).first()
    return True if found is not None and tuple(found) == _answer(value) else None


def _answer(value: Mapping[str, Any] | None) -> tuple[str, str]:
    """State and value of an entry that was answered."""
    return (_AGAIN, "{}") if value is None else ("done", dump_json(dict(value)))


def _entry(row: Row[Any]) -> JournalEntry:
    return JournalEntry(unescape(row.key), row.kind, row.effect, row.state, load_json(row.value))


# -------------------------------------------------------------- by others


_LOCK_STATUS = select(E.status).where(EXECUTION).with_for_update()
_REQUEST_CANCEL = update(executions).where(EXECUTION, E.cancel_requested_at.is_(None)).values(cancel_requested_at=NOW)


def cancel(conn: Connection, workspace_id: str, execution_id: str) -> ExecutionRow | None:
    """The row as it then is, or None."""
    own = {"workspace": escape(workspace_id), "execution": escape(execution_id)}
    first = conn.execute(_ROOT_OF, own).first()
    if first is None:
        return None
    if first.root_execution_id is not None:
        conn.execute(_LOCK_ROOT, {"workspace": own["workspace"], "root": first.root_execution_id})
    found = conn.execute(_LOCK_STATUS, own).one()
    if found.status == "running":
        conn.execute(_REQUEST_CANCEL, own)
    elif found.status not in EXECUTION_TERMINAL:
        if first.root_execution_id is not None:
            root_id = unescape(first.root_execution_id)
            raise ConflictError(f"Execution {execution_id} is part of a tree that waits; cancel its root {root_id}.")
        _cancel_tree(conn, own["workspace"], own["execution"])
    return get_execution(conn, workspace_id, execution_id)


_LOCK_BELOW = select(E.id).where(BELOW, GOING_ON).order_by(E.id).with_for_update()
_LAST_EVENT = select(func.max(events.c.last_seq)).where(
    events.c.workspace_id == bindparam("workspace"), events.c.execution_id == bindparam("execution")
)
_CANCEL = (
    update(executions)
    .where(EXECUTION)
    .values(
        status="cancelled",
        completed_at=NOW,
        duration_ms=cast(func.round((NOW - E.created_at) * 1000), BigInteger),
        error=CANCELLED,
        error_code="cancelled",
        events=bindparam("last_event"),
    )
)


def _cancel_tree(conn: Connection, workspace: str, root: str) -> None:
    members = conn.execute(_LOCK_BELOW, {"workspace": workspace, "roots": [root]}).scalars().all()
    for member in (root, *members):
        own = {"workspace": workspace, "execution": member}
        last = conn.execute(_LAST_EVENT, own).scalar() or 0
        conn.execute(_CANCEL, own | {"last_event": events_text([ErrorEvent(CANCELLED, "cancelled", last + 1)])})
    approvals.withdraw(conn, workspace, root)


_REPLACE_LOCK = (
    update(executions)
    .where(EXECUTION, E.status != _RUNNING, GOING_ON)
    .values(agent_version_id=bindparam("version"), version_lock=bindparam("lock"))
)
_LOCK_IS = select(E.id).where(
    EXECUTION, E.agent_version_id == bindparam("version"), E.version_lock == bindparam("lock")
)


def replace_lock(conn: Connection, workspace: str, execution: str, version: str, lock: str) -> bool:
    """Whether there was one that nobody runs and that has not ended."""
    what = {"workspace": workspace, "execution": execution, "version": version, "lock": lock}
    return conn.execute(_REPLACE_LOCK, what).rowcount > 0


def lock_replaced(conn: Connection, workspace: str, execution: str, version: str, lock: str) -> bool | None:
    """True if an attempt of unknown outcome has replaced it, else None."""
    what = {"workspace": workspace, "execution": execution, "version": version, "lock": lock}
    return True if conn.execute(_LOCK_IS, what).first() is not None else None
