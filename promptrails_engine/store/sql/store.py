"""The store in SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from sqlalchemy import Connection

from promptrails_engine.errors import ConfigurationError, StoreError
from promptrails_engine.events import Event
from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import (
    EXECUTION_TERMINAL,
    CostTotals,
    DefinitionChanges,
    DefinitionKind,
    DefinitionRow,
    ExecutionFilter,
    ExecutionRow,
    SpanFilter,
    VersionRow,
)
from promptrails_engine.store.codec import dump_json, dump_metadata
from promptrails_engine.store.entries import entries_text
from promptrails_engine.store.sql import definitions, queries, state
from promptrails_engine.store.sql.database import Database, Durability, parse_url
from promptrails_engine.store.sql.durable import DurableStore
from promptrails_engine.store.sql.rows import (
    OWNER,
    begin_values,
    end_values,
    events_text,
    events_values,
    identity_values,
    journal_values,
    span_values,
)
from promptrails_engine.store.sql.session import Session
from promptrails_engine.store.sql.tables import IDENTITY_COLUMNS
from promptrails_engine.store.sql.transactions import Call, RunWrite

_TRIM_EVERY = 100


class SqlStore(DurableStore):
    """Keeps everything in one SQLite file or one PostgreSQL database.

    `url` is a path ("app.db"), `sqlite:///app.db` or `postgresql://user:password@host/database`.  With the durability
    "full" what is acknowledged survives a power failure; with "relaxed" the last moments may be lost then, but not when
    only the process dies.  Usable from any event loop and any thread; after a fork the child opens its own connections.
    """

    def __init__(self, url: str | os.PathLike[str], *, durability: Durability = "full") -> None:
        if durability not in ("full", "relaxed"):
            raise ConfigurationError(f"durability is 'full' or 'relaxed', not {durability!r}.")
        self._url = parse_url(url)
        self._durability: Durability = durability
        self._session: Session | None = None
        self._abandoned: list[Session] = []
        self._opening: dict[int, threading.Lock] = {}
        self._puts = count(1)

    def __repr__(self) -> str:
        return f"SqlStore({self._url.render_as_string(hide_password=True)!r}, durability={self._durability!r})"

    @property
    def shared(self) -> bool:
        """Yes: whoever opens the same database reads it."""
        return True

    async def open(self) -> None:
        """Connect, and bring the schema up to date; see the port."""
        await asyncio.to_thread(self._open)

    async def close(self) -> None:
        """Write what is queued and free everything.  May be called twice."""
        session, self._session = self._session, None
        if session is None:
            return
        if session.pid == os.getpid():
            await session.close()
        else:
            self._abandoned.append(session)

    # ------------------------------------------------------------------ definitions

    async def insert_definition(self, row: DefinitionRow, version: VersionRow | None = None) -> None:
        """See the port."""
        values = definitions.definition_values(row)
        first = None if version is None else definitions.version_values(version)
        await self._change(
            row.workspace_id,
            lambda conn: definitions.insert_definition(conn, values, first),
            _own_stamp,
            conflict=f"The name '{row.name}' is taken by another {row.kind}, or its id is; choose another.",
            repeated=lambda conn: definitions.inserted(conn, row),
        )

    async def get_definition(self, workspace_id: str, kind: DefinitionKind, ref: str) -> DefinitionRow | None:
        """See the port."""
        return await self._read(lambda conn: definitions.get_definition(conn, workspace_id, kind, ref))

    async def list_definitions(
        self,
        workspace_id: str,
        kind: DefinitionKind,
        *,
        offset: int,
        limit: int,
        type: str | None = None,
        name: str | None = None,
        status: str | None = None,
    ) -> tuple[list[DefinitionRow], int]:
        """See the port."""
        return await self._read(
            lambda conn: definitions.list_definitions(
                conn, workspace_id, kind, offset=offset, limit=limit, type=type, name=name, status=status
            )
        )

    async def update_definition(
        self, workspace_id: str, kind: DefinitionKind, definition_id: str, changes: DefinitionChanges
    ) -> DefinitionRow | None:
        """See the port."""
        changed: tuple[DefinitionRow, int] | None = await self._change(
            workspace_id,
            lambda conn: definitions.update_definition(conn, workspace_id, kind, definition_id, changes),
            _stamp_of_changed,
            conflict=f"The name '{changes.name}' is taken by another {kind}; choose another.",
        )
        return None if changed is None else changed[0]

    async def insert_version(self, row: VersionRow, *, make_current: bool, after: str | None = None) -> None:
        """See the port."""
        values = definitions.version_values(row)
        await self._change(
            row.workspace_id,
            lambda conn: definitions.insert_version(conn, values, make_current=make_current, after=after),
            _own_stamp,
            conflict=f"The version '{row.version}' of this {row.kind} exists already; give it another label.",
            repeated=lambda conn: definitions.version_inserted(conn, row),
        )

    async def get_version(self, workspace_id: str, kind: DefinitionKind, version_id: str) -> VersionRow | None:
        """The version, or None."""
        return await self._read(lambda conn: definitions.get_version(conn, workspace_id, kind, version_id))

    async def list_versions(self, workspace_id: str, kind: DefinitionKind, definition_id: str) -> list[VersionRow]:
        """See the port."""
        return await self._read(lambda conn: definitions.list_versions(conn, workspace_id, kind, definition_id))

    async def definitions_stamp(self, workspace_id: str) -> int:
        """See the port."""
        session = self._session
        if session is None or session.pid != os.getpid():
            session = await self._reopened()
        return await session.stamp(workspace_id)

    # ------------------------------------------------------------------ executions

    async def begin_execution(self, row: ExecutionRow, *, wait: bool) -> None:
        """See the port.

        Raises:
            ConflictError: with `wait`, an execution with this id exists.  Without, the first one stands.
        """
        session = self._session
        if session is None or session.pid != os.getpid():
            session = await self._reopened()
        begin = begin_values(row)
        if row.status == "running":
            session.keep_identity((row.workspace_id, row.id), begin[:IDENTITY_COLUMNS])
        write = RunWrite(begin=begin, exclusive=wait)
        if wait or not session.post(write):
            await session.write(write)

    async def finish_execution(
        self,
        row: ExecutionRow,
        spans: Sequence[Span],
        events: Sequence[Event],
        entries: Sequence[JournalEntry] = (),
    ) -> None:
        """See the port.  The input, the version lock and the metadata stay as begun; a second end changes nothing."""
        session = self._session
        if session is None or session.pid != os.getpid():
            session = await self._reopened()
        identity = session.take_identity((row.workspace_id, row.id))
        if identity is None or identity[OWNER] != row.owner:
            identity = identity_values(row)
        write = RunWrite(spans=span_values(spans))
        if row.status in EXECUTION_TERMINAL:
            write.end = (*identity, *end_values(row), events_text(events) if events else None, entries_text(entries))
        else:  # it may go on, and its own end must find the place free
            write.end = (*identity, *end_values(row), None, None)
            write.events = events_values(row.workspace_id, row.id, events) if events else None
            write.journal = journal_values(row, entries)
        await session.write(write)

    async def get_execution(self, workspace_id: str, execution_id: str) -> ExecutionRow | None:
        """The execution, or None."""
        return await self._read(lambda conn: queries.get_execution(conn, workspace_id, execution_id))

    async def list_executions(
        self, workspace_id: str, where: ExecutionFilter, *, offset: int, limit: int
    ) -> tuple[list[ExecutionRow], int]:
        """See the port."""
        return await self._read(
            lambda conn: queries.list_executions(conn, workspace_id, where, offset=offset, limit=limit)
        )

    async def update_metadata(
        self, workspace_id: str, execution_id: str, metadata: Mapping[str, Any]
    ) -> ExecutionRow | None:
        """See the port."""
        added = dict(metadata)
        dump_metadata(added)  # refused here if it is not JSON
        changed: ExecutionRow | None = await self._call(
            lambda conn: queries.update_metadata(conn, workspace_id, execution_id, added)
        )
        return changed

    async def read_events(self, workspace_id: str, execution_id: str, after: int) -> list[Event]:
        """See the port."""
        return await self._read(lambda conn: queries.read_events(conn, workspace_id, execution_id, after))

    # ------------------------------------------------------------------ traces and costs

    async def list_spans(
        self, workspace_id: str, where: SpanFilter, *, offset: int, limit: int
    ) -> tuple[list[Span], int]:
        """See the port."""
        return await self._read(lambda conn: queries.list_spans(conn, workspace_id, where, offset=offset, limit=limit))

    async def cost_totals(
        self, workspace_id: str, *, agent_id: str | None, created_from: float | None, created_to: float | None
    ) -> CostTotals:
        """See the port."""
        return await self._read(
            lambda conn: queries.cost_totals(conn, workspace_id, agent_id, created_from, created_to)
        )

    # ------------------------------------------------------------------ cached answers and tool state

    async def cache_get(self, workspace_id: str, key: str, now: float) -> dict[str, Any] | None:
        """See the port."""
        return await self._read(lambda conn: state.cache_get(conn, workspace_id, key, now))

    async def cache_put(self, workspace_id: str, key: str, value: dict[str, Any], expires_at: float) -> None:
        """Keep an answer; of one workspace at most `state.MAX_CACHED` and a few are kept."""
        text = dump_json(value)
        await self._call(lambda conn: state.cache_put(conn, workspace_id, key, text, expires_at), len(text))
        if next(self._puts) % _TRIM_EVERY == 0:
            await self._call(lambda conn: state.cache_trim(conn, workspace_id))

    async def state_list(self, workspace_id: str, scope: str) -> dict[str, Any]:
        """See the port."""
        return await self._read(lambda conn: state.state_list(conn, workspace_id, scope))

    async def state_get(self, workspace_id: str, scope: str, key: str) -> Any:
        """The value, or None."""
        return await self._read(lambda conn: state.state_get(conn, workspace_id, scope, key))

    async def state_set(self, workspace_id: str, scope: str, key: str, value: Any) -> None:
        """Keep a value."""
        text = dump_json(value)
        await self._call(lambda conn: state.state_set(conn, workspace_id, scope, key, text), len(text))

    async def state_delete(self, workspace_id: str, scope: str, key: str) -> bool:
        """Whether there was one."""
        found: bool = await self._call(lambda conn: state.state_delete(conn, workspace_id, scope, key))
        return found

    # ------------------------------------------------------------------ the session

    def _open(self) -> Session:
        pid = os.getpid()
        with self._opening.setdefault(pid, threading.Lock()):
            session = self._session
            if session is not None and session.pid == pid:
                return session
            if session is not None:
                # Its threads are gone and its connections are the parent's: kept, so that nothing closes them here.
                self._abandoned.append(session)
            self._session = opened = Session(Database(self._url, self._durability))
            return opened

    async def _live(self) -> Session:
        session = self._session
        if session is not None and session.pid == os.getpid():
            return session
        return await self._reopened()

    async def _reopened(self) -> Session:
        if self._session is None:
            raise StoreError("The store is not open; await store.open() first.", code="store_closed")
        return await asyncio.to_thread(self._open)

    async def _change(
        self,
        workspace_id: str,
        run: Callable[[Connection], Any],
        stamp_of: Callable[[Any], int | None],
        *,
        conflict: str,
        repeated: Callable[[Connection], Any] | None = None,
    ) -> Any:
        """Run a change of definitions; its stamp is known here as soon as it is committed."""
        session = await self._live()

        def committed(value: Any) -> None:
            stamp = stamp_of(value)
            if stamp is not None:
                session.stamps.put(workspace_id, stamp, time.monotonic())

        return await session.call(Call(run, conflict=conflict, repeated=repeated, committed=committed))


def _own_stamp(value: int) -> int | None:
    return value


def _stamp_of_changed(value: tuple[DefinitionRow, int] | None) -> int | None:
    return None if value is None else value[1]
