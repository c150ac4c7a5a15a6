"""Both data sources that come with the library owe the port what any adapter owes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import DataSourceError, MemoryDataSource, QueryLimits, SQLiteDataSource
from promptrails_engine.ports.datasource import DataSource, Rows
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


class _Interpolating(MemoryDataSource):
    """Writes the values into the query."""

    async def query(self, template: str, params: Mapping[str, Any]) -> Rows:
        written = template
        for name, value in params.items():
            written = written.replace(f":{name}", f"'{value}'")
        return await super().query(written, {})


class _Forgiving(MemoryDataSource):
    """Takes what it should refuse for an empty answer, and cuts what is too long."""

    async def query(self, template: str, params: Mapping[str, Any]) -> Rows:
        try:
            return await super().query(template, params)
        except DataSourceError:
            return Rows([], [])


class _Careless(MemoryDataSource):
    """Gives what is no JSON data, and two columns of one name."""

    async def query(self, template: str, params: Mapping[str, Any]) -> Rows:
        return Rows(["a", "a"], [{"a": b"raw"}])


@pytest.mark.parametrize(
    ("cls", "found"),
    [
        (_Interpolating, {"test_values_are_bound_whatever_they_hold", "test_a_value_that_is_no_data_is_refused"}),
        (
            _Forgiving,
            {
                "test_nothing_can_be_changed",
                "test_an_answer_has_limits",
                "test_a_missing_value_is_named",
                "test_a_query_that_is_none_is_refused",
            },
        ),
        (_Careless, {"test_rows_are_json_data_by_column", "test_values_are_bound_whatever_they_hold"}),
    ],
)
def test_a_broken_adapter_does_not_pass(cls: type[MemoryDataSource], found: set[str]) -> None:
    class Suite(TestMemory):
        def make(self) -> DataSource:
            return cls("shop", {"orders": [{"item": "kettle", "pieces": 2}]}, limits=LIMITS)

    failed: set[str] = set()
    for name in dir(Suite):
        if name.startswith("test_"):
            try:
                getattr(Suite(), name)()
            except Exception:
                failed.add(name)
    assert found <= failed
