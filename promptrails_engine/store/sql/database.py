"""A database as this package opens it: its URL, its connections and their settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, Protocol
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from promptrails_engine.errors import ConfigurationError, StoreUnavailableError
from promptrails_engine.require import require
from promptrails_engine.store.sql.file_lock import FileLock

Durability = Literal["full", "relaxed"]
READERS = 4
LOCK_SUFFIX = "-lock"
BUSY_TIMEOUT_S = 30
CHECKPOINT_PAGES = 4000
"""Pages of the WAL file after which SQLite copies them over: 16 MiB."""

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
        self.durability: Durability = durability
        self.path = os.path.realpath(_plain_path(url.database or "")) if sqlite else ""
        """Of the SQLite file; every name of it leads to the same lock."""
        self.lock = FileLock(self.path + LOCK_SUFFIX, self.name) if sqlite else None
        """Behind which a SQLite file is written and checkpointed; None where there is no such lock."""
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

    def close(self) -> None:
        """Close every connection, the last of which empties the WAL file, and the lock's file."""
        try:
            with self.writing():
                self.engine.dispose()
        except StoreUnavailableError:  # the last one to close has SQLite's own exclusive lock
            self.engine.dispose()
        if self.lock is not None:
            self.lock.forget()

    def writing(self) -> AbstractContextManager[None]:
        """To be held over every write transaction and checkpoint, and while the database is opened or closed.

        Raises:
            StoreUnavailableError: another process held it for too long.
        """
        return nullcontext() if self.lock is None else self.lock


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
    if url.host or url.username or url.port:
        raise ConfigurationError("A SQLite store is a file on this machine: write sqlite:///file.db, or just its path.")
    return url if url.database.startswith("file:") else url.set(database=os.path.abspath(url.database))


def _plain_path(database: str) -> str:
    """The path in what SQLite takes for a file: itself, or the part of a `file:` URI."""
    return unquote(urlsplit(database).path) if database.startswith("file:") else database


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
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
        cursor.execute("PRAGMA journal_mode")
        if cursor.fetchone()[0] != "wal":  # which is a property of the file; the others are one of the connection
            cursor.execute("PRAGMA journal_mode=truncate")
        cursor.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.execute("PRAGMA mmap_size=0")
        cursor.execute("PRAGMA cache_size=-16000")

    return apply


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
