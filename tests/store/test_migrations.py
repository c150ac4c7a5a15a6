"""The migrations make the tables that the code uses, in each database, also when many open one at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from promptrails_engine.errors import StoreVersionError
from promptrails_engine.store import SqlStore
from promptrails_engine.store.sql.database import Database, parse_url
from promptrails_engine.store.sql.schema import REVISIONS, prepare
from promptrails_engine.store.sql.tables import METADATA, VERSION_TABLE
from promptrails_engine.store.sql.upgrade import _MIGRATIONS, upgrade_to_head
from tests.store.migrated import run_once
from tests.warm.python import warm_python

pytestmark = pytest.mark.usefixtures("real_migrations")

OPEN = (
    "import asyncio, sys\n"
    "from promptrails_engine.store import SqlStore, sql\n"
    "from promptrails_engine.store.sql.upgrade import upgrade_to_head\n"
    "sql.upgrade_to_head = upgrade_to_head  # every process migrates, as it does for users\n"
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


def test_a_schema_that_is_remembered_is_that_of_the_migrations(tmp_path: Path) -> None:
    runs: list[str] = []

    def migrate(connection: Connection, version_table: str) -> None:
        runs.append(version_table)
        upgrade_to_head(connection, version_table)

    remembering = run_once(migrate)
    dumps: list[list[str]] = []
    for number in range(3):
        database = Database(parse_url(f"sqlite:///{tmp_path}/{number}.db"), "full")
        with database.engine.begin() as connection:
            if number == 2:
                connection.exec_driver_sql("CREATE TABLE theirs (id INTEGER)")
            remembering(connection, VERSION_TABLE)
            raw: Any = connection.connection.driver_connection
            dumps.append([line for line in raw.iterdump() if "theirs" not in line])
        database.engine.dispose()
    assert dumps[0] == dumps[1] == dumps[2]
    assert len(dumps[0]) > 20
    assert runs == [VERSION_TABLE] * 2, "the second file is the one that had nothing in it when the schema was known"


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
