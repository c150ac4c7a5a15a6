"""The stores keep the port's promises: in memory, in SQLite in each journal mode, in PostgreSQL."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from promptrails_engine.ports.store import Store
from promptrails_engine.store import MemoryStore, SqlStore
from promptrails_engine.store.sql.file_lock import FileLock
from promptrails_engine.testing import StoreConformance


class TestMemory(StoreConformance):
    def make(self) -> Store:
        return MemoryStore()


class TestSqlite(StoreConformance):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "app.db"

    def make(self) -> Store:
        return SqlStore(self.path, durability="relaxed")


@pytest.mark.once
class TestSqliteWithoutWal(TestSqlite):
    @pytest.fixture(autouse=True)
    def _no_lock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
        monkeypatch.setattr(FileLock, "is_supported", lambda self: False)


@pytest.mark.once
class TestPostgres(StoreConformance):
    @pytest.fixture(autouse=True)
    def _url(self, postgres_url: str) -> None:
        self.url = postgres_url

    def make(self) -> Store:
        return SqlStore(self.url)
