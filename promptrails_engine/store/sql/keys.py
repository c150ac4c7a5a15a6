"""Which executions a statement is about.

Building a statement takes SQLAlchemy ten times as long as running it.  So all that runs often is built once, when its
module is loaded or, where it depends on the database, when it is first needed; what differs between calls are
parameters.  Those of the conditions here are `workspace`, `execution`, `root` and `roots`, all as they are stored.
"""

from __future__ import annotations

from sqlalchemy import and_, bindparam, select, text, union_all

from promptrails_engine.ports.store import EXECUTION_TERMINAL
from promptrails_engine.store.sql.tables import executions

E = executions.c
_roots, _members = executions.alias("roots").c, executions.alias("members").c
_terminal = ", ".join(f"'{status}'" for status in sorted(EXECUTION_TERMINAL))

WORKSPACE = E.workspace_id == bindparam("workspace")
EXECUTION = and_(WORKSPACE, E.id == bindparam("execution"))
ROOT = and_(WORKSPACE, E.id == bindparam("root"))
ROOTS = and_(WORKSPACE, E.id.in_(bindparam("roots", expanding=True)))
BELOW = and_(WORKSPACE, E.root_execution_id.in_(bindparam("roots", expanding=True)))
"""All below these roots."""
TREES = and_(
    WORKSPACE,
    E.id.in_(
        union_all(
            select(_roots.id).where(
                _roots.workspace_id == bindparam("workspace"),
                _roots.id.in_(bindparam("roots", expanding=True)),
                _roots.root_execution_id.is_(None),
            ),
            select(_members.id).where(
                _members.workspace_id == bindparam("workspace"),
                _members.root_execution_id.in_(bindparam("roots", expanding=True)),
            ),
        )
    ),
)
"""These roots and all below them; two ways to find them, since no index serves both at once."""
GOING_ON = text(f"pr_executions.status NOT IN ({_terminal})")
"""Those that have not ended."""
