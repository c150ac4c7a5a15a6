"""Which executions a statement is about."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, or_, text

from promptrails_engine.ports.store import EXECUTION_TERMINAL
from promptrails_engine.store.sql.tables import executions

E = executions.c
_TERMINAL = ", ".join(f"'{status}'" for status in sorted(EXECUTION_TERMINAL))


def key(workspace: str, execution: str) -> ColumnElement[bool]:
    """The one with this id; both as they are stored."""
    return and_(E.workspace_id == workspace, E.id == execution)


def tree(workspace: str, roots: Sequence[str]) -> ColumnElement[bool]:
    """These roots and all below them."""
    return and_(E.workspace_id == workspace, or_(E.id.in_(roots), E.root_execution_id.in_(roots)))


def below(workspace: str, roots: Sequence[str]) -> ColumnElement[bool]:
    """All below these roots."""
    return and_(E.workspace_id == workspace, E.root_execution_id.in_(roots))


def going_on() -> ColumnElement[bool]:
    """Those that have not ended."""
    return and_(text(f"pr_executions.status NOT IN ({_TERMINAL})"))
