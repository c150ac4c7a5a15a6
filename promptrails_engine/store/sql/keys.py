"""Which executions a statement is about."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, select, text, union_all

from promptrails_engine.ports.store import EXECUTION_TERMINAL
from promptrails_engine.store.sql.tables import executions

E = executions.c
_TERMINAL = ", ".join(f"'{status}'" for status in sorted(EXECUTION_TERMINAL))


def key(workspace: str, execution: str) -> ColumnElement[bool]:
    """The one with this id; both as they are stored."""
    return and_(E.workspace_id == workspace, E.id == execution)


def tree(workspace: str, roots: Sequence[str]) -> ColumnElement[bool]:
    """These roots and all below them; two ways to find them, since no index serves both at once."""
    one, other = executions.alias("roots").c, executions.alias("members").c
    found = union_all(
        select(one.id).where(one.workspace_id == workspace, one.id.in_(roots), one.root_execution_id.is_(None)),
        select(other.id).where(other.workspace_id == workspace, other.root_execution_id.in_(roots)),
    )
    return and_(E.workspace_id == workspace, E.id.in_(found))


def below(workspace: str, roots: Sequence[str]) -> ColumnElement[bool]:
    """All below these roots."""
    return and_(E.workspace_id == workspace, E.root_execution_id.in_(roots))


def going_on() -> ColumnElement[bool]:
    """Those that have not ended."""
    return and_(text(f"pr_executions.status NOT IN ({_TERMINAL})"))
