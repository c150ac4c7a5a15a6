"""Executions that other executions have started.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TABLE = "pr_executions"


def upgrade() -> None:
    for name in ("parent_execution_id", "root_execution_id"):
        op.add_column(_TABLE, sa.Column(name, _STRING, nullable=True))
    # Roots are told apart in the list's own index: the rows behind it are large.
    op.drop_index("pr_executions_list", _TABLE)
    op.create_index(
        "pr_executions_list", _TABLE, ["workspace_id", "created_at", "id", "agent_id", "parent_execution_id"]
    )
    for name in ("parent", "root"):
        condition = sa.text(f"{name}_execution_id IS NOT NULL")
        op.create_index(
            f"pr_executions_{name}",
            _TABLE,
            ["workspace_id", f"{name}_execution_id", "created_at", "id"],
            sqlite_where=condition,
            postgresql_where=condition,
        )
