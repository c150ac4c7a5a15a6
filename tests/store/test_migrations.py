"""The migrations make the tables that the code uses, in each database, also when many open one at once."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from promptrails_engine.errors import StoreVersionError
from promptrails_engine.store import SqlStore
from promptrails_engine.store.sql.database import Database, parse_url
from promptrails_engine.store.sql.schema import REVISIONS, prepare
from promptrails_engine.store.sql.tables import METADATA, VERSION_TABLE
from promptrails_engine.store.sql.upgrade import _MIGRATIONS
from tests.warm.python import warm_python

OPEN = (
    "import asyncio, sys\n"
    "from promptrails_engine.store import SqlStore\n"
    "async def main():\n"
    "    store = SqlStore(sys.argv[1])\n"
    "    sys.stdin.readline()\n"
    "    await store.open()\n"
    "    await store.state_set('ws', 'scope', sys.argv[2], 1)\n"
    "    await store.close()\n"
    "asyncio.run(main())\n"
)


def test_the_revisions_are_those_of_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == REVISIONS


def test_the_tables_are_those_of_the_code(empty: str) -> None:
    database = Database(parse_url(empty), "full")
    prepare(database)
    ours = {table.name for table in METADATA.tables.values()}
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": VERSION_TABLE,
                "include_object": lambda _o, name, kind, _r, _c: kind == "column" or (kind == "table" and name in ours),
            },
        )
        assert compare_metadata(context, METADATA) == []
    database.engine.dispose()


def test_many_processes_open_one_empty_database(empty: str) -> None:
    processes = [warm_python().start(OPEN, empty, f"k{i}") for i in range(6)]
    ends = [process.communicate("go\n", timeout=100) for process in processes]
    assert [process.returncode for process in processes] == [0] * 6, [end[1] for end in ends]


async def test_all_of_them_can_be_read_after(empty: str) -> None:
    stores = [SqlStore(empty) for _ in range(3)]
    for store in stores:
        await store.open()
    await stores[0].state_set("ws", "scope", "k", 1)
    assert [await store.state_list("ws", "scope") for store in stores] == [{"k": 1}] * 3
    for store in stores:
        await store.close()


async def test_a_newer_schema_is_refused(empty: str) -> None:
    database = Database(parse_url(empty), "full")
    prepare(database)
    with database.engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    database.engine.dispose()
    with pytest.raises(StoreVersionError, match="newer"):
        await SqlStore(empty).open()
