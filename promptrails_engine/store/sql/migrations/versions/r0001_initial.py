"""The first schema.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _definitions()
    _executions()
    _traces()
    _state()


def _string(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, _STRING, nullable=nullable)


def _strings(*names: str) -> list[sa.Column[str]]:
    return [_string(name) for name in names]


def _time(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=nullable)


def _key(name: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=name)


def _index(name: str, table: str, columns: list[str], *, where: str | None = None, unique: bool = False) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _definitions() -> None:
    op.create_table(
        "pr_definitions",
        *_strings("workspace_id", "kind", "id", "name", "name_key", "name_folded", "type", "status"),
        _string("current_version_id", nullable=True),
        _string("data"),
        _time("created_at"),
        _time("updated_at"),
        _key("pr_definitions_key", "workspace_id", "kind", "id"),
    )
    _index(
        "pr_definitions_name",
        "pr_definitions",
        ["workspace_id", "kind", "name_key"],
        where="status <> 'deleted'",
        unique=True,
    )
    op.create_table(
        "pr_versions",
        *_strings("workspace_id", "kind", "id", "definition_id"),
        sa.Column("seq", sa.Integer, nullable=False),
        *_strings("version", "version_key", "digest", "message", "data"),
        _time("created_at"),
        _key("pr_versions_key", "workspace_id", "kind", "id"),
        sa.UniqueConstraint("workspace_id", "kind", "definition_id", "version_key", name="pr_versions_label"),
        sa.UniqueConstraint("workspace_id", "kind", "definition_id", "seq", name="pr_versions_seq"),
    )
    op.create_table(
        "pr_stamps",
        _string("workspace_id"),
        sa.Column("stamp", sa.BigInteger, nullable=False),
        _key("pr_stamps_key", "workspace_id"),
    )


def _executions() -> None:
    op.create_table(
        "pr_executions",
        *_strings("workspace_id", "id", "agent_id", "agent_version_id", "trace_id"),
        *_strings("input", "version_lock", "metadata"),
        _time("created_at"),
        sa.Column("created_day", sa.Integer, nullable=False),
        *_strings("user_id", "session_id", "status"),
        _time("started_at", nullable=True),
        _time("completed_at", nullable=True),
        sa.Column("duration_ms", sa.BigInteger),
        _string("output", nullable=True),
        *_strings("error", "error_code", "token_usage"),
        sa.Column("total_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.Double),
        sa.Column("cost_known", sa.Double, nullable=False),
        sa.Column("truncated", sa.Boolean, nullable=False),
        _string("events", nullable=True),
        _key("pr_executions_key", "workspace_id", "id"),
    )
    _index("pr_executions_list", "pr_executions", ["workspace_id", "created_at", "id", "agent_id"])
    _caller_indexes("pr_executions", ["created_at", "id"])


def _traces() -> None:
    op.create_table(
        "pr_spans",
        *_strings("workspace_id", "execution_id", "span_id", "trace_id"),
        _string("trace_key", nullable=True),
        *_strings("agent_id", "session_id", "user_id", "kind", "status", "model_name"),
        _time("started_at"),
        _string("data"),
        _key("pr_spans_key", "workspace_id", "execution_id", "span_id"),
    )
    _index("pr_spans_list", "pr_spans", ["workspace_id", "started_at", "span_id"])
    _index("pr_spans_trace", "pr_spans", ["workspace_id", "trace_key", "execution_id"], where="trace_key IS NOT NULL")
    _caller_indexes("pr_spans", ["started_at", "span_id"])
    op.create_table(
        "pr_events",
        *_strings("workspace_id", "execution_id"),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        _string("data"),
        _key("pr_events_key", "workspace_id", "execution_id", "first_seq"),
    )


def _caller_indexes(table: str, order: list[str]) -> None:
    for column in ("session_id", "user_id"):
        where = f"{column} <> '' AND length({column}) <= 200"
        _index(f"{table}_{column.removesuffix('_id')}", table, ["workspace_id", column, *order], where=where)


def _state() -> None:
    op.create_table(
        "pr_cache",
        *_strings("workspace_id", "cache_key", "value"),
        _time("expires_at"),
        _key("pr_cache_key", "workspace_id", "cache_key"),
    )
    _index("pr_cache_expiry", "pr_cache", ["workspace_id", "expires_at"])
    op.create_table(
        "pr_state",
        *_strings("workspace_id", "scope_key", "key_key", "key", "value"),
        _key("pr_state_key", "workspace_id", "scope_key", "key_key"),
    )
