"""Data sources that come with the library: SQLite files, and records in memory.  Loaded at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

if TYPE_CHECKING:
    from promptrails_engine.datasources.limits import QueryLimits as QueryLimits
    from promptrails_engine.datasources.memory import MemoryDataSource as MemoryDataSource
    from promptrails_engine.datasources.sqlite import SQLiteDataSource as SQLiteDataSource

_HOMES = {
    "MemoryDataSource": "memory",
    "QueryLimits": "limits",
    "SQLiteDataSource": "sqlite",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
