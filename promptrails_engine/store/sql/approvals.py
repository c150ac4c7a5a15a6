"""Requests that somebody decides, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, exists, func, literal_column, not_, or_, select, update

from promptrails_engine.ports.journal import ApprovalRow, ApprovalStatus, Decided
from promptrails_engine.store.codec import dump_json, escape, index_key, load_json, unescape
from promptrails_engine.store.sql.clock import NOW
from promptrails_engine.store.sql.definitions import LIMIT, OFFSET, total
from promptrails_engine.store.sql.keys import ROOT
from promptrails_engine.store.sql.statements import insert_into
from promptrails_engine.store.sql.tables import approvals, executions

A, E = approvals.c, executions.c
_WORKSPACE = A.workspace_id == bindparam("workspace")
_ONE = and_(_WORKSPACE, A.id == bindparam("approval"))
_OF_TREE = and_(_WORKSPACE, A.root_execution_id == bindparam("root"))
_PENDING = A.status == literal_column("'pending'")
_LATE = A.expires_at <= NOW


def approval_values(row: ApprovalRow) -> dict[str, Any]:
    """A row of `pr_approvals`."""
    return {
        "workspace_id": escape(row.workspace_id),
        "id": escape(row.id),
        "execution_id": escape(row.execution_id),
        "root_execution_id": escape(row.root_execution_id),
        "agent_id": escape(row.agent_id),
        "key_key": index_key(row.key),
        "key": escape(row.key),
        "checkpoint_name": escape(row.checkpoint_name),
        "payload": dump_json(row.payload),
        "digest": escape(row.digest),
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "status": row.status,
        "reason": escape(row.reason),
        "decided_by": escape(row.decided_by),
        "decided_at": row.decided_at,
    }


@cache
def _new_request(dialect_name: str) -> Any:
    return insert_into(approvals, dialect_name).on_conflict_do_nothing()


def request(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any is new; those that are there already stay as they are."""
    new = _new_request(conn.dialect.name)
    return sum(conn.execute(new, row).rowcount for row in rows) > 0


_PENDING_OF_TREE = select(A.id).where(_OF_TREE, _PENDING).limit(1)
_WITHDRAW = update(approvals).where(_OF_TREE, _PENDING).values(status="withdrawn", decided_at=NOW)


def are_pending(conn: Connection, workspace: str, root: str) -> bool:
    """Whether a tree has requests that are pending."""
    return conn.execute(_PENDING_OF_TREE, {"workspace": workspace, "root": root}).first() is not None


def withdraw(conn: Connection, workspace: str, root: str) -> None:
    """Close the pending requests of a tree that has ended."""
    conn.execute(_WITHDRAW, {"workspace": workspace, "root": root})


_ROW = select(approvals).where(_ONE)


def get_approval(conn: Connection, workspace_id: str, approval_id: str) -> ApprovalRow | None:
    """The request, or None."""
    found = conn.execute(_ROW, {"workspace": escape(workspace_id), "approval": escape(approval_id)}).first()
    return None if found is None else _approval(found)


@cache
def _listing(names: tuple[str, ...], *, pending: bool) -> tuple[Select[Any], Select[Any]]:
    """One slice, and the count, of the requests that match in these columns."""
    where = [_WORKSPACE, *(A[name] == bindparam(name) for name in names), *([_PENDING] if pending else [])]
    rows = select(approvals).where(*where).order_by(A.created_at.desc(), A.id.desc())
    return rows.offset(OFFSET).limit(LIMIT), select(func.count()).select_from(approvals).where(*where)


def list_approvals(
    conn: Connection,
    workspace_id: str,
    *,
    status: str | None,
    execution_id: str | None,
    root_execution_id: str | None,
    offset: int,
    limit: int,
) -> tuple[list[ApprovalRow], int]:
    """One slice, newest first, and the count of all that match."""
    pending = status == "pending"
    wanted = {
        "status": None if pending else status,  # an index is for those alone, and has to be asked for by that word
        "execution_id": execution_id,
        "root_execution_id": root_execution_id,
    }
    values = {name: escape(value) for name, value in wanted.items() if value is not None}
    query, number = _listing(tuple(values), pending=pending)
    values["workspace"] = escape(workspace_id)
    rows = conn.execute(query, values | {"offset": offset, "limit": limit}).all()
    return [_approval(row) for row in rows], total(
        rows, offset, limit, lambda: conn.execute(number, values).scalar_one()
    )


_ROOT_OF = select(A.root_execution_id).where(_ONE)
_LOCK_ROOT = select(E.id).where(ROOT).with_for_update()
"""The root of a tree decides who sees that none of its requests is left."""
_DECIDE = (
    update(approvals)
    .where(_ONE, _PENDING, or_(A.expires_at.is_(None), not_(_LATE)))
    .values(
        status=bindparam("outcome"),
        reason=bindparam("why"),
        decided_by=bindparam("who"),
        decided_at=NOW,
        decision=bindparam("call"),
    )
)
_DECIDE_LATE = update(approvals).where(_ONE, _PENDING, _LATE).values(status="expired", decided_at=NOW)
_FREE = (
    update(executions)
    .where(ROOT, E.status == literal_column("'awaiting_approval'"), not_(exists().where(_OF_TREE, _PENDING)))
    .values(status="pending")
)
"""A root whose tree waits for nothing more."""


def decide(
    conn: Connection,
    workspace_id: str,
    approval_id: str,
    status: ApprovalStatus,
    *,
    reason: str,
    decided_by: str,
    decision: str,
) -> Decided | None:
    """What became of the request, or None; `decision` names this call, also when it is made twice."""
    own = {"workspace": escape(workspace_id), "approval": escape(approval_id)}
    root_id = conn.execute(_ROOT_OF, own).scalar()
    if root_id is None:
        return None
    root = {"workspace": own["workspace"], "root": root_id}
    conn.execute(_LOCK_ROOT, root)
    made = own | {"outcome": status, "why": escape(reason), "who": escape(decided_by), "call": decision}
    if conn.execute(_DECIDE, made).rowcount or conn.execute(_DECIDE_LATE, own).rowcount:
        conn.execute(_FREE, root)
    row = conn.execute(_ROW, own).one()
    return Decided(_approval(row), won=row.decision == decision)


_OVER = and_(_PENDING, _LATE)
_THESE = and_(_WORKSPACE, A.id.in_(bindparam("approvals", expanding=True)))
_BY_CALL = A.decision == bindparam("call")
_ANY_OVER = select(A.id).where(_WORKSPACE, _OVER).limit(1)
_TREES_OVER = select(A.root_execution_id).where(_WORKSPACE, _OVER).distinct().order_by(A.root_execution_id)
_OVER_OF_TREE = select(A.id).where(_OF_TREE, _OVER)
_EXPIRE = update(approvals).where(_THESE, _OVER).values(status="expired", decided_at=NOW, decision=bindparam("call"))
_EXPIRED_OF_TREE = select(approvals).where(_THESE, _BY_CALL)
_EXPIRED = select(approvals).where(_WORKSPACE, _BY_CALL)


def are_over(conn: Connection, workspace_id: str) -> bool:
    """Whether the time of some is over: a look that takes no locks."""
    return conn.execute(_ANY_OVER, {"workspace": escape(workspace_id)}).first() is not None


def expire(conn: Connection, workspace_id: str, decision: str) -> list[ApprovalRow]:
    """The requests whose time was over; `decision` names this call."""
    workspace = {"workspace": escape(workspace_id)}
    rows: list[ApprovalRow] = []
    for root_id in conn.execute(_TREES_OVER, workspace).scalars().all():
        root = workspace | {"root": root_id}
        conn.execute(_LOCK_ROOT, root)
        these = workspace | {"approvals": conn.execute(_OVER_OF_TREE, root).scalars().all(), "call": decision}
        conn.execute(_EXPIRE, these)
        rows += map(_approval, conn.execute(_EXPIRED_OF_TREE, these))
        conn.execute(_FREE, root)
    return sorted(rows, key=attrgetter("created_at", "id"))


def expired(conn: Connection, workspace_id: str, decision: str) -> list[ApprovalRow] | None:
    """What this call has marked as expired, or None."""
    rows = conn.execute(_EXPIRED, {"workspace": escape(workspace_id), "call": decision}).all()
    return sorted(map(_approval, rows), key=attrgetter("created_at", "id")) or None


def _approval(row: Row[Any]) -> ApprovalRow:
    return ApprovalRow(
        id=unescape(row.id),
        workspace_id=unescape(row.workspace_id),
        execution_id=unescape(row.execution_id),
        root_execution_id=unescape(row.root_execution_id),
        agent_id=unescape(row.agent_id),
        key=unescape(row.key),
        checkpoint_name=unescape(row.checkpoint_name),
        payload=load_json(row.payload),
        digest=unescape(row.digest),
        created_at=row.created_at,
        expires_at=row.expires_at,
        status=row.status,
        reason=unescape(row.reason),
        decided_by=unescape(row.decided_by),
        decided_at=row.decided_at,
    )
