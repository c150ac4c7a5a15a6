"""What a database driver raised, as one of the store's errors.

The driver's text can hold row values (PostgreSQL's DETAIL) and SQLAlchemy's holds the statement, so neither is chained:
the message carries the driver's first line, and for SQLite its error name.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError

from promptrails_engine.errors import (
    PromptRailsError,
    StoreCorruptError,
    StoreError,
    StoreUnavailableError,
    ValidationError,
)

_SQLITE_UNAVAILABLE = {
    "SQLITE_CANTOPEN": "check that its directory exists and may be entered",
    "SQLITE_READONLY": "the file or its directory is read-only: make both writable",
    "SQLITE_PERM": "make the file readable and writable for this user",
    "SQLITE_AUTH": "make the file readable and writable for this user",
    "SQLITE_BUSY": "another process held it for longer than the wait; let that one finish, then try again",
    "SQLITE_LOCKED": "another connection held it; try again",
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_IOERR": "the disk or file system failed; check both",
    "SQLITE_PROTOCOL": "too many processes compete for the file; try again",
    "SQLITE_NOMEM": "the machine is out of memory",
}
_SQLITE_CORRUPT = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})

_POSTGRES_UNAVAILABLE = {
    "08": "check that the server is up and can be reached",
    "25006": "the server takes no writes (a standby?): give the URL of the primary",
    "28": "check the user and the password in the URL, and the server's pg_hba.conf",
    "3D": "create the database, or correct its name in the URL",
    "40": "other transactions kept getting in its way; try again",
    "42501": "grant this user the rights to create and use its tables",
    "53": "the server is out of connections, memory or disk space",
    "55P03": "a lock was held for too long; try again",
    "57014": "the statement ran into its time limit; try again, or ask for less",
    "57P": "the server was stopping or restarting; try again",
    "58": "the server's own disk or files failed; see its log",
}
_POSTGRES_CORRUPT = {
    "XX001": "its data is damaged: restore a backup",
    "XX002": "an index is damaged: REINDEX, or restore a backup",
    "42P01": "a table is missing: restore a backup, or use an empty database",
    "42703": "a column is missing: restore a backup, or use an empty database",
}
_TRANSIENT = ("08", "40001", "40P01", "57P01", "57P02", "57P03")
_ROW = ("22", "23")
"""Classes of errors that lie in the values of one write."""


def driver_error(error: BaseException) -> BaseException:
    """The driver's own error, from under SQLAlchemy's."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig
    return error


def is_conflict(error: BaseException) -> bool:
    """Whether a unique constraint refused the write."""
    cause = driver_error(error)
    if isinstance(cause, sqlite3.IntegrityError):
        return cause.sqlite_errorname in ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE")
    return _sqlstate(cause) == "23505"


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction, run again from its start, may well succeed."""
    cause = driver_error(error)
    if isinstance(cause, sqlite3.Error) or not _from_driver(cause):
        return False
    state = _sqlstate(cause)
    if state is None:
        return _is_a(cause, "OperationalError", "InterfaceError")
    return state.startswith(_TRANSIENT)


def is_of_one_write(error: BaseException) -> bool:
    """Whether the error lies in one write's own values, so that its neighbours can still be written."""
    cause = driver_error(error)
    if isinstance(cause, PromptRailsError):
        return not isinstance(cause, StoreError)
    if isinstance(cause, sqlite3.Error):
        return not isinstance(cause, sqlite3.OperationalError) and _sqlite_name(cause) not in _SQLITE_CORRUPT
    state = _sqlstate(cause)
    return state is not None and state.startswith(_ROW) if _from_driver(cause) else True


def translate(error: BaseException, where: str) -> PromptRailsError:
    """The error to raise; `where` names the store without its password."""
    cause = driver_error(error)
    if isinstance(cause, PromptRailsError):
        return cause
    if isinstance(cause, sqlite3.Error):
        return _sqlite_error(cause, where)
    if _from_driver(cause):
        return _postgres_error(cause, where)
    if isinstance(cause, OverflowError | ValueError | TypeError):
        return ValidationError(f"A value cannot be stored: {cause}")
    return StoreError(f"The store {where} failed with {type(cause).__name__}; this is a defect of the store.")


def _sqlite_error(cause: sqlite3.Error, where: str) -> PromptRailsError:
    name = _sqlite_name(cause)
    details = {"error": name, "store": where}
    if name in _SQLITE_CORRUPT:
        return StoreCorruptError(
            f"The store {where} is not a usable SQLite database ({cause}); restore a backup, or choose another file.",
            details=details,
        )
    hint = _SQLITE_UNAVAILABLE.get(name)
    if hint:
        return StoreUnavailableError(f"The store {where} cannot be used ({cause}): {hint}.", details=details)
    if name == "SQLITE_ERROR" and str(cause).startswith(("no such table", "no such column", "table ")):
        return StoreCorruptError(
            f"The store {where} has lost a part of its schema ({cause}); restore a backup, or choose another file.",
            details=details,
        )
    if isinstance(cause, sqlite3.DataError | sqlite3.InterfaceError | sqlite3.ProgrammingError):
        return ValidationError(f"A value cannot be stored: {cause}", details=details)
    return StoreError(f"The store {where} refused a write ({name}).", details=details)


def _sqlite_name(cause: sqlite3.Error) -> str:
    """The primary result code: SQLITE_IOERR for SQLITE_IOERR_WRITE."""
    name = getattr(cause, "sqlite_errorname", None) or "SQLITE_ERROR"
    return "_".join(name.split("_")[:2])


def _postgres_error(cause: BaseException, where: str) -> PromptRailsError:
    state = _sqlstate(cause) or ""
    details = {"error": state, "store": where}
    reason = _first_line(cause)
    for table, kind in ((_POSTGRES_CORRUPT, StoreCorruptError), (_POSTGRES_UNAVAILABLE, StoreUnavailableError)):
        hint = next((text for prefix, text in table.items() if state.startswith(prefix)), None)
        if hint:
            return kind(f"The store {where} cannot be used ({reason}): {hint}.", details=details)
    if _is_a(cause, "OperationalError", "InterfaceError"):
        hint = "check that the server is up, and the host, port, user, password and database in the URL"
        return StoreUnavailableError(f"The store {where} cannot be reached ({reason}): {hint}.", details=details)
    if _is_a(cause, "DataError"):
        return ValidationError(f"A value cannot be stored: {reason}", details=details)
    return StoreError(f"The store {where} refused a write ({state or type(cause).__name__}).", details=details)


def _first_line(cause: BaseException) -> str:
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    return str(primary or str(cause).partition("\n")[0] or type(cause).__name__)


def _sqlstate(cause: BaseException) -> str | None:
    state = getattr(cause, "sqlstate", None)
    return state if isinstance(state, str) else None


def _is_a(cause: BaseException, *names: str) -> bool:
    """Whether it is of one of these classes of the driver, which is loaded only where it is used."""
    return any(base.__name__ in names for base in type(cause).__mro__)


def _from_driver(cause: BaseException) -> bool:
    return type(cause).__module__.partition(".")[0] == "psycopg"
