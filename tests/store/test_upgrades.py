"""A database of an older schema is brought up to date with what is in it, in each database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import insert

from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.store import ExecutionFilter, ExecutionRow, SpanFilter
from promptrails_engine.store import SqlStore
from promptrails_engine.store.sql.database import Database, parse_url
from promptrails_engine.store.sql.rows import end_values, events_text, identity_values, span_values
from promptrails_engine.store.sql.schema import VERSION_TABLE
from promptrails_engine.store.sql.tables import executions, spans
from promptrails_engine.store.sql.upgrade import _MIGRATIONS
from promptrails_engine.testing.store_conformance.rows import ended, events, execution, span, trace_of

pytestmark = pytest.mark.usefixtures("real_migrations")

KIN = {"parent_execution_id", "root_execution_id"}
DURABLE = {"owner", "attempt", "cancel_requested_at", "limits", "journal"}


def filled(url: str, revision: str, rows: list[ExecutionRow], new: set[str]) -> None:
    """Make a database of an older revision that holds these executions, each with a span and its events."""
    database = Database(parse_url(url), "full")
    with database.engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        config.attributes["version_table"] = VERSION_TABLE
        command.upgrade(config, revision)
        for row in rows:
            said = events_text(events(row, row.id)) if row.status == "completed" else None
            values = zip(executions.c.keys(), (*identity_values(row), *end_values(row), said, None), strict=True)
            connection.execute(insert(executions).values({name: value for name, value in values if name not in new}))
            (spanned,) = span_values([span(trace_of(row), row.id)])
            connection.execute(insert(spans).values(dict(zip(spans.c.keys(), spanned, strict=True))))
    database.engine.dispose()


async def listed(store: SqlStore, **where: Any) -> list[ExecutionRow]:
    rows, total = await store.list_executions("ws", ExecutionFilter(**where), offset=0, limit=9)
    assert total == len(rows)
    return rows


async def test_executions_of_the_first_schema_become_roots(empty: str) -> None:
    row = ended(execution("ws"))
    filled(empty, "0001", [row], KIN | DURABLE)
    store = SqlStore(empty)
    await store.open()
    assert await listed(store, roots_only=True) == [row]
    child = ended(execution("ws", parent=row.id, root=row.id))
    await store.finish_execution(child, [], [])
    assert await listed(store, root_execution_id=row.id) == [child]
    await store.close()


@pytest.mark.parametrize("text", ["plain", "\ud800\x00"])
async def test_executions_of_the_second_schema_are_nobodys(empty: str, text: str) -> None:
    root = ended(execution("ws", session=text, metadata={text: text}))
    child = ended(execution("ws", parent=root.id, root=root.id, created_at=root.created_at + 1))
    running = execution("ws", created_at=root.created_at + 2)
    filled(empty, "0002", [root, child, running], DURABLE)
    store = SqlStore(empty)
    await store.open()
    assert await listed(store) == [running, child, root]
    for row in (root, child):
        assert await store.read_events("ws", row.id, 0) == events(row, row.id)
        assert await store.read_journal("ws", row.id) == []
    assert (await store.list_spans("ws", SpanFilter(), offset=0, limit=9))[1] == 3
    assert (await store.claim_executions("ws", "owner", limit=9, lapsed=True)).rows == []
    entry = JournalEntry("step", "llm", "pure", "done", {"text": text})
    await store.write_progress(running, [entry], [], [])
    await store.finish_execution(ended(running), [], [])
    assert await store.read_journal("ws", running.id) == [entry]
    await store.begin_execution(replace(execution("ws"), status="pending"), wait=True)
    assert len((await store.claim_executions("ws", "owner", limit=9, lapsed=True)).rows) == 1
    await store.close()
