"""The tables, one schema for SQLite and PostgreSQL.

Names begin with `pr_`, so they can live in the host's own database.  JSON is text that this package wrote (see
`store/codec.py`).  Text compares by code point in both databases.  The indexes are in the migrations alone; few, since
every one is paid for on each run: an execution has its key and one list index, a span its key, one list index and, once
per batch, an entry by trace.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()
VERSION_TABLE = "pr_schema_version"
STRING = Text().with_variant(Text(collation="C"), "postgresql")
KEY_LENGTH_LIMIT = 200
"""Longer session and user ids are kept, and left out of their index, where PostgreSQL takes no row over 2.7 kB."""


def _string(name: str) -> Column[str]:
    return Column(name, STRING, nullable=False)


definitions = Table(
    "pr_definitions",
    METADATA,
    _string("workspace_id"),
    _string("kind"),
    _string("id"),
    _string("name"),
    _string("name_key"),
    _string("name_folded"),
    _string("type"),
    _string("status"),
    Column("current_version_id", STRING),
    _string("data"),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    PrimaryKeyConstraint("workspace_id", "kind", "id", name="pr_definitions_key"),
)

versions = Table(
    "pr_versions",
    METADATA,
    _string("workspace_id"),
    _string("kind"),
    _string("id"),
    _string("definition_id"),
    Column("seq", Integer, nullable=False),
    _string("version"),
    _string("version_key"),
    _string("digest"),
    _string("message"),
    _string("data"),
    Column("created_at", Double, nullable=False),
    PrimaryKeyConstraint("workspace_id", "kind", "id", name="pr_versions_key"),
)

stamps = Table(
    "pr_stamps",
    METADATA,
    _string("workspace_id"),
    Column("stamp", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", name="pr_stamps_key"),
)

executions = Table(
    "pr_executions",
    METADATA,
    _string("workspace_id"),
    _string("id"),
    _string("agent_id"),
    _string("agent_version_id"),
    _string("trace_id"),
    _string("input"),
    _string("version_lock"),
    _string("metadata"),
    Column("created_at", Double, nullable=False),
    Column("created_day", Integer, nullable=False),
    _string("user_id"),
    _string("session_id"),
    Column("parent_execution_id", STRING),
    Column("root_execution_id", STRING),
    Column("owner", STRING),
    Column("attempt", Integer, nullable=False),
    Column("cancel_requested_at", Double),
    Column("limits", STRING),
    _string("status"),
    Column("started_at", Double),
    Column("completed_at", Double),
    Column("duration_ms", BigInteger),
    Column("output", STRING),
    _string("error"),
    _string("error_code"),
    _string("token_usage"),
    Column("total_tokens", BigInteger, nullable=False),
    Column("cost", Double),
    Column("cost_known", Double, nullable=False),
    Column("truncated", Boolean, nullable=False),
    Column("events", STRING),
    Column("journal", STRING),
    PrimaryKeyConstraint("workspace_id", "id", name="pr_executions_key"),
)
IDENTITY_COLUMNS = 18
"""The leading columns of an execution, which its end leaves as they are."""
EXECUTION_ROW = tuple(column for column in executions.c if column.name not in ("events", "journal"))
"""An execution without the events and journal entries that came with its end: rows for them would cost a third more."""

spans = Table(
    "pr_spans",
    METADATA,
    _string("workspace_id"),
    _string("execution_id"),
    _string("span_id"),
    _string("trace_id"),
    Column("trace_key", STRING),
    _string("agent_id"),
    _string("session_id"),
    _string("user_id"),
    _string("kind"),
    _string("status"),
    _string("model_name"),
    Column("started_at", Double, nullable=False),
    _string("data"),
    PrimaryKeyConstraint("workspace_id", "execution_id", "span_id", name="pr_spans_key"),
)


events = Table(
    "pr_events",
    METADATA,
    _string("workspace_id"),
    _string("execution_id"),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    _string("data"),
    PrimaryKeyConstraint("workspace_id", "execution_id", "first_seq", name="pr_events_key"),
)

journal = Table(
    "pr_journal",
    METADATA,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    _string("workspace_id"),
    _string("execution_id"),
    _string("key_key"),
    _string("key"),
    _string("kind"),
    _string("effect"),
    _string("state"),
    _string("value"),
    UniqueConstraint("workspace_id", "execution_id", "key_key", name="pr_journal_key"),
)
JOURNAL_ROW = tuple(column for column in journal.c if column.name != "seq")
"""An entry without its place in the order, which the database gives it."""

leases = Table(
    "pr_leases",
    METADATA,
    _string("owner"),
    Column("until", Double, nullable=False),
    Column("claim", STRING),
    Column("claimed", STRING),
    PrimaryKeyConstraint("owner", name="pr_leases_key"),
)
"""`claim` names the last claim that got something, and `claimed` what: it may have to be told twice."""

approvals = Table(
    "pr_approvals",
    METADATA,
    _string("workspace_id"),
    _string("id"),
    _string("execution_id"),
    _string("root_execution_id"),
    _string("agent_id"),
    _string("key_key"),
    _string("key"),
    _string("checkpoint_name"),
    _string("payload"),
    _string("digest"),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    _string("status"),
    _string("reason"),
    _string("decided_by"),
    Column("decided_at", Double),
    Column("decision", STRING),
    PrimaryKeyConstraint("workspace_id", "id", name="pr_approvals_id"),
    UniqueConstraint("workspace_id", "execution_id", "key_key", name="pr_approvals_key"),
)
"""`decision` names the call that decided it."""

cache = Table(
    "pr_cache",
    METADATA,
    _string("workspace_id"),
    _string("cache_key"),
    _string("value"),
    Column("expires_at", Double, nullable=False),
    PrimaryKeyConstraint("workspace_id", "cache_key", name="pr_cache_key"),
)

state = Table(
    "pr_state",
    METADATA,
    _string("workspace_id"),
    _string("scope_key"),
    _string("key_key"),
    _string("key"),
    _string("value"),
    PrimaryKeyConstraint("workspace_id", "scope_key", "key_key", name="pr_state_key"),
)

OWN_TABLES = frozenset({VERSION_TABLE, *METADATA.tables})
"""Every table of this package; any other one in the same database is the host's."""
