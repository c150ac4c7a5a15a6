"""Migrations that run once in a process: new SQLite files after the first get the schema that they came to.

Running them takes longer than most tests. What tests migrations themselves runs them each time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

Migrate = Callable[[Connection, str], None]


def run_once(migrate: Migrate) -> Migrate:
    """As `migrate`, and at once where a SQLite database has nothing in it."""
    script: list[str] = []

    def upgrade(connection: Connection, version_table: str) -> None:
        if connection.dialect.name != "sqlite" or _holds_anything(connection):
            migrate(connection, version_table)
        elif script:
            for statement in script:
                connection.exec_driver_sql(statement)
        else:
            migrate(connection, version_table)
            script.extend(_script_of(connection))

    return upgrade


def _holds_anything(connection: Connection) -> bool:
    return connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first() is not None


def _script_of(connection: Connection) -> list[str]:
    """What makes such a database: its statements word by word, and its rows."""
    raw: Any = connection.connection.driver_connection
    return [line for line in raw.iterdump() if not line.startswith(("BEGIN", "COMMIT", "PRAGMA"))]
