"""A SQLite file to read from."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection
from pathlib import Path

from promptrails_engine.datasources.guarded import GuardedSource
from promptrails_engine.datasources.limits import QueryLimits

_BUSY_S = 5.0


class SQLiteDataSource(GuardedSource):
    """A file of tables, opened read-only anew for each query; it need not be there before the first.

    A query is one SELECT, with values bound to its `:name`s.  Blobs are given as base64 text.
    """

    def __init__(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        tables: Collection[str] | None = None,
        limits: QueryLimits | None = None,
    ) -> None:
        """`tables` are those, and the views, that may be read; all where it is None."""
        super().__init__(name, limits, tables)
        self._uri = f"{Path(path).absolute().as_uri()}?mode=ro"

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, uri=True, timeout=min(_BUSY_S, self._limits.timeout_s))
