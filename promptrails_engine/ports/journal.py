"""What makes runs durable: the journal of their steps, who runs what, and the decisions that runs wait for.

The second half of the store port.  Rows are plain data and belong to a workspace; times are seconds since the epoch, of
the store's own clock where they are compared with it (leases, expiry), so that no process's clock decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from promptrails_engine.events import Event
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.tool import Effect

if TYPE_CHECKING:
    from promptrails_engine.ports.store import ExecutionRow

EntryKind = Literal["llm", "tool", "child", "datasource", "media", "approval", "pause", "verdict", "labels"]
EntryState = Literal["intended", "done"]
ApprovalStatus = Literal["pending", "approved", "rejected", "expired", "withdrawn"]


def as_it_is(value: Any) -> Any:
    """JSON data that need not be made into such."""
    return value


@dataclass(slots=True)
class JournalEntry:
    """The outcome of one step, or the intent of one whose outcome is not known."""

    key: str
    """The step's stable key, unique within the execution."""
    kind: EntryKind
    effect: Effect
    state: EntryState
    source: Any
    """What `dump` makes JSON data of."""
    dump: Callable[[Any], dict[str, Any]] = as_it_is

    @property
    def value(self) -> dict[str, Any]:
        """JSON data: what was intended, or what came of it."""
        return self.dump(self.source)


@dataclass(slots=True)
class ApprovalRow:
    """A request that somebody decides; the run that waits for it holds nothing else."""

    id: str
    workspace_id: str
    execution_id: str
    root_execution_id: str
    agent_id: str
    key: str
    """Of the step that waits, unique within the execution."""
    checkpoint_name: str
    payload: dict[str, Any]
    digest: str
    """SHA-256, in hexadecimal, of what is approved: it is compared again before that is done."""
    created_at: float
    expires_at: float | None = None
    status: ApprovalStatus = "pending"
    reason: str = ""
    decided_by: str = ""
    decided_at: float | None = None


@dataclass(slots=True)
class Decided:
    """What became of a request that was to be decided."""

    row: ApprovalRow
    won: bool
    """Whether this call decided it; else `row` is as somebody or its expiry left it."""


@dataclass(slots=True)
class Claims:
    """Executions that a process now runs."""

    rows: list[ExecutionRow] = field(default_factory=list["ExecutionRow"])
    """Roots, newly `running` and owned by who claimed them, with all below them that had not ended."""
    lapsed: frozenset[str] = frozenset()
    """Ids of those among them that were taken from an owner whose lease had lapsed; their `attempt` has grown."""


class JournalStore(Protocol):
    """The part of the store port that durable runs need.

    A run that is going on has an owner, a process that keeps a lease.  What a run writes counts only while the
    execution is `running` and owned by who writes (`row.owner`); else nothing of it is written.
    """

    # -------------------------------------------------------------- what a run writes

    async def write_progress(
        self, row: ExecutionRow, entries: Sequence[JournalEntry], spans: Sequence[Span], events: Sequence[Event]
    ) -> None:
        """Write what a run that goes on has done so far, all or nothing; durable when it returns.

        An entry replaces an intent of the same key; an outcome is never replaced.  A block of events may come again,
        here or with the end, with more events behind it: then the longer one counts.  Spans that are there already
        stay.  `entries` may be empty: then events and spans are written under the same guard.

        Once `request_cancel` has returned, no effect of that execution, or of one below it, can be announced any more.

        Raises:
            FencedError: the run is no longer this owner's, or has ended; nothing was written.
            RunCancelledError: an entry is the intent of an effect, and somebody wants the execution, or one above it,
                cancelled; nothing was written.  `details["execution_id"]` says which, the topmost of several.
        """
        ...

    async def suspend_execution(
        self,
        row: ExecutionRow,
        entries: Sequence[JournalEntry],
        spans: Sequence[Span],
        events: Sequence[Event],
        approvals: Sequence[ApprovalRow] = (),
    ) -> str:
        """Write where a run stops for now, all or nothing: it has no owner afterwards.  Returns the status it has.

        `row.status` says why: `awaiting_approval`, `in_doubt`, or `pending` to be taken up by anyone.  Totals are
        written too.  A root that is to wait for approvals, and whose tree has none left that is pending, becomes
        `pending` instead: somebody has been fast.  So does one that is to wait and that somebody wants cancelled: who
        claims it ends it.  Requests that are there already stay as they are.

        Raises:
            FencedError: the run is no longer this owner's, or has ended; nothing was written.
        """
        ...

    async def read_journal(self, workspace_id: str, execution_id: str) -> list[JournalEntry]:
        """All entries of an execution, in the order in which they were first written; also of one that has ended."""
        ...

    # -------------------------------------------------------------- who runs what

    async def renew_lease(self, owner: str, seconds: float) -> None:
        """Make or renew the lease of a process: it lapses after so many seconds."""
        ...

    async def end_lease(self, owner: str) -> None:
        """Let the lease lapse at once."""
        ...

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
        """Take up to `limit` roots that nobody runs: those that are `pending`, and with `lapsed` also those whose
        owner's lease has lapsed or is unknown.

        Fair between agents: of each the oldest first, in turns.  `served` are agents by when who asks has last taken up
        one of theirs, the latest last: in a turn the others come before them, then they in this order, then the older
        before the younger.  So agents take turns also where one is claimed at a time.  No execution goes to two who ask
        at the same time.  `execution_id` asks for that one only, `exclude` leaves some out.
        """
        ...

    async def unanswered(self, workspace_id: str, root_ids: Sequence[str]) -> list[tuple[str, str, JournalEntry]]:
        """Intents with the effect `effect` that have no outcome, of what has not ended in the trees of these roots:
        root id, execution id, entry."""
        ...

    async def answer_entry(
        self, workspace_id: str, execution_id: str, key: str, value: Mapping[str, Any] | None
    ) -> bool:
        """Answer an intent of an execution whose root is `in_doubt` with an outcome, or with None: it may run again.

        Once none is left in the tree the root becomes `pending`.  Whether there was such an intent.
        """
        ...

    async def request_cancel(self, workspace_id: str, execution_id: str) -> ExecutionRow | None:
        """Cancel an execution: one that nobody runs has ended as `cancelled` when this returns, with all below it and
        its requests withdrawn; one that is running is marked, and announces no further effect (see `write_progress`).
        Returns the row as it then is, or None.

        Raises:
            ConflictError: it is part of a tree that waits; its root has to be cancelled.
        """
        ...

    async def cancel_requests(self, owner: str) -> list[str]:
        """Ids of the running executions of this owner that somebody wants cancelled."""
        ...

    async def replace_lock(
        self, workspace_id: str, execution_id: str, agent_version_id: str, version_lock: Mapping[str, Any]
    ) -> bool:
        """Give an execution that nobody runs, and that has not ended, another version lock.  Whether it was so."""
        ...

    # -------------------------------------------------------------- decisions

    async def get_approval(self, workspace_id: str, approval_id: str) -> ApprovalRow | None: ...

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
        """One slice, newest first (created_at, then id, both descending), and the count of all that match."""
        ...

    async def decide_approval(
        self, workspace_id: str, approval_id: str, status: ApprovalStatus, *, reason: str, decided_by: str
    ) -> Decided | None:
        """Decide a request that is pending and has not expired, in one compare-and-set; None where there is none.

        With the last one of its tree decided, a root that waits becomes `pending`.  One that has expired by the store's
        clock is marked as `expired` here.
        """
        ...

    async def expire_approvals(self, workspace_id: str) -> list[ApprovalRow]:
        """Those requests, the oldest first, that were pending and whose time is over: they are `expired` now, and their
        roots free as after a decision."""
        ...
