"""The tests that every data source must pass.

Subclass it in a test module and run it with pytest (or call the `test_*` methods):

    class TestMySource(DataSourceConformance):
        echo = "SELECT :text AS text"
        endless = "SELECT ... without an end"
        writes = ("DELETE FROM orders",)

        def make(self) -> DataSource:
            return MySource(...)
"""

from __future__ import annotations

import asyncio
import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, TypeVar

from promptrails_engine.errors import DataSourceError, QueryInvalidError, QueryLimitError
from promptrails_engine.ports.datasource import Column, DataSource, Rows

T = TypeVar("T")
_HOSTILE = (
    "plain",
    "'",
    "x' OR '1'='1",
    "'; DROP TABLE orders; --",
    '"quoted"',
    ":other",
    "{{ text }} %s %(text)s ? $1",
    "\\' \\",
    "日本 🙂",
    "line\r\nline",
    "",
)
_AT_ONCE = 8


class DataSourceConformance(ABC):
    """What the port promises: values are bound, nothing is changed, answers have limits, and JSON data comes back."""

    echo: ClassVar[str]
    """A query that gives the value of `:text` back, in one row with one column."""
    endless: ClassVar[str]
    """A query that would never end, or give rows without end; `make` gives the source limits that it soon passes."""
    writes: ClassVar[Sequence[str]]
    """Statements that would change something if they were let."""
    broken: ClassVar[str] = "SELEKT nothing FROM"
    """A query that is none."""

    @abstractmethod
    def make(self) -> DataSource:
        """A source with at least one table, ready to be asked."""

    def rows_of(self, source: DataSource, table: str) -> Awaitable[Rows]:
        """All of a small table."""
        return source.query(f'SELECT * FROM "{table}"', {})

    # -------------------------------------------------------------- the form of an answer

    def test_it_is_a_data_source(self) -> None:
        source = self.make()
        assert isinstance(source, DataSource), "it lacks a member of the DataSource protocol"
        assert source.name, "the name is empty"
        assert source.kind, "the kind is empty"

    def test_rows_are_json_data_by_column(self) -> None:
        async def read(source: DataSource) -> None:
            for table in await source.list_tables():
                found = await self.rows_of(source, table)
                records = [dict(record) for record in found.records]
                assert json.loads(json.dumps(records, allow_nan=False)) == records
                assert len(set(found.columns)) == len(found.columns), "two columns of one name"
                assert all(list(record) == list(found.columns) for record in records)

        self._run(read)

    def test_tables_are_listed_and_described(self) -> None:
        async def look(source: DataSource) -> None:
            tables = list(await source.list_tables())
            assert tables, "make gave a source without tables"
            assert tables == sorted(set(tables))
            for table in tables:
                columns = await source.describe_table(table)
                assert columns
                assert all(isinstance(column, Column) and column.name for column in columns)

        self._run(look)

    def test_an_unknown_table_is_refused(self) -> None:
        self._refused(lambda source: source.describe_table("no_such_table_3f9a"), QueryInvalidError)

    # -------------------------------------------------------------- values

    def test_values_are_bound_whatever_they_hold(self) -> None:
        async def ask(source: DataSource) -> None:
            for text in _HOSTILE:
                found = await source.query(self.echo, {"text": text})
                assert [list(record.values()) for record in found.records] == [[text]], f"{text!r} came back changed"

        self._run(ask)

    def test_a_missing_value_is_named(self) -> None:
        error = self._refused(lambda source: source.query(self.echo, {"other": "x"}), QueryInvalidError)
        assert "text" in error.message

    def test_further_values_are_not_used(self) -> None:
        found = self._run(lambda source: source.query(self.echo, {"text": "a", "other": "b"}))
        assert [list(record.values()) for record in found.records] == [["a"]]

    def test_a_value_that_is_no_data_is_refused(self) -> None:
        self._refused(lambda source: source.query(self.echo, {"text": object()}), QueryInvalidError)

    def test_the_values_are_left_as_they_were(self) -> None:
        params: dict[str, Any] = {"text": "a", "other": [1]}
        before = copy.deepcopy(params)
        self._run(lambda source: source.query(self.echo, params))
        assert params == before

    # -------------------------------------------------------------- what is refused

    def test_nothing_can_be_changed(self) -> None:
        async def everything(source: DataSource) -> dict[str, list[Any]]:
            tables = await source.list_tables()
            return {table: [dict(record) for record in (await self.rows_of(source, table)).records] for table in tables}

        async def attempt(source: DataSource) -> None:
            before = await everything(source)
            for statement in self.writes:
                try:
                    await source.query(statement, {})
                except QueryInvalidError:
                    pass
                else:
                    raise AssertionError(f"it ran {statement!r}")
            assert await everything(source) == before

        assert self.writes, "name at least one statement that writes"
        self._run(attempt)

    def test_a_query_that_is_none_is_refused(self) -> None:
        self._refused(lambda source: source.query(self.broken, {}), QueryInvalidError)

    def test_an_answer_has_limits(self) -> None:
        error = self._refused(lambda source: source.query(self.endless, {}), QueryLimitError)
        assert not error.retryable, "the same query would pass the limit again"

    # -------------------------------------------------------------- use

    def test_queries_may_be_made_at_once(self) -> None:
        async def ask(source: DataSource) -> list[Rows]:
            return list(
                await asyncio.gather(*(source.query(self.echo, {"text": str(number)}) for number in range(_AT_ONCE)))
            )

        for number, found in enumerate(self._run(ask)):
            assert [list(record.values()) for record in found.records] == [[str(number)]]

    def test_a_cancelled_query_leaves_the_source_usable(self) -> None:
        async def give_up(source: DataSource) -> None:
            task = asyncio.ensure_future(source.query(self.endless, {}))
            await asyncio.sleep(0)
            task.cancel()
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            assert isinstance(outcome, asyncio.CancelledError | DataSourceError)
            assert (await source.query(self.echo, {"text": "still there"})).records

        self._run(give_up)

    def test_it_works_on_one_event_loop_after_another(self) -> None:
        source = self.make()
        for _ in range(2):
            asyncio.run(_awaited(source.query(self.echo, {"text": "a"})))
        asyncio.run(source.aclose())

    def test_it_may_be_closed_twice(self) -> None:
        source = self.make()

        async def close() -> None:
            await source.aclose()
            await source.aclose()

        asyncio.run(close())

    # -------------------------------------------------------------- helpers

    def _run(self, work: Callable[[DataSource], Awaitable[T]]) -> T:
        """What `work` comes to with a new source, on an event loop of its own."""
        source = self.make()

        async def run() -> T:
            try:
                return await work(source)
            finally:
                await source.aclose()

        return asyncio.run(run())

    def _refused(
        self, work: Callable[[DataSource], Awaitable[Any]], expected: type[DataSourceError]
    ) -> DataSourceError:
        try:
            self._run(work)
        except expected as error:
            return error
        raise AssertionError(f"it did not raise {expected.__name__}")


async def _awaited(work: Awaitable[T]) -> T:
    return await work
