"""The data-source port: an adapter that answers queries of a definition, and changes nothing.

An adapter owes:

* values that are bound, never written into the query: `:name` stands for the value of that name;
* reading alone: whatever else a query asks for is refused;
* limits of its own on rows, bytes and seconds: a query that passes one is an error, never a shorter answer;
* errors of `promptrails_engine.errors` and no others, with no credential in their texts;
* that cancelling the task which waits for an answer ends the query.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query found."""

    columns: Sequence[str]
    """Their names, no two alike; also where there are no rows."""
    records: Sequence[Mapping[str, Any]]
    """JSON data by name of the column, in the order of the answer."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    type: str = ""
    """In the source's own words, such as `INTEGER`; empty where it has none."""


@runtime_checkable
class DataSource(Protocol):
    """Something to read from: tables, and queries over them in its own language."""

    @property
    def name(self) -> str:
        """The name by which definitions ask for it."""
        ...

    @property
    def kind(self) -> str:
        """What it is, such as `sqlite`."""
        ...

    def query(self, template: str, params: Mapping[str, Any]) -> Awaitable[Rows]:
        """What a query finds; each `:name` in it stands for the value of that name, and further values are not used.

        Texts, numbers, booleans and None are taken everywhere; what else is, is up to the source.

        Raises:
            QueryInvalidError: the query or a value cannot be used, a value is missing, or it wants more than to read.
            QueryLimitError: there are too many rows or bytes, or it takes too long.
            DataSourceUnavailableError: the source cannot be reached, or is busy.
            DataSourceError: it failed otherwise.
        """
        ...

    def list_tables(self) -> Awaitable[Sequence[str]]:
        """The names of what can be read, in order.

        Raises:
            DataSourceError: it cannot say.
        """
        ...

    def describe_table(self, table: str) -> Awaitable[Sequence[Column]]:
        """The columns of a table, in their order.

        Raises:
            QueryInvalidError: there is no such table to be read.
            DataSourceError: it cannot say.
        """
        ...

    async def aclose(self) -> None:
        """Close connections.  May be called twice."""
        ...
