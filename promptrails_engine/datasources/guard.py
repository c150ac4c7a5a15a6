"""What a query may do on a connection to SQLite: read, and nothing else.

A file that is opened read-only can still be copied (VACUUM INTO) or have others attached to it, so everything that a
statement wants to do is asked for, and what is not on the lists here is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping

from promptrails_engine.datasources.limits import QueryLimits

_WORDS = """
    abs avg char coalesce concat concat_ws count format glob group_concat hex ifnull iif instr length like likelihood
    likely lower ltrim match max min nullif octet_length printf quote random replace round rtrim sign string_agg substr
    substring sum total trim typeof unhex unicode unlikely upper

    current_date current_time current_timestamp date datetime julianday strftime time timediff unixepoch

    acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow power
    radians sin sinh sqrt tan tanh trunc

    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number

    -> ->> json json_array json_array_length json_each json_extract json_group_array json_group_object json_insert
    json_object json_patch json_quote json_remove json_replace json_set json_tree json_type json_valid

    bm25 highlight snippet
"""
_FUNCTIONS = frozenset(_WORDS.split())
_TABLE_FUNCTIONS = frozenset({"json_each", "json_tree"})
_SCHEMA = frozenset({"sqlite_master", "sqlite_schema"})
_OWN: Mapping[tuple[int, str | None], Collection[str | None]] = {
    (sqlite3.SQLITE_PRAGMA, "data_version"): (None,),
    (sqlite3.SQLITE_UPDATE, "sqlite_master"): ("type", "name", "tbl_name", "rootpage", "sql"),
}
"""What SQLite asks for when it opens a virtual table, such as json_each or one for full-text search.

An UPDATE of the schema that a query asks for is refused elsewhere: it needs a pragma, and a file that can be written.
"""
_INVENTORY = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
_VIEWS = "SELECT name FROM sqlite_master WHERE type = 'view'"
_LIMITS = {
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 100_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}


def tables_of(connection: sqlite3.Connection) -> list[str]:
    """The names of its tables and views, in order, without SQLite's own."""
    return [name for (name,) in connection.execute(_INVENTORY) if not name.startswith("sqlite_")]


def guard(connection: sqlite3.Connection, limits: QueryLimits, tables: Iterable[str] | None, query: str) -> None:
    """From now on the connection reads only, for this query: from these tables and views, or from all without any.

    A view that is named may read what it stands on, if it is a table.

    Raises:
        sqlite3.Error: it is no database that can be read.
    """
    # One long function call is not interrupted by the deadline: the length of what it works on keeps it short.
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.max_cell_bytes)
    for limit, most in _LIMITS.items():
        connection.setlimit(limit, most)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    present = {name.lower() for name in tables_of(connection)}
    allowed = present | _SCHEMA if tables is None else {name.lower() for name in tables}
    views = {name.lower() for (name,) in connection.execute(_VIEWS)} & allowed
    if "with" in query.lower():
        views.clear()  # a WITH may give one of its own subqueries the name of a view
    connection.set_authorizer(_Authorizer(present, allowed, views).judge)


class _Authorizer:
    def __init__(self, present: Iterable[str], allowed: Iterable[str], views: Iterable[str]) -> None:
        self._present = frozenset(present) | _SCHEMA
        self._allowed = frozenset(allowed)
        self._views = frozenset(views)
        self._below_views: set[str] = set()

    def judge(self, action: int, first: str | None, second: str | None, database: str | None, via: str | None) -> int:
        """SQLITE_OK for what is on the lists, else SQLITE_DENY; SQLite asks while it compiles a statement."""
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            allowed = True
        elif action == sqlite3.SQLITE_READ:
            allowed = self._may_read((first or "").lower(), second or "", (via or "").lower())
        elif action == sqlite3.SQLITE_FUNCTION:
            allowed = (second or "").lower() in _FUNCTIONS
        else:
            allowed = (action, first) in _OWN and second in _OWN[action, first]
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    def _may_read(self, table: str, column: str, via: str) -> bool:
        if via in self._views:
            self._below_views.add(table)
            return True
        if table in self._allowed or table in _TABLE_FUNCTIONS or (table, column) == ("sqlite_master", "ROWID"):
            return True  # the last is as in _OWN
        # Rows that are only counted, without a column: of a subquery, whose name is one of the query's own, or of what
        # a view that may be read stands on, which SQLite then names in its place.
        return not column and (table not in self._present or table in self._below_views)
