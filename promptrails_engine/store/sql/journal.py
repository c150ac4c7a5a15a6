"""The journal mode of a SQLite file: WAL wherever that is safe, else TRUNCATE.

Before 3.51.3 SQLite can damage a WAL database when one connection commits while another one runs a checkpoint.  Here
they cannot: each write transaction, with the checkpoint that its commit may start, is made behind one lock on a file,
and readers never run one.  (The close of a file's last connection does, behind SQLite's own exclusive lock.)  What
cannot be kept behind that lock are the writes of others, so with such a version a file that holds tables of the host's
own stays out of WAL mode; so does one on a file system of several kernels, which have no memory in common.
"""

from __future__ import annotations

import logging
import sqlite3

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from promptrails_engine.store.sql.database import BUSY_TIMEOUT_S, Database
from promptrails_engine.store.sql.placement import is_shared_by_kernels
from promptrails_engine.store.sql.tables import OWN_TABLES

WAL_SAFE_SINCE = (3, 51, 3)
_SWITCH_WAIT_MS = 1000
"""For a file that others are using: each mode is correct for all who share it."""
_log = logging.getLogger("promptrails_engine.store")


def set_journal_mode(connection: Connection, database: Database) -> None:
    """Bring the file to its mode; to be called behind the lock, before anything is written."""
    if database.dialect != "sqlite":
        return
    reason = _against_wal(connection, database)
    wanted = "truncate" if reason else "wal"
    if reason:
        _log.info("%s uses journal_mode=TRUNCATE: %s.", database.name, reason)
    if connection.exec_driver_sql("PRAGMA journal_mode").scalar() != wanted:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_SWITCH_WAIT_MS}")
        if not _switched(connection, wanted):
            _log.warning("The journal mode of the store could not be set to %s: the file is in use.", wanted)
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")


def _switched(connection: Connection, wanted: str) -> bool:
    try:
        return connection.exec_driver_sql(f"PRAGMA journal_mode={wanted}").scalar() == wanted
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorname", "") not in ("SQLITE_BUSY", "SQLITE_LOCKED"):
            raise
        return False


def _against_wal(connection: Connection, database: Database) -> str:
    """Why the file must not be in WAL mode; "" if it may."""
    if is_shared_by_kernels(database):
        return "its file system is one that several kernels share"
    if sqlite3.sqlite_version_info >= WAL_SAFE_SINCE:
        return ""
    defect = f"SQLite {sqlite3.sqlite_version} can damage a database in WAL mode (fixed in 3.51.3)"
    if database.lock is None:
        return f"{defect} and this system has no lock to prevent that"
    if _host_tables(connection):
        return f"{defect} and the file holds tables that others may write without the store's lock"
    return ""


def _host_tables(connection: Connection) -> bool:
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars()
    return any(name not in OWN_TABLES and not name.startswith("sqlite_") for name in names)
