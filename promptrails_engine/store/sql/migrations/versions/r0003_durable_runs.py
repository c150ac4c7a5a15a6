"""Journals, owners with their leases, and approvals.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TABLE = "pr_executions"


def upgrade() -> None:
    _executions()
    _journal()
    _approvals()


def _string(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, _STRING, nullable=nullable)


def _strings(*names: str) -> list[sa.Column[str]]:
    return [_string(name) for name in names]


def _index(name: str, table: str, columns: list[str], *, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def _executions() -> None:
    for column in (
        _string("owner", nullable=True),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("cancel_requested_at", sa.Double),
        _string("limits", nullable=True),
        _string("journal", nullable=True),
    ):
        op.add_column(_TABLE, column)
    # None of them holds an execution that nobody else may take up, or one whose beginning and end are written together.
    _index(
        "pr_executions_queue",
        _TABLE,
        ["workspace_id", "agent_id", "created_at", "id"],
        where="status = 'pending' AND parent_execution_id IS NULL",
    )
    _index(
        "pr_executions_owner",
        _TABLE,
        ["workspace_id", "owner", "agent_id", "created_at", "id"],
        where="status = 'running' AND owner IS NOT NULL AND parent_execution_id IS NULL",
    )
    _index(
        "pr_executions_cancel",
        _TABLE,
        ["owner"],
        where="status = 'running' AND cancel_requested_at IS NOT NULL",
    )


def _journal() -> None:
    op.create_table(
        "pr_journal",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        *_strings("workspace_id", "execution_id", "key_key", "key", "kind", "effect", "state", "value"),
        sa.UniqueConstraint("workspace_id", "execution_id", "key_key", name="pr_journal_key"),
    )
    op.create_table(
        "pr_leases",
        _string("owner"),
        sa.Column("until", sa.Double, nullable=False),
        _string("claim", nullable=True),
        _string("claimed", nullable=True),
        sa.PrimaryKeyConstraint("owner", name="pr_leases_key"),
    )


def _approvals() -> None:
    op.create_table(
        "pr_approvals",
        *_strings("workspace_id", "id", "execution_id", "root_execution_id", "agent_id", "key_key", "key"),
        *_strings("checkpoint_name", "payload", "digest"),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        *_strings("status", "reason", "decided_by"),
        sa.Column("decided_at", sa.Double),
        _string("decision", nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pr_approvals_id"),
        sa.UniqueConstraint("workspace_id", "execution_id", "key_key", name="pr_approvals_key"),
    )
    _index("pr_approvals_list", "pr_approvals", ["workspace_id", "created_at", "id"])
    _index("pr_approvals_pending", "pr_approvals", ["workspace_id", "root_execution_id"], where="status = 'pending'")
    _index(
        "pr_approvals_expiry",
        "pr_approvals",
        ["workspace_id", "expires_at"],
        where="status = 'pending' AND expires_at IS NOT NULL",
    )
