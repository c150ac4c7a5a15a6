"""Queries over SQLite, each on a guarded connection of its own, off the event loop and within limits."""

from __future__ import annotations

import asyncio
import base64
import math
import os
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar, cast

from promptrails_engine.datasources.guard import guard, tables_of
from promptrails_engine.datasources.limits import QueryLimits, Stop
from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.definitions.placeholders import placeholders
from promptrails_engine.errors import (
    DataSourceError,
    DataSourceUnavailableError,
    QueryInvalidError,
    QueryLimitError,
)
from promptrails_engine.ports.datasource import Column, Rows

_T = TypeVar("_T")
_AT_ONCE = 4
_STEPS = 5000
"""Of SQLite's machine between two looks at the time: well below a millisecond."""
_BIG = 1 << 63
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PROTOCOL")
_BROKEN = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_NOMEM", "SQLITE_FULL")


class GuardedSource(ABC):
    """A data source over SQLite; `_connect` opens what is read."""

    kind = "sqlite"

    def __init__(self, name: str, limits: QueryLimits | None, tables: Collection[str] | None) -> None:
        self.name = name
        self._limits = limits or QueryLimits()
        self._tables = None if tables is None else tuple(tables)
        self._threads: ThreadPoolExecutor | None = None
        self._pid = 0

    @abstractmethod
    def _connect(self) -> sqlite3.Connection:
        """A new connection, used on this thread and closed soon."""

    # -------------------------------------------------------------- the port

    async def query(self, template: str, params: Mapping[str, Any]) -> Rows:
        """What the query finds.  A list or an object is bound as its JSON text: `json_each(:ids)` takes it apart.

        Raises:
            QueryInvalidError, QueryLimitError, DataSourceUnavailableError, DataSourceError.
        """
        values = self._values(template, params)

        def read(connection: sqlite3.Connection) -> Rows:
            with closing(connection.execute(template, values)) as cursor:
                return self._rows(cursor)

        return await self._run(read, template)

    async def list_tables(self) -> Sequence[str]:
        """The tables and views that may be read, in order.

        Raises:
            DataSourceError: the database cannot be read.
        """
        return await self._run(self._readable)

    async def describe_table(self, table: str) -> Sequence[Column]:
        """The columns of a table or view, in their order.

        Raises:
            QueryInvalidError: there is none of that name to be read.
            DataSourceError: the database cannot be read.
        """

        def read(connection: sqlite3.Connection) -> list[Column]:
            there = {name.lower(): name for name in self._readable(connection)}
            if table.lower() not in there:
                raise QueryInvalidError(
                    f"data source '{self.name}' has no table {table!r} to be read; there are: "
                    f"{', '.join(there.values()) or 'none'}"
                )
            connection.set_authorizer(None)  # this statement is not the caller's
            found = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
            return [Column(name, type) for name, type in found.fetchall()]

        return await self._run(read)

    async def aclose(self) -> None:
        """Nothing stays open between queries; those that still wait for a thread are given up."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    # -------------------------------------------------------------- on a thread

    async def _run(self, read: Callable[[sqlite3.Connection], _T], query: str = "") -> _T:
        if self._threads is None or self._pid != os.getpid():  # threads do not survive a fork
            self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=f"data source {self.name}")
            self._pid = os.getpid()
        stop = Stop()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._work, read, query, stop)
        except asyncio.CancelledError:
            stop.asked = True
            raise

    def _work(self, read: Callable[[sqlite3.Connection], _T], query: str, stop: Stop) -> _T:
        stop.begin(time.monotonic(), self._limits.timeout_s)
        try:
            with closing(self._connect()) as connection:
                connection.isolation_level = None  # or the driver begins transactions, which are refused
                connection.text_factory = _text
                connection.set_progress_handler(lambda: stop.due(time.monotonic()), _STEPS)
                guard(connection, self._limits, self._tables, query)
                return read(connection)
        except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError) as error:
            raise self._told(error, stop) from None

    def _readable(self, connection: sqlite3.Connection) -> list[str]:
        connection.set_authorizer(None)  # the caller's own names decide below
        allowed = None if self._tables is None else {name.lower() for name in self._tables}
        return [name for name in tables_of(connection) if allowed is None or name.lower() in allowed]

    def _rows(self, cursor: sqlite3.Cursor) -> Rows:
        if cursor.description is None:
            raise QueryInvalidError(f"the query of data source '{self.name}' gives no columns; write one SELECT")
        columns = [str(described[0]) for described in cursor.description]
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice:
            raise QueryInvalidError(
                f"the query of data source '{self.name}' gives two columns named {twice[0]!r}; name them apart with AS"
            )
        limits, used = self._limits, 0
        records: list[dict[str, Any]] = []
        for row in cursor:
            record = {name: _json(value) for name, value in zip(columns, row, strict=True)}
            used += len(compact_json(record).encode("utf-8", "surrogatepass"))
            if len(records) == limits.max_rows:
                raise self._too_much(f"more than {limits.max_rows} rows", "max_rows")
            if used > limits.max_bytes:
                raise self._too_much(f"more than {limits.max_bytes} bytes", "max_bytes")
            records.append(record)
        return Rows(columns, records)

    # -------------------------------------------------------------- values and errors

    def _values(self, template: str, params: Mapping[str, Any]) -> dict[str, Any]:
        names = placeholders(template)
        missing = [name for name in names if name not in params]
        if missing:
            raise QueryInvalidError(
                f"the query of data source '{self.name}' needs a value for {', '.join(f':{name}' for name in missing)}"
            )
        return {name: self._bindable(name, params[name]) for name in names}

    def _bindable(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, str | float):
            return value
        if isinstance(value, int) and -_BIG <= value < _BIG:
            return value
        if isinstance(value, list | dict):
            try:
                return compact_json(cast("Any", value))
            except (TypeError, ValueError):
                pass
        kind = type(cast("object", value)).__name__
        raise QueryInvalidError(
            f"the value for :{name} of data source '{self.name}' cannot be bound ({kind}); give text, "
            "a number of at most 64 bits, true, false, null, or a list or object of JSON data"
        )

    def _told(self, error: Exception, stop: Stop) -> DataSourceError:
        """The error of the tree for one of SQLite's."""
        name = str(getattr(error, "sqlite_errorname", "") or "")
        if stop.late and name.startswith("SQLITE_INTERRUPT"):
            return self._too_much(f"its answer only after {self._limits.timeout_s:g} s", "timeout_s")
        if name.startswith("SQLITE_TOOBIG"):
            return self._too_much(f"or works with a value of more than {self._limits.max_cell_bytes} bytes", _CELL)
        if name.startswith("SQLITE_AUTH") or str(error).startswith("not authorized"):
            return QueryInvalidError(
                f"the query of data source '{self.name}' wants more than it may ({error}): it may be one SELECT over "
                f"{_listed(self._tables)} with SQLite's own functions"
            )
        if name.startswith(_BUSY):
            return DataSourceUnavailableError(f"data source '{self.name}' cannot be read now: {error}; try again later")
        if name.startswith(_BROKEN):
            return DataSourceError(f"data source '{self.name}' cannot be read: {error}; look at the database")
        return QueryInvalidError(f"the query of data source '{self.name}' cannot be used: {error}")

    def _too_much(self, what: str, limit: str) -> QueryLimitError:
        return QueryLimitError(
            f"the query of data source '{self.name}' gives {what}; ask for less, or raise QueryLimits({limit}=...)"
        )


_CELL = "max_cell_bytes"


def _listed(tables: Sequence[str] | None) -> str:
    return "its tables" if tables is None else f"these tables: {', '.join(tables) or 'none'}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _json(value: Any) -> Any:
    """A value of SQLite as JSON data."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value
