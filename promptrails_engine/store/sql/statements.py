"""The hot statements, built with SQLAlchemy once per database and run as text with plain tuples.

All of them may run twice: a transaction is repeated when its outcome is unknown, so each write is keyed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from typing import Any

from sqlalchemy import Table, text
from sqlalchemy.dialects import registry
from sqlalchemy.engine import Dialect

from promptrails_engine.ports.store import EXECUTION_TERMINAL
from promptrails_engine.store.sql.tables import IDENTITY_COLUMNS, events, executions, spans

_POSITIONAL = {"sqlite": ("sqlite.pysqlite", "qmark"), "postgresql": ("postgresql.psycopg", "format")}
"""Driver and style of parameters, by dialect."""
BLOCKS = (64, 32, 16, 8, 7, 6, 5, 4, 3, 2)
"""Rows of one statement in SQLite.  After each one the thread has to wait for the interpreter's lock, which beside a
busy loop costs more than the rows.  (PostgreSQL's driver sends many in one batch.)"""


def insert_into(table: Table, dialect_name: str) -> Any:
    """An `INSERT` that knows `ON CONFLICT`; only the dialect in use is loaded."""
    return import_module(f"sqlalchemy.dialects.{dialect_name}").insert(table)


@dataclass(frozen=True, slots=True)
class RowsStatement:
    """An insert of one row; and of so many rows at once, most first."""

    one: str
    blocks: tuple[tuple[int, str], ...] = ()

    def execute(self, cursor: Any, rows: list[tuple[Any, ...]]) -> int:
        """How many rows were written or changed."""
        if len(rows) == 1:
            cursor.execute(self.one, rows[0])
            return int(cursor.rowcount)
        changed, start, left = 0, 0, len(rows)
        for size, sql in self.blocks:
            while left >= size:
                cursor.execute(sql, list(chain.from_iterable(rows[start : start + size])))
                changed += cursor.rowcount
                start += size
                left -= size
            if not left:
                return changed
        if left:
            cursor.executemany(self.one, rows[start:])
            changed += cursor.rowcount
        return changed


class HotStatements:
    """Text of the writes of a run, with positional parameters in the order of the tables' columns."""

    def __init__(self, dialect_name: str) -> None:
        driver, style = _POSITIONAL[dialect_name]
        dialect = registry.load(driver)(paramstyle=style)
        columns = list(executions.c)[IDENTITY_COLUMNS:]
        finish = insert_into(executions, dialect_name)
        terminal = ", ".join(f"'{status}'" for status in sorted(EXECUTION_TERMINAL))
        finish = finish.on_conflict_do_update(
            index_elements=[executions.c.workspace_id, executions.c.id],
            set_={column.name: finish.excluded[column.name] for column in columns},
            where=text(f"pr_executions.status NOT IN ({terminal})"),
        )
        self.begin = _compiled(insert_into(executions, dialect_name).on_conflict_do_nothing(), dialect, executions)
        """A running execution; one that is there already stays as it is."""
        self.finish = _compiled(finish, dialect, executions)
        """The end of an execution: the whole row, or of one that is there and has not ended its end."""
        self.spans = _compiled(insert_into(spans, dialect_name).on_conflict_do_nothing(), dialect, spans)
        block = insert_into(events, dialect_name)
        block = block.on_conflict_do_update(
            index_elements=[events.c.workspace_id, events.c.execution_id, events.c.first_seq],
            set_={name: block.excluded[name] for name in ("last_seq", "data")},
            where=block.excluded.last_seq > events.c.last_seq,
        )
        self.events = _compiled(block, dialect, events)
        """A block of events: of two that begin alike the longer one counts."""


def _compiled(statement: Any, dialect: Dialect, table: Table) -> RowsStatement:
    compiled = statement.compile(dialect=dialect)
    expected = [column.name for column in table.c]
    if list(compiled.positiontup) != expected:
        raise AssertionError(f"parameters of {table.name} are not in column order: {compiled.positiontup}")
    one = str(compiled)
    row = f"({', '.join('?' * len(expected))})"
    if row not in one:
        return RowsStatement(one)
    with closing(sqlite3.connect(":memory:")) as connection:
        most = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(expected)
    blocks = tuple((size, one.replace(row, ", ".join([row] * size))) for size in BLOCKS if size <= most)
    return RowsStatement(one, blocks)
