"""What a SQLite store says of a file it cannot use, and how it treats one it can."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from promptrails_engine.errors import StoreCorruptError, StoreError, StoreUnavailableError, StoreVersionError
from promptrails_engine.ports.store import ExecutionFilter, SpanFilter
from promptrails_engine.store import SqlStore
from promptrails_engine.store.sql import placement, transactions
from promptrails_engine.store.sql import writer as writer_module
from promptrails_engine.store.sql.file_lock import FileLock
from promptrails_engine.store.sql.schema import REVISIONS
from promptrails_engine.store.sql.tables import VERSION_TABLE
from promptrails_engine.testing.store_conformance.rows import ended, execution

pytestmark = pytest.mark.usefixtures("real_migrations")


def sql(path: Path, *statements: str) -> list[Any]:
    """The rows of the last statement."""
    connection = sqlite3.connect(path)
    try:
        rows: list[Any] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        connection.commit()
        return rows
    finally:
        connection.close()


async def opened(path: Path) -> None:
    store = SqlStore(path)
    await store.open()
    await store.close()


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"no directory '.*nowhere'.*Create it"):
        await opened(tmp_path / "nowhere" / "app.db")


async def test_a_directory_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="it is a directory"):
        await opened(tmp_path)


async def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a share"
    folder.mkdir()
    mounts = tmp_path / "mounts"
    mounts.write_text(f"disk / ext4 rw 0 0\nserver:/x {str(folder).replace(' ', chr(92) + '040')} nfs4 rw 0 0\n")
    monkeypatch.setattr(placement, "MOUNTS", mounts)
    with pytest.raises(StoreUnavailableError, match=r"network file system \(nfs4\).*PostgreSQL"):
        await opened(folder / "app.db")
    await opened(tmp_path / "local.db")
    monkeypatch.setattr(placement, "MOUNTS", tmp_path / "none")
    await opened(folder / "app.db")


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    path.write_bytes(b"not a database, " * 1000)
    with pytest.raises(StoreCorruptError, match="not a usable SQLite database"):
        await opened(path)
    assert path.read_bytes() == b"not a database, " * 1000


async def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    await opened(path)
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)
    with pytest.raises(StoreCorruptError):
        await opened(path)


async def test_damage_found_later_is_said_to_whoever_meets_it(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    await opened(path)
    sql(path, "DROP TABLE pr_executions")
    store = SqlStore(path)
    await store.open()
    row = execution("ws")
    with pytest.raises(StoreCorruptError, match="pr_executions"):
        await store.finish_execution(row, [], [])
    with pytest.raises(StoreCorruptError, match="pr_executions"):
        await store.get_execution("ws", row.id)
    await store.state_set("ws", "s", "k", 1)
    assert await store.state_get("ws", "s", "k") == 1
    await store.close()


async def test_a_newer_schema_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    await opened(path)
    sql(path, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(StoreVersionError, match=r"'9999'.*newer.*Upgrade the package"):
        await opened(path)
    assert path.read_bytes() == before


async def test_the_hosts_own_tables_stay(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    sql(path, "CREATE TABLE users (id INTEGER)", "CREATE TABLE alembic_version (version_num TEXT)")
    sql(path, "INSERT INTO users VALUES (7)", "INSERT INTO alembic_version VALUES ('hosts')")
    await opened(path)
    assert sql(path, "SELECT id FROM users") == [(7,)]
    assert sql(path, "SELECT version_num FROM alembic_version") == [("hosts",)]
    assert sql(path, f"SELECT version_num FROM {VERSION_TABLE}") == [(REVISIONS[-1],)]


async def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "app.db"
    sql(path, "CREATE TABLE pr_state (mine INTEGER)")
    with pytest.raises(StoreError):
        await opened(path)
    assert sql(path, "SELECT name FROM sqlite_master WHERE type = 'table'") == [("pr_state",)]


async def test_a_file_that_may_not_be_written_is_refused_when_it_is_opened() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "app.db"
        await opened(path)
        path.chmod(0o444)
        os.chmod(folder, 0o555)
        with as_nobody(), pytest.raises(StoreUnavailableError, match="read-only: make both writable"):
            await opened(path)
        os.chmod(folder, 0o755)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def mode_of(path: Path) -> str:
    """The file's own part of the mode: "wal", or "delete" for any other one."""
    return str(sql(path, "PRAGMA journal_mode")[0][0])


@pytest.mark.parametrize("version", [(3, 51, 2), (3, 51, 3), (4, 0, 0)])
@pytest.mark.parametrize("has_lock", [True, False])
@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("relaxed", 1)])
async def test_journal_and_durability_follow_the_rules(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    version: tuple[int, int, int],
    has_lock: bool,
    durability: Any,
    synchronous: int,
) -> None:
    mode = "wal" if has_lock or version >= (3, 51, 3) else "truncate"
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    if not has_lock:
        monkeypatch.setattr(FileLock, "is_supported", lambda self: False)
    caplog.set_level(logging.INFO, "promptrails_engine.store")
    store = SqlStore(tmp_path / "app.db", durability=durability)
    await store.open()
    assert store._session is not None
    for _ in range(2):  # another connection each time
        with store._session._database.engine.connect() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "busy_timeout", "mmap_size")
            }
            connection.invalidate()
        assert found == {"journal_mode": mode, "synchronous": synchronous, "busy_timeout": 30_000, "mmap_size": 0}
    await store.state_set("ws", "s", "k", 1)
    await store.close()
    said = [record for record in caplog.records if "journal_mode=TRUNCATE" in record.getMessage()]
    assert len(said) == (mode == "truncate")
    assert (tmp_path / "app.db-lock").exists() == has_lock


@pytest.mark.parametrize(("version", "mode"), [((3, 51, 2), "delete"), ((3, 51, 3), "wal")])
async def test_a_file_with_tables_of_the_host_is_in_wal_mode_only_where_that_needs_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], mode: str
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    path = tmp_path / "host.db"
    await opened(path)
    assert mode_of(path) == "wal"
    sql(path, "CREATE TABLE users (id INTEGER)")
    await opened(path)
    assert mode_of(path) == mode


async def test_a_file_that_a_virtual_machine_has_from_its_host_is_not_in_wal_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"disk / ext4 rw 0 0\nshare {tmp_path} virtiofs rw 0 0\n")
    monkeypatch.setattr(placement, "MOUNTS", mounts)
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    await opened(tmp_path / "app.db")
    assert mode_of(tmp_path / "app.db") == "delete"


async def test_a_file_in_truncate_mode_goes_over_to_wal_with_all_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "app.db"
    with monkeypatch.context() as patch:
        patch.setattr(FileLock, "is_supported", lambda self: False)
        patch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
        store = SqlStore(path)
        await store.open()
        row = execution("ws")
        await store.finish_execution(ended(row), [], [])
        await store.close()
    assert mode_of(path) == "delete"
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM pr_executions").fetchall()
    busy = SqlStore(path)
    await busy.open()  # not now: the file is in use
    assert "the file is in use" in caplog.text
    assert await busy.get_execution("ws", row.id) == ended(row)
    reader.execute("COMMIT")
    store = SqlStore(path)
    await store.open()
    assert mode_of(path) == "wal"
    # A store that was opened before goes on with it.
    await asyncio.gather(*(side.state_set("ws", "s", f"{n}", n) for side in (busy, store) for n in range(9)))
    assert await busy.get_execution("ws", row.id) == ended(row)
    assert len(await store.state_list("ws", "s")) == 9
    await busy.close()
    await store.close()
    reader.close()
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]
    assert not (tmp_path / "app.db-wal").exists()


async def test_relaxed_writes_come_to_the_disk_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "IDLE_S", 0.01)
    path = tmp_path / "app.db"
    store = SqlStore(path, durability="relaxed")
    await store.open()
    row = execution("ws")
    await store.finish_execution(ended(row), [], [])
    async with asyncio.timeout(30):
        while row.id not in ids_without_journal(path):  # noqa: ASYNC110  # it happens on a thread
            await asyncio.sleep(0.01)
    monkeypatch.setattr(writer_module, "IDLE_S", 1000.0)
    monkeypatch.setattr(transactions, "SYNC_S", 0.0)
    for _ in range(4):  # and also where there is no rest; one that had begun before may still come in between
        row = execution("ws")
        await store.finish_execution(ended(row), [], [])
        if row.id in ids_without_journal(path):
            break
    assert row.id in ids_without_journal(path)
    await store.close()


def ids_without_journal(path: Path) -> set[str]:
    """The executions in the main file alone, where only what was synced comes."""
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    try:
        return {id for (id,) in sql(copy, "PRAGMA journal_mode=DELETE", "SELECT id FROM pr_executions")}
    except sqlite3.DatabaseError:  # read in the middle of a checkpoint
        return set()


async def test_a_file_that_the_host_keeps_in_wal_mode_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
    path = tmp_path / "host.db"
    host = sqlite3.connect(path)
    host.execute("PRAGMA journal_mode=WAL")
    host.execute("CREATE TABLE users (id INTEGER)")
    host.commit()
    store = SqlStore(path)
    await store.open()
    await store.state_set("ws", "s", "k", 1)
    assert await store.state_get("ws", "s", "k") == 1
    await store.close()
    host.close()
    assert "the file is in use" in caplog.text


async def test_the_filters_that_have_an_index_use_it(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "app.db", durability="relaxed")
    await store.open()
    assert store._session is not None
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        statements.append((statement, parameters))

    event.listen(store._session._database.engine, "before_cursor_execute", note)
    for call, index in [
        (store.list_executions("ws", ExecutionFilter(), offset=0, limit=9), "pr_executions_list"),
        (store.list_executions("ws", ExecutionFilter(session_id="s"), offset=0, limit=9), "pr_executions_session"),
        (store.list_executions("ws", ExecutionFilter(user_id="u"), offset=0, limit=9), "pr_executions_user"),
        (store.list_spans("ws", SpanFilter(), offset=0, limit=9), "pr_spans_list"),
        (store.list_spans("ws", SpanFilter(trace_id="t"), offset=0, limit=9), "pr_spans_trace"),
        (store.list_spans("ws", SpanFilter(execution_id="e"), offset=0, limit=9), "pr_spans"),
        (store.list_spans("ws", SpanFilter(session_id="s"), offset=0, limit=9), "pr_spans_session"),
    ]:
        statements.clear()
        await call
        statement, parameters = statements[0]
        connection = sqlite3.connect(tmp_path / "app.db")
        plan = str(connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())
        connection.close()
        assert index in plan, statement
        assert "SCAN" not in plan, statement
    await store.close()


async def test_a_full_disk_fails_the_write_and_not_the_store(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "app.db", durability="relaxed")
    await store.open()
    row = execution("ws")
    await store.begin_execution(row, wait=True)
    assert store._session is not None
    writer = store._session._committer._connection
    assert writer is not None
    pages = writer.exec_driver_sql("PRAGMA page_count").scalar()
    writer.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    writer.rollback()
    with pytest.raises(StoreUnavailableError, match="disk is full"):
        await store.state_set("ws", "s", "k", "x" * 1_000_000)
    # The connection that failed is replaced, and with it the limit.
    await store.finish_execution(ended(row), [], [])
    assert await store.get_execution("ws", row.id) == ended(row)
    await store.close()
