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

from promptrails_engine.errors import ConflictError, RunError
from promptrails_engine.store.codec import unescape
from promptrails_engine.store.entries import fenced, to_be_cancelled
from promptrails_engine.store.sql.database import Database
from promptrails_engine.store.sql.failures import is_conflict, is_of_one_write, translate
from promptrails_engine.store.sql.retry import with_retries
from promptrails_engine.store.sql.rows import Values
from promptrails_engine.store.sql.statements import hot_statements
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
    journal: Sequence[Values] = ()
    fence: Values | None = None
    """Of `fence_values`: whose the execution has to be, or nothing is written."""
    announces: bool = False
    """Whether an effect is to follow: then nothing is written where the execution is to be cancelled either."""
    exclusive: bool = False
    """Whether a `begin` that is there already is a conflict."""


@dataclass(slots=True, eq=False)
class Call:
    """Any other write: a function of the connection, in a savepoint of its own where others share its transaction."""

    run: Callable[[Connection], Any]
    conflict: str = ""
    """What to say when a unique constraint refuses it."""
    repeated: Callable[[Connection], Any] | None = None
    """What it returned if an earlier attempt of unknown outcome did write it, else None: asked before a second one."""
    committed: Callable[[Any], None] | None = field(default=None)
    """Told what `run` returned, on the writer's thread, once that is committed."""


Write = RunWrite | Call


class _RivalsError(Exception):
    """Writes of one execution whose order decides: each needs a transaction of its own."""


class _EndLostError(Exception):
    """One of several ends was left out: they have to be written one by one to find it."""


class GroupCommitter:
    """Commits groups of writes on one connection of its own; for one thread."""

    def __init__(self, database: Database) -> None:
        self.in_transaction = threading.Lock()
        """Held while a transaction is open: no process may fork then."""
        self._database = database
        self._statements = hot_statements(database.dialect)
        self._connection: Connection | None = None
        self._syncs = database.dialect == "sqlite" and database.durability == "relaxed"
        self._unsynced_since: float | None = None

    def commit(self, writes: list[Write]) -> list[Outcome]:
        """One transaction for all of them; if a write spoils it, one for each."""
        try:
            outcomes = with_retries(
                lambda: self._attempt(writes, again=False), lambda: self._attempt(writes, again=True)
            )
        except Exception as error:
            if len(writes) > 1 and is_of_one_write(error):
                return [self.commit([write])[0] for write in writes]
            return [Outcome(error=_told(write, error, self._database.name)) for write in writes]
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

    def _attempt(self, writes: list[Write], *, again: bool) -> list[Outcome]:
        try:
            return self._transaction(writes, again=again)
        except _EndLostError:
            return self._transaction(writes, again=again, apart=True)

    def _transaction(self, writes: list[Write], *, again: bool, apart: bool = False) -> list[Outcome]:
        with self.in_transaction, self._database.writing():
            connection = self._open()
            raw = cast("Any", connection.connection.dbapi_connection)
            try:
                if self._database.begin:
                    raw.execute(self._database.begin)
                outcomes = self._apply(connection, raw, writes, again, apart)
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

    def _apply(self, connection: Connection, raw: Any, writes: list[Write], again: bool, apart: bool) -> list[Outcome]:
        if Call not in map(type, writes):
            return self._write_runs(raw, cast("list[RunWrite]", writes), again, apart)
        outcomes: list[Outcome] = []
        for is_call, part in groupby(writes, key=_is_call):
            if is_call:
                run = _called if len(writes) > 1 else _applied
                outcomes += [run(connection, cast("Call", write), again) for write in part]
            else:
                outcomes += self._write_runs(raw, cast("list[RunWrite]", list(part)), again, apart)
        return outcomes

    def _write_runs(self, raw: Any, runs: list[RunWrite], again: bool, apart: bool) -> list[Outcome]:
        if len(runs) > 1:
            _refuse_rivals(runs)
        begins = {run.begin[_IDENTITY_KEY]: run.begin for run in runs if run.begin is not None}
        ends = [run for run in runs if run.end is not None]
        for run in ends:
            begins.pop(cast("Values", run.end)[_IDENTITY_KEY], None)  # the end holds the whole row
        cursor = raw.cursor()
        statements = self._statements
        try:
            if begins:
                written = statements.begin.execute(cursor, list(begins.values()))
                if not again and written < len(begins):
                    _refuse_exclusive(runs)
            refused = self._refused(cursor, [run for run in runs if run.fence is not None])
            left_out = self._write_ends(cursor, ends, apart) if ends else set[RunWrite]()
            out = left_out | refused.keys() if refused or left_out else left_out
            kept = [run for run in runs if run not in out] if out else runs
            if spans := [row for run in kept for row in run.spans]:
                statements.spans.execute(cursor, spans)
            if events := [run.events for run in kept if run.events is not None]:
                statements.events.execute(cursor, events)
            if journal := [row for run in kept for row in run.journal]:
                statements.journal.execute(cursor, journal)
        finally:
            cursor.close()
        return [Outcome(error=refused.get(run)) for run in runs] if refused else [Outcome() for _ in runs]

    def _refused(self, cursor: Any, runs: list[RunWrite]) -> dict[RunWrite, RunError]:
        """Those that are no longer their owner's, or announce an effect although they are to be cancelled."""
        refused: dict[RunWrite, RunError] = {}
        for run in sorted(runs, key=_lock_order) if len(runs) > 1 else runs:
            workspace, _root, is_below, key, owner = cast("Values", run.fence)
            statement = self._statements.fence_below if run.announces and is_below else self._statements.fence
            cursor.execute(statement, (workspace, key, owner))
            line = cursor.fetchall()
            if not line or line[-1][0] != key:
                refused[run] = fenced(unescape(key))
            elif run.announces:
                marked = next((id for id, is_marked in line if is_marked), None)
                if marked is not None:
                    refused[run] = to_be_cancelled(unescape(key), unescape(marked))
        return refused

    def _write_ends(self, cursor: Any, ends: list[RunWrite], apart: bool) -> set[RunWrite]:
        """Those that were left out: second ends, and those of others than the owner."""
        rows = [cast("Values", run.end) for run in ends]
        finish = self._statements.finish
        if apart:
            return {run for run, row in zip(ends, rows, strict=True) if not finish.execute(cursor, [row])}
        if finish.execute(cursor, rows) == len(rows):
            return set()
        if len(rows) > 1:
            raise _EndLostError
        return set(ends)


def _is_call(write: Write) -> bool:
    return isinstance(write, Call)


def _refuse_exclusive(runs: list[RunWrite]) -> None:
    """Raise for a begin that was there already; a group of several is then written one by one to find it."""
    if any(run.exclusive for run in runs):
        raise ConflictError("An execution with this id exists already; let the engine make the id.")


def _lock_order(run: RunWrite) -> Values:
    return cast("Values", run.fence)[:4]


def _refuse_rivals(runs: list[RunWrite]) -> None:
    """Raise where writes of one execution share a group, and their order decides."""
    exclusive = {run.begin[_IDENTITY_KEY] for run in runs if run.exclusive and run.begin is not None}
    if exclusive:
        keys = Counter(row[_IDENTITY_KEY] for run in runs for row in (run.begin, run.end) if row is not None)
        if any(keys[key] > 1 for key in exclusive):
            _refuse_exclusive(runs)
    fences = {(run.fence[0], run.fence[3]) for run in runs if run.fence is not None}
    if fences and any(run.end is not None and run.end[_IDENTITY_KEY] in fences for run in runs):
        raise _RivalsError


def _applied(connection: Connection, write: Call, again: bool) -> Outcome:
    """In a transaction of its own, which ends with it if it fails."""
    if again and write.repeated is not None and (value := write.repeated(connection)) is not None:
        return Outcome(value)
    return Outcome(write.run(connection))


def _called(connection: Connection, write: Call, again: bool) -> Outcome:
    savepoint = connection.begin_nested()
    try:
        outcome = _applied(connection, write, again)
        savepoint.commit()
        return outcome
    except Exception as error:
        if not is_of_one_write(error):
            raise  # the database may have ended the transaction by itself, and the savepoint with it
        savepoint.rollback()
        return Outcome(error=_told(write, error, connection.engine.url.render_as_string(hide_password=True)))


def _told(write: Write, error: Exception, where: str) -> Exception:
    if isinstance(write, Call) and is_conflict(error):
        return ConflictError(write.conflict or "The store holds this row already.")
    return translate(error, where)
