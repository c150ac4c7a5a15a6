"""A PostgreSQL server that is away, refuses, breaks off, or comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url, text

from promptrails_engine.errors import StoreUnavailableError
from promptrails_engine.ports.store import ExecutionFilter, SpanFilter
from promptrails_engine.store import SqlStore
from promptrails_engine.store.sql.database import Database, parse_url
from promptrails_engine.testing.store_conformance.rows import ended, events, execution, span, trace_of, unique
from tests.store.postgres_server import PostgresServer


def changed(url: str, **parts: object) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("parts", "hint"),
    [
        ({"port": 1}, "check that the server is up"),
        ({"password": "wrong-secret"}, "password"),
        ({"username": "nobody_here"}, "password"),
        ({"database": "no_such_database"}, "no_such_database"),
    ],
)
async def test_what_cannot_be_reached_says_what_to_do(postgres_url: str, parts: dict[str, object], hint: str) -> None:
    store = SqlStore(changed(postgres_url, **parts))
    with pytest.raises(StoreUnavailableError, match=hint) as raised:
        await store.open()
    shown = f"{raised.value!r} {raised.value} {raised.value.details}"
    assert "wrong-secret" not in shown
    assert make_url(postgres_url).password not in shown
    assert raised.value.__cause__ is None


async def test_a_connection_keeps_its_limits(postgres_url: str) -> None:
    for durability, commit in (("full", "on"), ("relaxed", "off")):
        store = SqlStore(postgres_url, durability=durability)  # type: ignore[arg-type]  # one of the two
        await store.open()
        assert store._session is not None
        with store._session._database.engine.connect() as connection:
            shown = {
                name: connection.execute(text(f"SHOW {name}")).scalar()
                for name in (
                    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit",
                )
            }  # fmt: skip
        assert shown == {
            "statement_timeout": "30s",
            "lock_timeout": "10s",
            "idle_in_transaction_session_timeout": "1min",
            "synchronous_commit": commit,
        }
        await store.close()


async def test_connections_that_break_off_are_made_again(postgres_url: str) -> None:
    ws = unique("ws")
    store = SqlStore(postgres_url)
    await store.open()
    admin = Database(parse_url(postgres_url), "full")
    written, stop, progress = 0, False, asyncio.Event()

    async def write(wait: bool) -> None:
        nonlocal written
        while not stop:
            row = execution(ws)
            await store.begin_execution(row, wait=wait)
            await store.finish_execution(ended(row), [span(trace_of(row))], events(row, "x"))
            assert await store.get_execution(ws, row.id) == ended(row)
            written += 1
            progress.set()

    writers = [asyncio.create_task(write(n % 2 == 0)) for n in range(4)]
    for _ in range(6):
        # More than the writers there are: so one of them at least has come round since the last break.
        enough = written + len(writers) + 1
        while written < enough:
            progress.clear()
            await progress.wait()
        assert await asyncio.to_thread(_break_connections, admin) > 0
    stop = True
    await asyncio.gather(*writers)
    _, executions = await store.list_executions(ws, ExecutionFilter(status="completed"), offset=0, limit=1)
    _, spans = await store.list_spans(ws, SpanFilter(), offset=0, limit=1)
    assert (executions, spans) == (written, written)
    await store.close()
    admin.engine.dispose()


def _break_connections(admin: Database) -> int:
    """How many there were."""
    with admin.engine.connect() as connection:
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'promptrails-engine' AND pid <> pg_backend_pid()"
        )
        return len(connection.execute(text(query)).all())


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.mark.once
async def test_a_server_that_restarts_is_waited_for_and_one_that_stays_away_is_named(
    own_server: PostgresServer,
) -> None:
    ws = unique("ws")
    store = SqlStore(own_server.url)
    await store.open()
    await store.state_set(ws, "s", "before", 1)
    await asyncio.to_thread(own_server.stop)
    write = asyncio.create_task(store.state_set(ws, "s", "during", 2))
    await asyncio.to_thread(own_server.launch)
    await write
    assert await store.state_list(ws, "s") == {"before": 1, "during": 2}
    await asyncio.to_thread(own_server.stop)
    row = execution(ws)
    for call in (
        store.state_set(ws, "s", "k", 1),
        store.finish_execution(ended(row), [], []),
        store.state_list(ws, "s"),
    ):
        with pytest.raises(StoreUnavailableError, match="check that the server is up"):
            await call
    await asyncio.to_thread(own_server.launch)
    await store.finish_execution(ended(row), [], [])
    assert await store.get_execution(ws, row.id) == ended(row)
    await store.close()


async def test_two_processes_stores_do_not_lose_each_others_writes(postgres_url: str) -> None:
    ws = unique("ws")
    stores = [SqlStore(postgres_url, durability="relaxed") for _ in range(3)]
    for store in stores:
        await store.open()
    row = execution(ws)
    await stores[0].begin_execution(row, wait=True)
    await asyncio.gather(
        *(store.update_metadata(ws, row.id, {f"k{n}_{i}": i}) for n, store in enumerate(stores) for i in range(20))
    )
    found = await stores[0].get_execution(ws, row.id)
    assert found is not None
    assert len(found.metadata) == 60
    for store in stores:
        await store.close()
