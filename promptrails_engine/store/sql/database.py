"""A database as this package opens it: its URL, its connections and their settings."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from typing import Any, Literal, Protocol

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.require import require

Durability = Literal["full", "relaxed"]
READERS = 4
BUSY_TIMEOUT_S = 30
WAL_SAFE_SINCE = (3, 51, 3)
"""Before it, two connections that write and checkpoint at one moment can damage a WAL database."""

_STATEMENT_TIMEOUT_MS = 30_000
_LOCK_TIMEOUT_MS = 10_000
_IDLE_TIMEOUT_MS = 60_000
_CONNECT_TIMEOUT_S = 10
_SCHEMES = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_log = logging.getLogger("promptrails_engine.store")


class _Cursor(Protocol):
    def execute(self, sql: str, /) -> Any: ...
    def fetchone(self) -> Any: ...
    def close(self) -> None: ...


class _DriverConnection(Protocol):
    def cursor(self) -> _Cursor: ...


class Database:
    """An engine with its settings; makes no connection until asked."""

    def __init__(self, url: URL, durability: Durability) -> None:
        self.url = url
        self.name = url.render_as_string(hide_password=True)
        self.dialect = url.get_backend_name()
        sqlite = self.dialect == "sqlite"
        self.begin: str | None = "BEGIN IMMEDIATE" if sqlite else None
        """Opens a write transaction; None where the driver opens it by itself.

        A deferred one that turns into a writer fails at once, whatever the busy timeout."""
        if not sqlite:
            require("psycopg", extra="postgres", feature="A store in PostgreSQL")
        arguments: dict[str, Any] = (
            {"isolation_level": None, "check_same_thread": False, "timeout": BUSY_TIMEOUT_S}
            if sqlite
            else {"connect_timeout": _CONNECT_TIMEOUT_S, "application_name": "promptrails-engine"}
        )
        self.engine: Engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=READERS + 1,
            max_overflow=1,
            hide_parameters=True,
            connect_args=arguments,
        )
        settings = _sqlite_settings(durability) if sqlite else _postgres_settings(durability)
        event.listen(self.engine, "connect", _on_connect(settings))


def parse_url(target: str | os.PathLike[str]) -> URL:
    """The URL of a path or URL: `app.db`, `sqlite:///app.db`, `postgresql://user:password@host/database`.

    Raises:
        ConfigurationError: no store for this scheme, or nothing that a second connection could open.
    """
    text = os.fspath(target)
    if "://" not in text:
        if not text or text == ":memory:":
            raise ConfigurationError("A store needs a file; for one in memory give None instead.")
        return URL.create("sqlite", database=os.path.abspath(text))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "The store's URL cannot be read; write postgresql://user:password@host:port/database or sqlite:///file.db, "
            "with special characters of the password percent-encoded."
        ) from None
    driver = _SCHEMES.get(url.drivername)
    if driver is None:
        raise ConfigurationError(
            f"No store for '{url.drivername}://'; use a file path, sqlite:///file.db or postgresql://host/database.",
            details={"scheme": url.drivername},
        )
    url = url.set(drivername=driver)
    if driver != "sqlite":
        return url
    if not url.database or ":memory:" in url.database or url.query.get("mode") == "memory":
        raise ConfigurationError("A store needs a file; for one in memory give None instead.")
    return url if url.database.startswith("file:") else url.set(database=os.path.abspath(url.database))


def wal_is_safe() -> bool:
    """Whether this SQLite has the fix of the WAL-reset defect."""
    return sqlite3.sqlite_version_info >= WAL_SAFE_SINCE


def report_journal_mode(database: Database) -> None:
    """Say once per store why a SQLite file is not in WAL mode."""
    if database.dialect == "sqlite" and not wal_is_safe():
        _log.info(
            "SQLite %s can damage a database in WAL mode (fixed in 3.51.3); %s uses journal_mode=TRUNCATE.",
            sqlite3.sqlite_version,
            database.name,
        )


def _on_connect(settings: Callable[[_Cursor], None]) -> Callable[[_DriverConnection, object], None]:
    def apply(connection: _DriverConnection, _record: object) -> None:
        cursor = connection.cursor()
        try:
            settings(cursor)
        finally:
            cursor.close()

    return apply


def _sqlite_settings(durability: Durability) -> Callable[[_Cursor], None]:
    synchronous = "FULL" if durability == "full" else "NORMAL"

    def apply(cursor: _Cursor) -> None:
        cursor.execute("PRAGMA busy_timeout=1000")  # a file that the host keeps in another mode is not waited for
        _set_journal_mode(cursor, "wal" if wal_is_safe() else "truncate")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.execute("PRAGMA mmap_size=0")
        cursor.execute("PRAGMA cache_size=-16000")

    return apply


def _set_journal_mode(cursor: _Cursor, wanted: str) -> None:
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone()[0] == wanted:
        return
    try:
        cursor.execute(f"PRAGMA journal_mode={wanted}")
        if cursor.fetchone()[0] == wanted:
            return
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname not in ("SQLITE_BUSY", "SQLITE_LOCKED"):
            raise
    # Other connections are in it, such as the host's own; each mode is correct for all who share it.
    _log.warning("The journal mode of the store could not be set to %s: the file is in use.", wanted)


def _postgres_settings(durability: Durability) -> Callable[[_Cursor], None]:
    commit = (
        "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END"
        if durability == "full"
        else "'off'"
    )
    settings = (
        f"SELECT set_config('statement_timeout', '{_STATEMENT_TIMEOUT_MS}', false),"
        f" set_config('lock_timeout', '{_LOCK_TIMEOUT_MS}', false),"
        f" set_config('idle_in_transaction_session_timeout', '{_IDLE_TIMEOUT_MS}', false),"
        f" set_config('synchronous_commit', {commit}, false)"
    )

    def apply(cursor: _Cursor) -> None:
        cursor.execute(settings)
        cursor.execute("COMMIT")

    return apply
