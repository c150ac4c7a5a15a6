"""What durable runs need of the store in memory: journals, claims, and decisions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

from promptrails_engine.errors import ConflictError
from promptrails_engine.events import ErrorEvent, Event
from promptrails_engine.ports.journal import ApprovalRow, ApprovalStatus, Claims, Decided, JournalEntry
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.store.entries import CANCELLED, add_entries, announce, fenced, to_be_cancelled, turns_of
from promptrails_engine.store.memory_run import Run, copied, ended_row
from promptrails_engine.store.memory_runs import Runs, page
from promptrails_engine.store.payload import copy_json


class MemoryJournal:
    """The second half of the port over `Runs`."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    # ------------------------------------------------------------------ what a run writes

    async def write_progress(
        self, row: ExecutionRow, entries: Sequence[JournalEntry], spans: Sequence[Span], events: Sequence[Event]
    ) -> None:
        """See the port."""
        run = self._fenced(row)
        marked = self._marked(run) if announce(entries) else None
        if marked is not None:
            raise to_be_cancelled(row.id, marked.row.id)
        self._runs.progress(run, entries, spans, events)

    async def suspend_execution(
        self,
        row: ExecutionRow,
        entries: Sequence[JournalEntry],
        spans: Sequence[Span],
        events: Sequence[Event],
        approvals: Sequence[ApprovalRow] = (),
    ) -> str:
        """See the port."""
        run = self._fenced(row)
        self._runs.progress(run, entries, spans, events)
        if run.journal is not None:
            run.journal = {key: None if entry is None else _plain(entry) for key, entry in run.journal.items()}
        for approval in approvals:
            self._runs.request(run, _own(approval))
        status = row.status
        if run.row.parent_execution_id is None and status in ("awaiting_approval", "in_doubt"):
            waits = status == "in_doubt" or self._pending(row.workspace_id, row.id)
            if run.row.cancel_requested_at is not None or not waits:
                status = "pending"
        run.row = ended_row(run.row, row)
        self._runs.move(run, status, None)
        return status

    async def read_journal(self, workspace_id: str, execution_id: str) -> list[JournalEntry]:
        """See the port."""
        run = self._runs.find(workspace_id, execution_id)
        return [] if run is None else [_plain(entry) for entry in _entries(run)]

    def _fenced(self, row: ExecutionRow) -> Run:
        run = self._runs.find(row.workspace_id, row.id)
        if run is None or run.status != "running" or run.owner != row.owner:
            raise fenced(row.id)
        return run

    def _marked(self, run: Run) -> Run | None:
        """The topmost one, of this and those above it, that somebody wants cancelled."""
        found = None
        above: Run | None = run
        while above is not None:
            row = above.row
            found = found if row.cancel_requested_at is None else above
            parent = row.parent_execution_id
            above = None if parent is None else self._runs.find(row.workspace_id, parent)
        return found

    # ------------------------------------------------------------------ who runs what

    async def renew_lease(self, owner: str, seconds: float) -> None:
        """See the port."""
        self._runs.owners.renew(owner, seconds)

    async def end_lease(self, owner: str) -> None:
        """See the port."""
        self._runs.owners.end(owner)

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
        """See the port."""
        if execution_id is None:
            most = limit + len(exclude)
            found = self._runs.owners.claimable(workspace_id, most, lapsed=lapsed, order=turns_of(served))
            roots = [run for run in found if run.row.id not in exclude][:limit]
        else:
            one = self._runs.find(workspace_id, execution_id)
            roots = [one] if one is not None and limit > 0 and self._is_claimable(one, lapsed=lapsed) else []
        rows: list[ExecutionRow] = []
        taken: set[str] = set()
        for root in roots:
            for run in self._runs.tree(workspace_id, root.row.id):
                if not run.ended:
                    died = run.status == "running" and self._is_dead(run)
                    taken |= {run.row.id} if died else set()
                    self._take(run, owner, died=died)
                    rows.append(copied(run))
        return Claims(rows, frozenset(taken))

    def _take(self, run: Run, owner: str, *, died: bool) -> None:
        started = time.time() if run.row.started_at is None else run.row.started_at
        self._runs.move(run, "running", owner, attempt=run.row.attempt + died, started_at=started)

    def _is_claimable(self, run: Run, *, lapsed: bool) -> bool:
        if run.row.parent_execution_id is not None:
            return False
        return run.status == "pending" or (lapsed and run.status == "running" and self._is_dead(run))

    def _is_dead(self, run: Run) -> bool:
        return run.owner is not None and self._runs.owners.is_lapsed(run.owner)

    async def unanswered(self, workspace_id: str, root_ids: Sequence[str]) -> list[tuple[str, str, JournalEntry]]:
        """See the port."""
        return [
            (root_id, run.row.id, _plain(entry))
            for root_id in root_ids
            for run in self._runs.tree(workspace_id, root_id)
            for entry in _in_doubt(run)
        ]

    async def answer_entry(
        self, workspace_id: str, execution_id: str, key: str, value: Mapping[str, Any] | None
    ) -> bool:
        """See the port."""
        run = self._runs.find(workspace_id, execution_id)
        if run is None or run.ended or run.journal is None:
            return False
        root_id = run.row.root_execution_id or execution_id
        root = self._runs.find(workspace_id, root_id)
        entry = run.journal.get(key)
        if root is None or root.status != "in_doubt" or entry is None or entry.state != "intended":
            return False
        answer = None if value is None else JournalEntry(key, entry.kind, entry.effect, "done", copy_json(dict(value)))
        run.journal[key] = answer
        if not any(_in_doubt(one) for one in self._runs.tree(workspace_id, root_id)):
            self._runs.move(root, "pending", None)
        return True

    async def request_cancel(self, workspace_id: str, execution_id: str) -> ExecutionRow | None:
        """See the port."""
        run = self._runs.find(workspace_id, execution_id)
        if run is None:
            return None
        if run.status == "running":
            if run.row.cancel_requested_at is None:
                run.row = replace(run.row, cancel_requested_at=time.time())
        elif not run.ended:
            if run.row.parent_execution_id is not None:
                raise ConflictError(
                    f"Execution {execution_id} is part of a tree that waits; cancel its root "
                    f"{run.row.root_execution_id}."
                )
            for one in self._runs.tree(workspace_id, execution_id):
                if not one.ended:
                    self._cancel(one)
        return copied(run)

    def _cancel(self, run: Run) -> None:
        now = time.time()
        for approval in run.approvals.values():
            if approval.status == "pending":
                approval.status, approval.decided_at = "withdrawn", now
        last = ErrorEvent(CANCELLED, "cancelled", run.events[-1][-1].seq + 1 if run.events else 1)
        self._runs.progress(run, (), (), (last,))
        self._runs.move(
            run,
            "cancelled",
            run.owner,
            completed_at=now,
            duration_ms=round((now - run.row.created_at) * 1000),
            error=CANCELLED,
            error_code="cancelled",
        )

    async def cancel_requests(self, owner: str) -> list[str]:
        """See the port."""
        return [run.row.id for run in self._runs.owners.running(owner) if run.row.cancel_requested_at is not None]

    async def replace_lock(
        self, workspace_id: str, execution_id: str, agent_version_id: str, version_lock: Mapping[str, Any]
    ) -> bool:
        """See the port."""
        run = self._runs.find(workspace_id, execution_id)
        if run is None or run.ended or run.status == "running":
            return False
        run.row = replace(run.row, agent_version_id=agent_version_id, version_lock=copy_json(dict(version_lock)))
        return True

    # ------------------------------------------------------------------ decisions

    async def get_approval(self, workspace_id: str, approval_id: str) -> ApprovalRow | None:
        """The request, or None."""
        found = self._runs.approvals.get((workspace_id, approval_id))
        return None if found is None else _own(found)

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
        found = [
            row
            for row in self._runs.approvals.values()
            if row.workspace_id == workspace_id
            and status in (None, row.status)
            and execution_id in (None, row.execution_id)
            and root_execution_id in (None, row.root_execution_id)
        ]
        return [_own(row) for row in page(found, offset, limit, lambda row: (row.created_at, row.id))], len(found)

    async def decide_approval(
        self, workspace_id: str, approval_id: str, status: ApprovalStatus, *, reason: str, decided_by: str
    ) -> Decided | None:
        """See the port."""
        row = self._runs.approvals.get((workspace_id, approval_id))
        if row is None:
            return None
        if row.status != "pending":
            return Decided(_own(row), won=False)
        won = not _is_expired(row)
        if won:
            row.status, row.reason, row.decided_by = status, reason, decided_by
        else:
            row.status = "expired"
        self._decided(row)
        return Decided(_own(row), won=won)

    async def expire_approvals(self, workspace_id: str) -> list[ApprovalRow]:
        """See the port."""
        rows = [
            row
            for row in self._runs.approvals.values()
            if row.workspace_id == workspace_id and row.status == "pending" and _is_expired(row)
        ]
        for row in rows:
            row.status = "expired"
            self._decided(row)
        return sorted(map(_own, rows), key=attrgetter("created_at", "id"))

    def _decided(self, row: ApprovalRow) -> None:
        """Free the root, if this was the last that its tree waited for."""
        row.decided_at = time.time()
        root = self._runs.find(row.workspace_id, row.root_execution_id)
        if root is None or root.status != "awaiting_approval":
            return
        if not self._pending(row.workspace_id, row.root_execution_id):
            self._runs.move(root, "pending", None)

    def _pending(self, workspace_id: str, root_id: str) -> bool:
        """Whether a tree has requests that are pending."""
        tree = self._runs.tree(workspace_id, root_id)
        return any(row.status == "pending" for run in tree for row in run.approvals.values())


def _own(row: ApprovalRow) -> ApprovalRow:
    return replace(row, payload=copy_json(row.payload))


def _is_expired(row: ApprovalRow) -> bool:
    return row.expires_at is not None and row.expires_at <= time.time()


def _plain(entry: JournalEntry) -> JournalEntry:
    return JournalEntry(entry.key, entry.kind, entry.effect, entry.state, copy_json(entry.value))


def _in_doubt(run: Run) -> list[JournalEntry]:
    """Intents whose outcome somebody has to tell."""
    if run.ended:
        return []
    return [entry for entry in _entries(run) if entry.state == "intended" and entry.effect == "effect"]


def _entries(run: Run) -> list[JournalEntry]:
    """All entries, an outcome in the place of its intent."""
    found = {} if run.journal is None else dict(run.journal)
    add_entries(found, run.last_entries)
    return [entry for entry in found.values() if entry is not None]
