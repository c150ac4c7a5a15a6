"""The part of the store in SQL that durable runs need."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import Connection

from promptrails_engine.events import Event
from promptrails_engine.ports.journal import ApprovalRow, ApprovalStatus, Claims, Decided, JournalEntry
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.store.codec import dump_json, escape
from promptrails_engine.store.entries import announce, turns_of
from promptrails_engine.store.sql import approvals, claims, parking
from promptrails_engine.store.sql.rows import end_values, events_values, fence_values, journal_values, span_values
from promptrails_engine.store.sql.session import Session
from promptrails_engine.store.sql.transactions import Call, RunWrite

T = TypeVar("T")


class DurableStore(ABC):
    """The second half of the port, over the session of the store."""

    @abstractmethod
    async def _live(self) -> Session:
        """The session of this process."""

    async def _read(self, query: Callable[[Connection], T]) -> T:
        return await (await self._live()).read(query)

    async def _call(
        self,
        run: Callable[[Connection], Any],
        size: int = 0,
        *,
        repeated: Callable[[Connection], Any] | None = None,
    ) -> Any:
        return await (await self._live()).call(Call(run, repeated=repeated), size)

    # ------------------------------------------------------------------ what a run writes

    async def write_progress(
        self, row: ExecutionRow, entries: Sequence[JournalEntry], spans: Sequence[Span], events: Sequence[Event]
    ) -> None:
        """See the port."""
        session = await self._live()
        await session.write(
            RunWrite(
                spans=span_values(spans),
                events=events_values(row.workspace_id, row.id, events) if events else None,
                journal=journal_values(row, entries),
                fence=fence_values(row),
                announces=announce(entries),
            )
        )

    async def suspend_execution(
        self,
        row: ExecutionRow,
        entries: Sequence[JournalEntry],
        spans: Sequence[Span],
        events: Sequence[Event],
        approvals: Sequence[ApprovalRow] = (),
    ) -> str:
        """See the port."""
        session = await self._live()
        what = parking.Suspension(
            fence_values(row),
            row.attempt,
            end_values(row),
            journal_values(row, entries),
            span_values(spans),
            events_values(row.workspace_id, row.id, events) if events else None,
            _requests(approvals),
        )
        session.take_identity((row.workspace_id, row.id))
        call = Call(lambda conn: parking.suspend(conn, what), repeated=lambda conn: parking.suspended(conn, what))
        status: str = await session.call(call, sum([len(part[-1]) for part in (*what.entries, *what.spans)]))
        return status

    async def read_journal(self, workspace_id: str, execution_id: str) -> list[JournalEntry]:
        """See the port."""
        return await self._read(lambda conn: parking.read_journal(conn, workspace_id, execution_id))

    # ------------------------------------------------------------------ who runs what

    async def renew_lease(self, owner: str, seconds: float) -> None:
        """See the port."""
        await self._call(lambda conn: claims.renew_lease(conn, escape(owner), seconds))

    async def end_lease(self, owner: str) -> None:
        """See the port."""
        await self._call(lambda conn: claims.end_lease(conn, escape(owner)))

    async def claim_executions(
        self,
        workspace_id: str,
        owner: str,
        *,
        limit: int,
        lapsed: bool,
        execution_id: str | None = None,
        exclude: Sequence[str] = (),
        served: Sequence[str] = (),
    ) -> Claims:
        """See the port.  Who asks often and finds nothing keeps nobody from writing."""
        if execution_id is None and not await self._read(
            lambda conn: claims.are_any(conn, workspace_id, lapsed=lapsed)
        ):
            return Claims()
        order = turns_of([escape(agent) for agent in served])
        wanted = claims.Wanted(limit, lapsed, execution_id, frozenset(map(escape, exclude)), order)
        token = uuid4().hex
        found: Claims = await self._call(
            lambda conn: claims.claim(conn, workspace_id, owner, wanted, token),
            repeated=lambda conn: claims.claimed(conn, workspace_id, owner, token),
        )
        return found

    async def unanswered(self, workspace_id: str, root_ids: Sequence[str]) -> list[tuple[str, str, JournalEntry]]:
        """See the port."""
        return await self._read(lambda conn: parking.unanswered(conn, workspace_id, root_ids))

    async def answer_entry(
        self, workspace_id: str, execution_id: str, key: str, value: Mapping[str, Any] | None
    ) -> bool:
        """See the port."""
        found: bool = await self._call(
            lambda conn: parking.answer(conn, workspace_id, execution_id, key, value),
            repeated=lambda conn: parking.answered(conn, workspace_id, execution_id, key, value),
        )
        return found

    async def request_cancel(self, workspace_id: str, execution_id: str) -> ExecutionRow | None:
        """See the port."""
        row: ExecutionRow | None = await self._call(lambda conn: parking.cancel(conn, workspace_id, execution_id))
        return row

    async def cancel_requests(self, owner: str) -> list[str]:
        """See the port."""
        return await self._read(lambda conn: claims.cancel_requests(conn, owner))

    async def replace_lock(
        self, workspace_id: str, execution_id: str, agent_version_id: str, version_lock: Mapping[str, Any]
    ) -> bool:
        """See the port."""
        what = (escape(workspace_id), escape(execution_id), escape(agent_version_id), dump_json(dict(version_lock)))
        found: bool = await self._call(
            lambda conn: parking.replace_lock(conn, *what), repeated=lambda conn: parking.lock_replaced(conn, *what)
        )
        return found

    # ------------------------------------------------------------------ decisions

    async def get_approval(self, workspace_id: str, approval_id: str) -> ApprovalRow | None:
        """The request, or None."""
        return await self._read(lambda conn: approvals.get_approval(conn, workspace_id, approval_id))

    async def list_approvals(
        self,
        workspace_id: str,
        *,
        status: str | None = None,
        execution_id: str | None = None,
        root_execution_id: str | None = None,
        offset: int,
        limit: int,
    ) -> tuple[list[ApprovalRow], int]:
        """See the port."""
        return await self._read(
            lambda conn: approvals.list_approvals(
                conn,
                workspace_id,
                status=status,
                execution_id=execution_id,
                root_execution_id=root_execution_id,
                offset=offset,
                limit=limit,
            )
        )

    async def decide_approval(
        self, workspace_id: str, approval_id: str, status: ApprovalStatus, *, reason: str, decided_by: str
    ) -> Decided | None:
        """See the port."""
        call = uuid4().hex
        found: Decided | None = await self._call(
            lambda conn: approvals.decide(
                conn, workspace_id, approval_id, status, reason=reason, decided_by=decided_by, decision=call
            )
        )
        return found

    async def expire_approvals(self, workspace_id: str) -> list[ApprovalRow]:
        """See the port.  Who asks often and finds nothing keeps nobody from writing."""
        if not await self._read(lambda conn: approvals.are_over(conn, workspace_id)):
            return []
        call = uuid4().hex
        rows: list[ApprovalRow] = await self._call(
            lambda conn: approvals.expire(conn, workspace_id, call),
            repeated=lambda conn: approvals.expired(conn, workspace_id, call),
        )
        return rows


def _requests(rows: Sequence[ApprovalRow]) -> list[dict[str, Any]]:
    return [approvals.approval_values(row) for row in rows]
