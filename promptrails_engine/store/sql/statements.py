"""The hot statements, built with SQLAlchemy once per database and run as text with plain tuples.

All of them may run twice: a transaction is repeated when its outcome is unknown, so each write is keyed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import chain
from typing import Any

from sqlalchemy import Column, Integer, Table, and_, bindparam, literal_column, or_, select, text
from sqlalchemy.dialects import registry
from sqlalchemy.engine import Dialect

from promptrails_engine.ports.store import EXECUTION_TERMINAL
from promptrails_engine.store.sql.tables import IDENTITY_COLUMNS, JOURNAL_ROW, events, executions, journal, spans

_POSITIONAL = {"sqlite": ("sqlite.pysqlite", "qmark"), "postgresql": ("postgresql.psycopg", "format")}
"""Driver and style of parameters, by dialect."""
BLOCKS = (64, 32, 16, 8, 7, 6, 5, 4, 3, 2)
"""Rows of one statement in SQLite.  After each one the thread has to wait for the interpreter's lock, which beside a
busy loop costs more than the rows.  (PostgreSQL's driver sends many in one batch.)"""


_E = executions.c
_MARKED = (_E.id, _E.cancel_requested_at.is_not(None))
_NAMED = (_E.workspace_id == bindparam("workspace_id"), _E.id == bindparam("id"))
_OWNED = and_(_E.status == literal_column("'running'"), _E.owner.is_not_distinct_from(bindparam("owner")))


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
        self.begin = _compiled(insert_into(executions, dialect_name).on_conflict_do_nothing(), dialect, executions)
        """A running execution; one that is there already stays as it is."""
        self.finish = _compiled(_finish(dialect_name), dialect, executions)
        """The end of an execution: the whole row; of one that is there, is the owner's and has not ended, its end."""
        self.spans = _compiled(_new_spans(dialect_name), dialect, spans)
        self.events = _compiled(_longer_events(dialect_name), dialect, events)
        self.journal = _compiled(_new_entries(dialect_name), dialect, journal, JOURNAL_ROW)
        self.fence = _fence(dialect)
        """Of an execution that is running and the owner's, given with its workspace, id and owner: its id, and whether
        somebody wants it cancelled.  It stays so until the transaction ends."""
        self.fence_below = _fence_below(dialect)
        """As `fence`, after those above it, the topmost first; they stay as they are too."""


@cache
def hot_statements(dialect_name: str) -> HotStatements:
    """Those of this dialect."""
    return HotStatements(dialect_name)


def _new_spans(dialect_name: str) -> Any:
    """Spans; those that are there already stay."""
    return insert_into(spans, dialect_name).on_conflict_do_nothing()


def _longer_events(dialect_name: str) -> Any:
    """A block of events: of two that begin alike the longer one counts."""
    block = insert_into(events, dialect_name)
    return block.on_conflict_do_update(
        index_elements=[events.c.workspace_id, events.c.execution_id, events.c.first_seq],
        set_={name: block.excluded[name] for name in ("last_seq", "data")},
        where=block.excluded.last_seq > events.c.last_seq,
    )


def _new_entries(dialect_name: str) -> Any:
    """Journal entries: one replaces an intent of the same key, never an outcome."""
    entry = insert_into(journal, dialect_name).inline()
    entry = entry.values({column.name: bindparam(column.name) for column in JOURNAL_ROW})
    return entry.on_conflict_do_update(
        index_elements=[journal.c.workspace_id, journal.c.execution_id, journal.c.key_key],
        set_={name: entry.excluded[name] for name in ("kind", "effect", "state", "value")},
        where=text("pr_journal.state <> 'done'"),
    )


def _finish(dialect_name: str) -> Any:
    finish = insert_into(executions, dialect_name)
    terminal = ", ".join(f"'{status}'" for status in sorted(EXECUTION_TERMINAL))
    return finish.on_conflict_do_update(
        index_elements=[executions.c.workspace_id, executions.c.id],
        set_={column.name: finish.excluded[column.name] for column in list(executions.c)[IDENTITY_COLUMNS:]},
        where=and_(
            text(f"pr_executions.status NOT IN ({terminal})"),
            executions.c.owner.is_not_distinct_from(finish.excluded.owner),
        ),
    )


def _fence(dialect: Dialect) -> str:
    statement = select(*_MARKED).where(*_NAMED, _OWNED)
    return _text(statement.with_for_update(read=True), dialect)


def _fence_below(dialect: Dialect) -> str:
    columns = (_E.workspace_id, _E.id, _E.parent_execution_id)
    line = select(*columns, literal_column("0", Integer).label("up")).where(*_NAMED).cte("line", recursive=True)
    above = and_(_E.workspace_id == line.c.workspace_id, _E.id == line.c.parent_execution_id)
    line = line.union_all(select(*columns, line.c.up + literal_column("1", Integer)).where(above))
    joined = executions.join(line, and_(_E.workspace_id == line.c.workspace_id, _E.id == line.c.id))
    # Asked of the locked row, which may be another one than the line was found with.
    still = or_(line.c.up > literal_column("0", Integer), _OWNED)
    statement = select(*_MARKED).select_from(joined).where(still).order_by(line.c.up.desc())
    return _text(statement.with_for_update(read=True, of=executions), dialect)


def _text(statement: Any, dialect: Dialect) -> str:
    compiled = statement.compile(dialect=dialect)
    if compiled.positiontup != ["workspace_id", "id", "owner"]:
        raise AssertionError(f"parameters of a fence are not in their order: {compiled.positiontup}")
    return str(compiled)


def _compiled(
    statement: Any, dialect: Dialect, table: Table, columns: Sequence[Column[Any]] | None = None
) -> RowsStatement:
    compiled = statement.compile(dialect=dialect)
    expected = [column.name for column in columns or table.c]
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
