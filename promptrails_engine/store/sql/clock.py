"""The database's own clock, to be read in the statement that compares with it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Double
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

_TEXT = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch from clock_timestamp())::double precision",
}


class _Now(FunctionElement[float]):
    inherit_cache = True
    type: TypeEngine[float] = Double()


@compiles(_Now)
def _text(_element: _Now, compiler: Any, **_options: Any) -> str:
    return _TEXT[compiler.dialect.name]


NOW = _Now()
"""Seconds since the epoch; in SQLite in steps of a millisecond."""
