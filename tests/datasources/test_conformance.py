"""Both data sources that come with the library owe the port what any adapter owes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptrails_engine import MemoryDataSource, QueryLimits, SQLiteDataSource
from promptrails_engine.ports.datasource import DataSource
from promptrails_engine.testing import DataSourceConformance
from tests.datasources.conftest import make_shop

LIMITS = QueryLimits(timeout_s=5, max_rows=50)


class _OverSQLite(DataSourceConformance):
    echo = "SELECT :text AS text"
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    writes = (
        "INSERT INTO orders (item) VALUES ('x')",
        "UPDATE orders SET pieces = 0",
        "DELETE FROM orders",
        "DROP TABLE orders",
        "CREATE TABLE more (x)",
        "CREATE TEMP TABLE more (x)",
        "ATTACH ':memory:' AS other",
        "PRAGMA user_version = 7",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = ''",
        "BEGIN",
        "SELECT 1; DELETE FROM orders",
        "REINDEX",
        "VACUUM",
    )


class TestSQLite(_OverSQLite):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = make_shop(tmp_path / "shop.db")

    def make(self) -> DataSource:
        return SQLiteDataSource("shop", self.path, tables=["orders"], limits=LIMITS)


class TestMemory(_OverSQLite):
    def make(self) -> DataSource:
        return MemoryDataSource("shop", {"orders": [{"item": "kettle", "pieces": 2}, {"note": None}]}, limits=LIMITS)
