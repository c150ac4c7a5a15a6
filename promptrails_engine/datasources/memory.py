"""Records in memory to read from, with the same SQL as a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from promptrails_engine.datasources.guarded import GuardedSource
from promptrails_engine.datasources.limits import QueryLimits
from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.errors import ConfigurationError


class MemoryDataSource(GuardedSource):
    """Tables made of records, as they are now: what is done to the records later is not seen.

    A query is one SELECT of SQLite, with values bound to its `:name`s.  As there, true and false are 1 and 0; lists and
    objects are kept as their JSON text.
    """

    kind = "memory"

    def __init__(
        self, name: str, tables: Mapping[str, Sequence[Mapping[str, Any]]], *, limits: QueryLimits | None = None
    ) -> None:
        """`tables` holds the records of each; its columns are the keys of all, and what a record lacks is null.

        Raises:
            ConfigurationError: a table has no records, or they cannot be kept.
        """
        super().__init__(name, limits, None)
        try:
            self._image = _image(tables)
        except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
            raise ConfigurationError(f"the tables of data source '{name}' cannot be kept: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:")
        connection.deserialize(self._image)
        return connection


def _image(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """A database with these tables, as the bytes of its file."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for table, records in tables.items():
            columns = list(dict.fromkeys(key for record in records for key in record))
            if not columns:
                raise ValueError(f"table {table!r} has no columns; give it at least one record")
            connection.execute(f"CREATE TABLE {_quoted(table)} ({', '.join(map(_quoted, columns))})")
            marks = ", ".join("?" for _ in columns)
            connection.executemany(
                f"INSERT INTO {_quoted(table)} VALUES ({marks})",
                [[_kept(record.get(column)) for column in columns] for record in records],
            )
        connection.commit()
        return connection.serialize()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _kept(value: Any) -> Any:
    return compact_json(value) if isinstance(value, list | dict) else value
