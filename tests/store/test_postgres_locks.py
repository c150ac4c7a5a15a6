"""In PostgreSQL a write that waits for another transaction sees what that one has changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from promptrails_engine.errors import FencedError, PromptRailsError, RunCancelledError
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.store import SqlStore
from promptrails_engine.store.sql.database import Database, parse_url
from promptrails_engine.testing.store_conformance.rows import execution, intent, owned, unique


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[SqlStore]:
    opened = SqlStore(postgres_url, durability="relaxed")
    await opened.open()
    yield opened
    await opened.close()


async def line(store: SqlStore) -> list[ExecutionRow]:
    """A root, its child, and so on: each the parent of the next."""
    ws = unique("ws")
    rows = [owned(execution(ws), "p1")]
    for _ in range(3):
        rows.append(replace(owned(execution(ws), "p1"), parent_execution_id=rows[-1].id, root_execution_id=rows[0].id))
    for row in rows:
        await store.begin_execution(row, wait=True)
    return rows


def wait_for_who_waits(asked: Database, blocker: int) -> None:
    """Return once a transaction waits for that one."""
    query = text("SELECT count(*) FROM pg_stat_activity WHERE :blocker = ANY(pg_blocking_pids(pid))")
    with asked.engine.connect() as connection:
        while not connection.execute(query, {"blocker": blocker}).scalar():
            connection.rollback()
            time.sleep(0.01)


@pytest.mark.parametrize(("writer", "changed"), [(writer, place) for writer in range(4) for place in range(writer + 1)])
async def test_an_intent_waits_for_who_cancels_its_run_or_one_above_it(
    store: SqlStore, postgres_url: str, writer: int, changed: int
) -> None:
    rows = await line(store)
    mark = "cancel_requested_at = 1"
    assert await meanwhile(store, postgres_url, rows[writer], rows[changed], mark, commits=False) is None
    error = await meanwhile(store, postgres_url, rows[writer], rows[changed], mark, commits=True)
    assert isinstance(error, RunCancelledError)
    assert error.details == {"execution_id": rows[changed].id}


@pytest.mark.parametrize("change", ["owner = 'p2'", "status = 'failed'"])
@pytest.mark.parametrize("writer", range(3))
async def test_an_intent_waits_for_who_takes_over_its_run_or_ends_it(
    store: SqlStore, postgres_url: str, writer: int, change: str
) -> None:
    row = (await line(store))[writer]
    assert await meanwhile(store, postgres_url, row, row, change, commits=False) is None
    assert isinstance(await meanwhile(store, postgres_url, row, row, change, commits=True), FencedError)


async def meanwhile(
    store: SqlStore, url: str, writer: ExecutionRow, changed: ExecutionRow, change: str, *, commits: bool
) -> PromptRailsError | None:
    """With what an intent is refused, if it is, whose write began while the change was under way."""
    other = Database(parse_url(url), "full")
    with other.engine.connect() as connection:
        connection.execute(text(f"UPDATE pr_executions SET {change} WHERE id = :id"), {"id": changed.id})
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        writing = asyncio.create_task(_written(store, writer))
        await asyncio.to_thread(wait_for_who_waits, other, pid)
        assert not writing.done()
        if commits:
            connection.commit()
        else:
            connection.rollback()
        error = await writing
    other.engine.dispose()
    return error


async def _written(store: SqlStore, row: ExecutionRow) -> PromptRailsError | None:
    try:
        await store.write_progress(row, [intent("a")], (), ())
    except PromptRailsError as error:
        return error
    return None
