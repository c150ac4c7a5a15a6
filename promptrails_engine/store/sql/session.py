"""One open store in one process: its connections, its writer thread and its readers."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection

from promptrails_engine.store.sql import definitions
from promptrails_engine.store.sql.database import READERS, Database
from promptrails_engine.store.sql.failures import translate
from promptrails_engine.store.sql.retry import with_retries
from promptrails_engine.store.sql.rows import Values, execution_size
from promptrails_engine.store.sql.schema import prepare
from promptrails_engine.store.sql.stamps import StampCache
from promptrails_engine.store.sql.transactions import Call, GroupCommitter, RunWrite, Write
from promptrails_engine.store.sql.writer import GroupWriter

T = TypeVar("T")
MAX_RUNNING = 10_000
_FORK_WAIT_S = 5.0


class Session:
    """Opens the database when it is made; to be used in the process that made it."""

    def __init__(self, database: Database) -> None:
        self.pid = os.getpid()
        self.stamps = StampCache()
        self._database = database
        self._running: dict[tuple[str, str], Values] = {}
        try:
            prepare(database)
        except BaseException:
            database.close()
            raise
        self._committer = GroupCommitter(database)
        self._writer: GroupWriter[Write] = GroupWriter(
            self._committer.commit, self._committer.release, self._committer.sync
        )
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="promptrails-store-reader")
        _open_locks.add(self._committer)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """What the query returns; it sees every write that was asked for before.

        Raises:
            StoreError: the database failed.
        """
        await self._writer.settle()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, query)

    async def call(self, call: Call, size: int = 0) -> Any:
        """What the write returns, once it is committed."""
        return await self._writer.submit(call, size)

    def write(self, write: RunWrite) -> Awaitable[Any]:
        """To be awaited at once: done when the write is committed."""
        return self._writer.submitted(write, _size(write))

    def post(self, write: RunWrite) -> bool:
        """Leave a write to go out with the next ones; False, and nothing done, where the queue is full."""
        return self._writer.post(write, _size(write))

    async def close(self) -> None:
        """Write what is queued and free everything.  May be called twice."""
        await self._writer.close()
        self._readers.shutdown(wait=False)
        await asyncio.to_thread(self._free)

    # ------------------------------------------------------------------ what a run's end need not encode again

    def keep_identity(self, key: tuple[str, str], values: Values) -> None:
        """Remember the leading columns of a running execution."""
        if len(self._running) >= MAX_RUNNING:
            self._running.pop(next(iter(self._running)), None)
        self._running[key] = values

    def take_identity(self, key: tuple[str, str]) -> Values | None:
        """What `keep_identity` was given, if it is still there."""
        return self._running.pop(key, None)

    # ------------------------------------------------------------------ stamps

    async def stamp(self, workspace_id: str) -> int:
        """The stamp, at most a second old."""
        stamp, renew = self.stamps.get(workspace_id)
        if renew:
            self._readers.submit(self._read_stamp, workspace_id)
        if stamp is not None:
            return stamp
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read_stamp, workspace_id)

    def _read_stamp(self, workspace_id: str) -> int:
        at = time.monotonic()
        stamp = self._read(lambda conn: definitions.stamp(conn, workspace_id))
        self.stamps.put(workspace_id, stamp, at)
        return stamp

    # ------------------------------------------------------------------ on the threads

    def _read(self, query: Callable[[Connection], T]) -> T:
        def attempt() -> T:
            with self._database.engine.connect() as connection:
                return query(connection)

        try:
            return with_retries(attempt, attempt)
        except Exception as error:
            raise translate(error, self._database.name) from None

    def _free(self) -> None:
        self._readers.shutdown(wait=True)
        self._database.close()


def _size(write: RunWrite) -> int:
    size = sum([len(row[-1]) for row in write.spans]) + sum([len(row[-1]) for row in write.journal])
    if write.begin is not None:
        size += execution_size(write.begin)
    if write.end is not None:
        size += execution_size(write.end)
    if write.events is not None:
        size += len(write.events[-1])
    return size


# A child that inherited an open transaction would roll it back when it ends, behind its parent's back; so a fork waits
# for the transactions of all stores.  The hooks of a process cannot be taken back, hence one registration for all.
_open_locks: WeakSet[GroupCommitter] = WeakSet()
_held: list[threading.Lock] = []


def _before_fork() -> None:
    for committer in list(_open_locks):
        if committer.in_transaction.acquire(timeout=_FORK_WAIT_S):
            _held.append(committer.in_transaction)


def _after_fork_in_child() -> None:
    _held.clear()
    for committer in list(_open_locks):
        committer.forget()


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
