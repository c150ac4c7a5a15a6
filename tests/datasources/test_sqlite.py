"""Queries over a SQLite file and over records: what they give, and what they are refused."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    ConfigurationError,
    DataSourceError,
    DataSourceUnavailableError,
    MemoryDataSource,
    QueryInvalidError,
    QueryLimitError,
    QueryLimits,
    SQLiteDataSource,
)

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS most FROM n"


async def records(source: Any, query: str, **params: Any) -> list[Any]:
    return list((await source.query(query, params)).records)


async def test_values_of_all_kinds_come_back_as_json(shop: Path):
    source = SQLiteDataSource("shop", shop)
    found = await source.query(
        "SELECT * FROM orders WHERE item = :item OR note = :note", {"item": "toaster", "note": ""}
    )
    assert list(found.columns) == ["id", "item", "pieces", "price", "note"]
    assert found.records == [
        {"id": 2, "item": "toaster", "pieces": 1, "price": None, "note": "it's :urgent"},
        {"id": 3, "item": "kettle", "pieces": 5, "price": 20.0, "note": ""},
    ]
    assert await records(source, "SELECT body FROM files WHERE name = 'raw'") == [{"body": "AP8="}]
    assert (await source.query("SELECT id, item FROM orders WHERE id > 9", {})).columns == ["id", "item"]


async def test_a_list_is_taken_apart_by_json_each(shop: Path):
    source = SQLiteDataSource("shop", shop, tables=["orders"])
    query = "SELECT id FROM orders WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id"
    assert await records(source, query, ids=[1, 3]) == [{"id": 1}, {"id": 3}]


async def test_what_looks_like_a_placeholder_in_a_text_is_none(shop: Path):
    source = SQLiteDataSource("shop", shop)
    query = "SELECT id, ':a' AS \":b\" FROM orders /* :c */ WHERE note = :note -- :d"
    assert await records(source, query, note="it's :urgent") == [{"id": 2, ":b": ":a"}]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT key FROM secrets",
        "SELECT count(*) AS n FROM secrets",
        "SELECT o.id FROM orders o JOIN Secrets s",
        "SELECT sql FROM sqlite_master",
        "SELECT (SELECT key FROM secrets) AS k FROM orders",
        "WITH x AS (SELECT * FROM secrets) SELECT * FROM x",
        "SELECT * FROM pragma_table_info('secrets')",
        "SELECT load_extension('x')",
        "SELECT readfile('/etc/hostname')",
        "SELECT randomblob(10)",
        "PRAGMA table_info(orders)",
        "EXPLAIN DELETE FROM orders",
    ],
)
async def test_only_what_was_named_can_be_read(shop: Path, query: str):
    source = SQLiteDataSource("shop", shop, tables=["orders"])
    with pytest.raises(QueryInvalidError, match="data source 'shop'") as caught:
        await source.query(query, {})
    assert "hidden" not in caught.value.message


async def test_a_view_that_was_named_may_read_what_was_not(shop: Path):
    source = SQLiteDataSource("shop", shop, tables=["keys"])
    assert await records(source, "SELECT key FROM keys") == [{"key": "hidden-3f9a"}]
    assert await source.list_tables() == ["keys"]
    assert [column.name for column in await source.describe_table("Keys")] == ["key"]
    with pytest.raises(QueryInvalidError, match="there are: keys"):
        await source.describe_table("secrets")
    assert await records(source, "SELECT count(*) AS n FROM keys") == [{"n": 1}]


@pytest.mark.parametrize(
    "query",
    [
        "WITH keys AS (SELECT * FROM files) SELECT * FROM keys",
        "WITH orders AS (SELECT * FROM secrets) SELECT * FROM orders",
        "SELECT * FROM (WITH keys(a, b) AS (SELECT * FROM files) SELECT a FROM keys)",
        "SELECT * FROM (SELECT * FROM files) AS keys",
        "SELECT keys.name FROM files AS keys",
        "SELECT key FROM keys UNION SELECT name FROM files",
        "SELECT key, (SELECT name FROM files) AS n FROM keys",
    ],
)
async def test_a_name_that_a_query_gives_itself_opens_nothing(shop: Path, query: str):
    source = SQLiteDataSource("shop", shop, tables=["keys", "orders"])
    with pytest.raises(QueryInvalidError, match="wants more than it may"):
        await source.query(query, {})


async def test_no_file_is_made_or_copied(shop: Path):
    source = SQLiteDataSource("shop", shop)
    there = sorted(shop.parent.iterdir())
    for statement in (f"VACUUM INTO '{shop.parent}/copy.db'", f"ATTACH '{shop.parent}/new.db' AS other"):
        with pytest.raises(QueryInvalidError, match="wants more than it may"):
            await source.query(statement, {})
    with pytest.raises(DataSourceUnavailableError, match="data source 'gone'"):
        await SQLiteDataSource("gone", shop.parent / "gone.db").query("SELECT 1 AS one", {})
    assert sorted(shop.parent.iterdir()) == there


@pytest.mark.parametrize(
    ("query", "params", "said"),
    [
        ("SELECT 1 AS a, 2 AS a", {}, "two columns named 'a'"),
        ("SELECT :a AS a", {}, "needs a value for :a"),
        ("SELECT :a AS a, :b AS b", {"a": 1}, "needs a value for :b"),
        ("SELECT :a AS a", {"a": 1 << 63}, "cannot be bound"),
        ("SELECT :a AS a", {"a": [object()]}, "cannot be bound"),
        ("SELECT :a AS a", {"a": "\ud800"}, "cannot be used"),
        ("SELECT ? AS a", {"a": 1}, "cannot be used"),
        ("SELECT colour FROM orders", {}, "no such column: colour"),
        ("-- nothing", {}, "write one SELECT"),
    ],
)
async def test_queries_that_cannot_be_used(shop: Path, query: str, params: Any, said: str):
    with pytest.raises(QueryInvalidError, match=said):
        await SQLiteDataSource("shop", shop).query(query, params)


@pytest.mark.parametrize(
    ("limits", "query", "said"),
    [
        (QueryLimits(timeout_s=0.05), ENDLESS, "timeout_s"),
        (QueryLimits(max_rows=2), "SELECT id FROM orders", "more than 2 rows"),
        (QueryLimits(max_bytes=20), "SELECT id FROM orders", "more than 20 bytes"),
        (QueryLimits(), "SELECT body FROM files", "max_cell_bytes"),
        (QueryLimits(), "SELECT length(hex(printf('%200000c', 'x'))) AS n", "max_cell_bytes"),
    ],
)
async def test_an_answer_that_passes_a_limit_is_an_error(shop: Path, limits: QueryLimits, query: str, said: str):
    with pytest.raises(QueryLimitError, match=said):
        await SQLiteDataSource("shop", shop, limits=limits).query(query, {})


async def test_as_many_rows_as_there_may_be_are_given(shop: Path):
    assert len(await records(SQLiteDataSource("s", shop, limits=QueryLimits(max_rows=3)), "SELECT id FROM orders")) == 3


async def test_cancelling_ends_the_query_itself(shop: Path):
    """There are four threads: were the queries to go on, the last one would wait for an hour."""
    source = SQLiteDataSource("shop", shop, limits=QueryLimits(timeout_s=3600))
    tasks = [asyncio.ensure_future(source.query(ENDLESS, {})) for _ in range(6)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(each) for each in ended} == {asyncio.CancelledError}
    assert await records(source, "SELECT 1 AS one") == [{"one": 1}]
    await source.aclose()


async def test_the_loop_goes_on_while_a_query_runs(shop: Path):
    source = SQLiteDataSource("shop", shop, limits=QueryLimits(timeout_s=3600))
    task = asyncio.ensure_future(source.query(ENDLESS, {}))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_file_that_somebody_holds_is_retryable(shop: Path):
    with closing(sqlite3.connect(shop, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        source = SQLiteDataSource("shop", shop, limits=QueryLimits(timeout_s=0.05))
        with pytest.raises(DataSourceUnavailableError, match="locked") as caught:
            await source.query("SELECT id FROM orders", {})
        assert caught.value.retryable


async def test_what_is_no_database_says_so(tmp_path: Path):
    path = tmp_path / "notes.txt"
    path.write_text("no database" * 100)
    with pytest.raises(DataSourceError, match="not a database"):
        await SQLiteDataSource("notes", path).query("SELECT 1 AS one", {})


async def test_changes_to_the_file_are_seen(shop: Path):
    source = SQLiteDataSource("shop", shop)
    assert await records(source, "SELECT count(*) AS n FROM orders") == [{"n": 3}]
    with closing(sqlite3.connect(shop)) as other:
        other.execute("DELETE FROM orders")
        other.commit()
    assert await records(source, "SELECT count(*) AS n FROM orders") == [{"n": 0}]


async def test_full_text_tables_can_be_searched(tmp_path: Path):
    path = tmp_path / "text.db"
    with closing(sqlite3.connect(path)) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE notes USING fts5(body)")
        except sqlite3.OperationalError:
            pytest.skip("this SQLite has no full-text search")
        connection.execute("INSERT INTO notes VALUES ('a green kettle'), ('a toaster')")
        connection.commit()
    source = SQLiteDataSource("text", path)
    query = "SELECT body FROM notes WHERE notes MATCH :words ORDER BY bm25(notes)"
    assert await records(source, query, words="green") == [{"body": "a green kettle"}]


async def test_records_are_kept_as_they_were():
    orders: list[dict[str, Any]] = [{"item": "kettle", "tags": ["a"]}, {"pieces": 2, "open": True}]
    source = MemoryDataSource("shop", {'or"ders': orders})
    orders.clear()
    assert await records(source, 'SELECT * FROM "or""ders"') == [
        {"item": "kettle", "tags": '["a"]', "pieces": None, "open": None},
        {"item": None, "tags": None, "pieces": 2, "open": 1},
    ]
    assert source.kind == "memory"


@pytest.mark.parametrize("tables", [{"empty": []}, {"odd": [{"x": object()}]}, {"sqlite_x": [{"x": 1}]}, {"": [{}]}])
def test_records_that_cannot_be_kept_are_refused(tables: Any):
    with pytest.raises(ConfigurationError, match="data source 'shop' cannot be kept"):
        MemoryDataSource("shop", tables)


@pytest.mark.parametrize("limits", [{"max_rows": 0}, {"timeout_s": -1}, {"max_bytes": "1"}])
def test_limits_are_above_nothing(limits: Any):
    with pytest.raises(ConfigurationError, match="must be above 0"):
        QueryLimits(**limits)


FORKING = """
import asyncio, os, sys
from promptrails_engine import SQLiteDataSource

source = SQLiteDataSource("shop", sys.argv[1])
count = lambda: asyncio.run(source.query("SELECT count(*) AS n FROM orders", {})).records
assert count() == [{"n": 3}]  # which makes its threads
child = os.fork()
if child == 0:
    os._exit(0 if count() == [{"n": 3}] else 1)
assert os.waitpid(child, 0)[1] == 0
print("both")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_threads_of_its_own(shop: Path):
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING, str(shop)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "both\n", done.stderr
