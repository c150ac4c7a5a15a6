"""The database's own clock, to be read in the statement that compares with it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Double, literal_column

_NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch from clock_timestamp())::double precision",
}


def now(conn: Connection) -> ColumnElement[float]:
    """Seconds since the epoch; in SQLite in steps of a millisecond."""
    return literal_column(_NOW[conn.dialect.name], Double)
