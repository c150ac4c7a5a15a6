"""Write transactions: a group of writes in one, each of them safe from the others' failures."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, cast

from sqlalchemy import Connection

from promptrails_engine.errors import ConflictError
from promptrails_engine.store.sql.database import Database
from promptrails_engine.store.sql.failures import is_conflict, is_of_one_write, translate
from promptrails_engine.store.sql.retry import with_retries
from promptrails_engine.store.sql.rows import Values
from promptrails_engine.store.sql.statements import HotStatements
from promptrails_engine.store.sql.writer import Outcome

SYNC_S = 1.0
"""The age of relaxed commits at which they are brought to the disk."""
_IDENTITY_KEY = slice(0, 2)
_log = logging.getLogger("promptrails_engine.store")


@dataclass(slots=True, eq=False)
class RunWrite:
    """A write of a run, as rows of the tables; many of them go out in one statement each."""

    begin: Values | None = None
    end: Values | None = None
    spans: Sequence[Values] = ()
    events: Values | None = None
    exclusive: bool = False
    """Whether a `begin` that is there already is a conflict."""


@dataclass(slots=True, eq=False)
class Call:
    """Any other write: a function of the connection, in a savepoint of its own."""

    run: Callable[[Connection], Any]
    conflict: str = ""
    """What to say when a unique constraint refuses it."""
    repeated: Callable[[Connection], Any] | None = None
    """What it returned if an earlier attempt of unknown outcome did write it, else None."""
    committed: Callable[[Any], None] | None = field(default=None)
    """Told what `run` returned, on the writer's thread, once that is committed."""


Write = RunWrite | Call


class GroupCommitter:
    """Commits groups of writes on one connection of its own; for one thread."""

    def __init__(self, database: Database) -> None:
        self.in_transaction = threading.Lock()
        """Held while a transaction is open: no process may fork then."""
        self._database = database
        self._statements = HotStatements(database.dialect)
        self._connection: Connection | None = None
        self._syncs = database.dialect == "sqlite" and database.durability == "relaxed"
        self._unsynced_since: float | None = None

    def commit(self, writes: list[Write]) -> list[Outcome]:
        """One transaction for all of them; if a write spoils it, one for each."""
        try:
            outcomes = with_retries(
                lambda: self._transaction(writes, again=False), lambda: self._transaction(writes, again=True)
            )
        except Exception as error:
            if len(writes) > 1 and is_of_one_write(error):
                return [self.commit([write])[0] for write in writes]
            return [Outcome(error=translate(error, self._database.name)) for _ in writes]
        self._sync_at_times()
        for write, outcome in zip(writes, outcomes, strict=True):
            if isinstance(write, Call) and write.committed is not None and outcome.error is None:
                write.committed(outcome.value)
        return outcomes

    def sync(self) -> None:
        """Bring relaxed commits to the disk; the others are there already."""
        if self._unsynced_since is None or self._connection is None:
            return
        with self.in_transaction, self._database.writing():
            raw = cast("Any", self._connection.connection.dbapi_connection)
            _busy, written, copied = raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if copied == written:  # else a reader was in the way
            self._unsynced_since = None

    def release(self) -> None:
        """Give the connection back."""
        self._sync_quietly()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _sync_at_times(self) -> None:
        if not self._syncs:
            return
        now = time.monotonic()
        if self._unsynced_since is None:
            self._unsynced_since = now
        elif now - self._unsynced_since >= SYNC_S:
            self._sync_quietly()

    def _sync_quietly(self) -> None:
        try:
            self.sync()
        except Exception as error:
            _log.warning("Relaxed commits are not on the disk yet: %s", translate(error, self._database.name))

    def forget(self) -> None:
        """In a forked child: keep nothing that is the parent's."""
        if self._database.lock is not None:
            self._database.lock.forget()

    # ------------------------------------------------------------------ one transaction

    def _transaction(self, writes: list[Write], *, again: bool) -> list[Outcome]:
        with self.in_transaction, self._database.writing():
            connection = self._open()
            raw = cast("Any", connection.connection.dbapi_connection)
            try:
                if self._database.begin:
                    raw.execute(self._database.begin)
                outcomes = self._apply(connection, raw, writes, again)
                # A savepoint of SQLAlchemy has begun its view of this transaction; the driver has only one.
                if connection.in_transaction():
                    connection.commit()
                else:
                    raw.commit()
                return outcomes
            except BaseException as error:
                self._roll_back(connection, raw, error)
                raise

    def _open(self) -> Connection:
        if self._connection is None:
            connection = self._database.engine.connect()
            try:
                # A dead one, noticed here, takes all others of its age out of the pool.
                connection.exec_driver_sql("SELECT 1")
                connection.rollback()
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _roll_back(self, connection: Connection, raw: Any, error: BaseException) -> None:
        try:
            if connection.in_transaction():
                connection.rollback()
            raw.rollback()
            if is_of_one_write(error):
                return
        except Exception as broken:
            _log.debug("A broken connection could not roll back: %s", type(broken).__name__)
        self._connection = None
        connection.invalidate()
        connection.close()

    def _apply(self, connection: Connection, raw: Any, writes: list[Write], again: bool) -> list[Outcome]:
        if Call not in map(type, writes):
            self._write_runs(raw, cast("list[RunWrite]", writes), again)
            return [Outcome() for _ in writes]
        outcomes: list[Outcome] = []
        for is_call, part in groupby(writes, key=_is_call):
            if is_call:
                outcomes += [_called(connection, cast("Call", write), again) for write in part]
            else:
                runs = cast("list[RunWrite]", list(part))
                self._write_runs(raw, runs, again)
                outcomes += [Outcome() for _ in runs]
        return outcomes

    def _write_runs(self, raw: Any, runs: list[RunWrite], again: bool) -> None:
        if len(runs) > 1:
            _refuse_rivals(runs)
        begins = {run.begin[_IDENTITY_KEY]: run.begin for run in runs if run.begin is not None}
        ends: dict[Values, Values] = {}
        for run in runs:
            if run.end is not None:
                ends.setdefault(run.end[_IDENTITY_KEY], run.end)
        for key in ends:
            begins.pop(key, None)  # the end holds the whole row
        cursor = raw.cursor()
        statements = self._statements
        try:
            if begins:
                written = statements.begin.execute(cursor, list(begins.values()))
                if not again and written < len(begins):
                    _refuse_exclusive(runs)
            if ends:
                statements.finish.execute(cursor, list(ends.values()))
            if spans := [row for run in runs for row in run.spans]:
                statements.spans.execute(cursor, spans)
            if events := [run.events for run in runs if run.events is not None]:
                statements.events.execute(cursor, events)
        finally:
            cursor.close()


def _is_call(write: Write) -> bool:
    return isinstance(write, Call)


def _refuse_exclusive(runs: list[RunWrite]) -> None:
    """Raise for a begin that was there already; a group of several is then written one by one to find it."""
    if any(run.exclusive for run in runs):
        raise ConflictError("An execution with this id exists already; let the engine make the id.")


def _refuse_rivals(runs: list[RunWrite]) -> None:
    """Raise where an exclusive begin shares its group with another write of that execution: their order decides."""
    exclusive = {run.begin[_IDENTITY_KEY] for run in runs if run.exclusive and run.begin is not None}
    if exclusive:
        keys = Counter(row[_IDENTITY_KEY] for run in runs for row in (run.begin, run.end) if row is not None)
        if any(keys[key] > 1 for key in exclusive):
            _refuse_exclusive(runs)


def _called(connection: Connection, write: Call, again: bool) -> Outcome:
    savepoint = connection.begin_nested()
    try:
        value = write.run(connection)
        savepoint.commit()
        return Outcome(value)
    except Exception as error:
        if not is_of_one_write(error):
            raise  # the database may have ended the transaction by itself, and the savepoint with it
        savepoint.rollback()
        if not is_conflict(error):
            return Outcome(error=translate(error, connection.engine.url.render_as_string(hide_password=True)))
    if again and write.repeated is not None and (value := write.repeated(connection)) is not None:
        return Outcome(value)
    return Outcome(error=ConflictError(write.conflict or "The store holds this row already."))
