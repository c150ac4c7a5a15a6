"""The schema's version, and how it is brought up to date.

A database that is up to date costs one query: alembic is loaded only to change one.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from promptrails_engine.errors import StoreVersionError
from promptrails_engine.store import sql
from promptrails_engine.store.sql.database import Database
from promptrails_engine.store.sql.failures import translate
from promptrails_engine.store.sql.journal import set_journal_mode
from promptrails_engine.store.sql.placement import check_placement
from promptrails_engine.store.sql.tables import VERSION_TABLE

REVISIONS = ("0001", "0002", "0003")
"""Every revision that this library knows, oldest first."""

_ADVISORY_LOCK = 0x70725F736368656D


def prepare(database: Database) -> None:
    """Bring the database to the newest revision, one process at a time, all or nothing.

    Raises:
        StoreUnavailableError: cannot be reached or written.
        StoreCorruptError: not a database, or damaged.
        StoreVersionError: written by a newer library; nothing was touched.
    """
    check_placement(database)
    if database.lock is not None and not database.lock.is_supported():
        database.lock = None
    try:
        with database.writing():
            _prepare(database)
    except SQLAlchemyError as error:
        raise translate(error, database.name) from None


def _prepare(database: Database) -> None:
    with database.engine.connect() as connection:
        is_current = _is_current(connection, database)
        set_journal_mode(connection, database)
        if is_current:
            _check_writable(connection, database)
            return
    with database.engine.connect() as connection:
        _upgrade(connection, database)


def _is_current(connection: Connection, database: Database) -> bool:
    revision = _revision(connection)
    if revision is not None and revision not in REVISIONS:
        raise StoreVersionError(
            f"The store {database.name} has schema revision {revision!r}, and this library knows none after "
            f"{REVISIONS[-1]!r}: a newer promptrails-engine wrote it. Upgrade the package, or use another store. "
            "Nothing was changed.",
            details={"revision": revision, "known": REVISIONS[-1]},
        )
    connection.rollback()
    return revision == REVISIONS[-1]


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def _check_writable(connection: Connection, database: Database) -> None:
    """A store that cannot be written says so when it is opened, not at the end of the first run."""
    if database.begin:
        connection.exec_driver_sql(database.begin)
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = version_num"))
        connection.rollback()


def _upgrade(connection: Connection, database: Database) -> None:
    if database.begin:
        connection.exec_driver_sql(database.begin)
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    revision = _revision(connection)
    if revision == REVISIONS[-1]:  # another process was first
        connection.rollback()
        return
    try:
        sql.upgrade_to_head(connection, VERSION_TABLE)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
