"""Requests that somebody decides, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, literal_column, or_, select, update

from promptrails_engine.ports.journal import ApprovalRow, ApprovalStatus, Decided
from promptrails_engine.store.codec import dump_json, escape, index_key, load_json, unescape
from promptrails_engine.store.sql.clock import now
from promptrails_engine.store.sql.definitions import count
from promptrails_engine.store.sql.keys import key
from promptrails_engine.store.sql.statements import insert_into
from promptrails_engine.store.sql.tables import approvals, executions

A, E = approvals.c, executions.c
_PENDING = A.status == literal_column("'pending'")


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


def request(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add requests; those that are there already stay as they are."""
    for row in rows:
        conn.execute(insert_into(approvals, conn.dialect.name).values(row).on_conflict_do_nothing())


def are_pending(conn: Connection, workspace: str, root: str) -> bool:
    """Whether a tree has requests that are pending."""
    return conn.execute(select(A.id).where(_of_tree(workspace, root), _PENDING).limit(1)).first() is not None


def withdraw(conn: Connection, workspace: str, root: str) -> None:
    """Close the pending requests of a tree that has ended."""
    closed = update(approvals).where(_of_tree(workspace, root), _PENDING)
    conn.execute(closed.values(status="withdrawn", decided_at=now(conn)))


def get_approval(conn: Connection, workspace_id: str, approval_id: str) -> ApprovalRow | None:
    """The request, or None."""
    found = conn.execute(select(approvals).where(_key(escape(workspace_id), escape(approval_id)))).first()
    return None if found is None else _approval(found)


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
    where: list[ColumnElement[bool]] = [A.workspace_id == escape(workspace_id)]
    if status is not None:
        where.append(_PENDING if status == "pending" else A.status == escape(status))
    if execution_id is not None:
        where.append(A.execution_id == escape(execution_id))
    if root_execution_id is not None:
        where.append(A.root_execution_id == escape(root_execution_id))
    query = select(approvals).where(*where).order_by(A.created_at.desc(), A.id.desc())
    rows = conn.execute(query.offset(offset).limit(limit)).all()
    return [_approval(row) for row in rows], count(conn, approvals, where)


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
    workspace, own = escape(workspace_id), escape(approval_id)
    chosen = _key(workspace, own)
    root = conn.execute(select(A.root_execution_id).where(chosen)).scalar()
    if root is None:
        return None
    _lock(conn, workspace, root)
    clock = now(conn)
    in_time = or_(A.expires_at.is_(None), A.expires_at > clock)
    values = {"status": status, "reason": escape(reason), "decided_by": escape(decided_by)}
    won = update(approvals).where(chosen, _PENDING, in_time).values(**values, decided_at=clock, decision=decision)
    late = update(approvals).where(chosen, _PENDING, A.expires_at <= clock).values(status="expired", decided_at=clock)
    if conn.execute(won).rowcount or conn.execute(late).rowcount:
        _free(conn, workspace, root)
    row = conn.execute(select(approvals).where(chosen)).one()
    return Decided(_approval(row), won=row.decision == decision)


def expire(conn: Connection, workspace_id: str, decision: str) -> list[ApprovalRow]:
    """The requests whose time was over; `decision` names this call."""
    workspace, clock = escape(workspace_id), now(conn)
    over = and_(A.workspace_id == workspace, _PENDING, A.expires_at <= clock)
    roots = conn.execute(select(A.root_execution_id).where(over).distinct().order_by(A.root_execution_id)).scalars()
    rows: list[ApprovalRow] = []
    for root in roots.all():
        _lock(conn, workspace, root)
        ids = conn.execute(select(A.id).where(over, A.root_execution_id == root)).scalars().all()
        these = and_(A.workspace_id == workspace, A.id.in_(ids))
        closed = update(approvals).where(these, over)
        conn.execute(closed.values(status="expired", decided_at=clock, decision=decision))
        rows += map(_approval, conn.execute(select(approvals).where(these, A.decision == decision)))
        _free(conn, workspace, root)
    return rows


def expired(conn: Connection, workspace_id: str, decision: str) -> list[ApprovalRow] | None:
    """What this call has marked as expired, or None."""
    mine = and_(A.workspace_id == escape(workspace_id), A.decision == decision)
    rows = conn.execute(select(approvals).where(mine).order_by(A.created_at, A.id)).all()
    return [_approval(row) for row in rows] or None


def _lock(conn: Connection, workspace: str, root: str) -> None:
    """The root of a tree decides who sees that none of its requests is left."""
    conn.execute(select(E.id).where(key(workspace, root)).with_for_update())


def _free(conn: Connection, workspace: str, root: str) -> None:
    waiting = and_(key(workspace, root), E.status == literal_column("'awaiting_approval'"))
    if not are_pending(conn, workspace, root):
        conn.execute(update(executions).where(waiting).values(status="pending"))


def _key(workspace: str, approval: str) -> ColumnElement[bool]:
    return and_(A.workspace_id == workspace, A.id == approval)


def _of_tree(workspace: str, root: str) -> ColumnElement[bool]:
    return and_(A.workspace_id == workspace, A.root_execution_id == root)


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
