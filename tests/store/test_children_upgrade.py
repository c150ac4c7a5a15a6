"""A database of the first schema is brought up to date with what is in it, in each database."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import insert

from promptrails_engine.ports.store import ExecutionFilter
from promptrails_engine.store import SqlStore
from promptrails_engine.store.sql.database import Database, parse_url
from promptrails_engine.store.sql.rows import end_values, identity_values
from promptrails_engine.store.sql.schema import VERSION_TABLE
from promptrails_engine.store.sql.tables import executions
from promptrails_engine.store.sql.upgrade import _MIGRATIONS
from promptrails_engine.testing.store_conformance.rows import ended, execution

NEW = {"parent_execution_id", "root_execution_id"}


async def test_executions_of_the_first_schema_become_roots(empty: str) -> None:
    row = ended(execution("ws"))
    database = Database(parse_url(empty), "full")
    with database.engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        config.attributes["version_table"] = VERSION_TABLE
        command.upgrade(config, "0001")
        values = zip(executions.c.keys(), (*identity_values(row), *end_values(row), None), strict=True)
        old = {name: value for name, value in values if name not in NEW}
        connection.execute(insert(executions).values(old))
    database.engine.dispose()
    store = SqlStore(empty)
    await store.open()
    assert await store.list_executions("ws", ExecutionFilter(roots_only=True), offset=0, limit=9) == ([row], 1)
    child = ended(execution("ws", parent=row.id, root=row.id))
    await store.finish_execution(child, [], [])
    assert await store.list_executions("ws", ExecutionFilter(root_execution_id=row.id), offset=0, limit=9) == (
        [child],
        1,
    )
    await store.close()
