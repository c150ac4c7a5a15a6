"""The store port: where definitions, executions, events, spans and state live.

Rows are plain data; every one belongs to a workspace, and every query names it: a row of another workspace does not
exist.  Times are seconds since the epoch.  JSON fields hold JSON data only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from promptrails_engine.events import Event
from promptrails_engine.ports.journal import JournalEntry, JournalStore
from promptrails_engine.ports.sink import Span

DefinitionKind = Literal["prompt", "agent"]
DefinitionStatus = Literal["active", "archived", "deleted"]
ExecutionStatus = Literal[
    "pending", "running", "completed", "failed", "cancelled", "awaiting_approval", "in_doubt", "rejected"
]
EXECUTION_TERMINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled", "rejected"})


@dataclass(slots=True)
class DefinitionRow:
    """A prompt or an agent.  `name` is unique among the rows of its kind that are not deleted."""

    kind: DefinitionKind
    id: str
    workspace_id: str
    name: str
    type: str
    """The agent's type; "" for a prompt."""
    status: DefinitionStatus
    current_version_id: str | None
    data: dict[str, Any]
    """Description, labels and the like."""
    created_at: float
    updated_at: float


@dataclass(slots=True)
class VersionRow:
    """An immutable version.  `version` (its label) is unique within the definition."""

    kind: DefinitionKind
    id: str
    definition_id: str
    workspace_id: str
    version: str
    digest: str
    """SHA-256 of the content, in hexadecimal."""
    message: str
    data: dict[str, Any]
    created_at: float


@dataclass(slots=True)
class DefinitionChanges:
    """What to change on a definition; None leaves a field as it is."""

    name: str | None = None
    status: DefinitionStatus | None = None
    data: dict[str, Any] | None = None
    current_version_id: str | None = None
    updated_at: float = 0.0


@dataclass(slots=True)
class ExecutionRow:
    """One invocation of one agent.  `cost` is USD, None where a price was unknown; `cost_known` is what is known."""

    id: str
    workspace_id: str
    agent_id: str
    agent_version_id: str
    trace_id: str
    status: ExecutionStatus
    input: dict[str, Any]
    version_lock: Mapping[str, Any]
    created_at: float
    user_id: str = ""
    session_id: str = ""
    metadata: dict[str, Any] = field(default_factory=lambda: {})
    started_at: float | None = None
    completed_at: float | None = None
    duration_ms: int | None = None
    output: dict[str, Any] | None = None
    error: str = ""
    error_code: str = ""
    token_usage: dict[str, int] = field(default_factory=lambda: {})
    cost: float | None = None
    cost_known: float = 0.0
    truncated: bool = False
    """The answer ended at the token limit."""
    parent_execution_id: str | None = None
    """The execution that started this one; None of one that a caller started, which is a root."""
    root_execution_id: str | None = None
    """The root of the tree; None of a root itself."""
    owner: str | None = None
    """Who runs it: a process that keeps a lease.  None of one that nobody runs, or that dies with its process."""
    attempt: int = 0
    """How often it was taken over from an owner that had died."""
    cancel_requested_at: float | None = None
    limits: dict[str, Any] | None = None
    """JSON data of the limits that the caller set; they hold wherever it goes on."""


@dataclass(slots=True)
class ExecutionFilter:
    """Which executions to list; None does not filter.  Times are inclusive bounds on `created_at`."""

    agent_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    status: str | None = None
    created_from: float | None = None
    created_to: float | None = None
    metadata: Mapping[str, Any] | None = None
    """Top-level metadata keys that must equal these values."""
    parent_execution_id: str | None = None
    root_execution_id: str | None = None
    """All below this root; the root itself is not among them."""
    roots_only: bool = False


@dataclass(slots=True)
class SpanFilter:
    """Which spans to list; None does not filter.  Times are inclusive bounds on `started_at`."""

    trace_id: str | None = None
    execution_id: str | None = None
    agent_id: str | None = None
    kind: str | None = None
    status: str | None = None
    model_name: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    started_from: float | None = None
    started_to: float | None = None


@dataclass(slots=True)
class DailyCost:
    """One UTC day (YYYY-MM-DD) of executions."""

    date: str
    cost: float
    executions: int
    tokens: int


@dataclass(slots=True)
class CostTotals:
    """Sums over executions; `total_cost` is USD of the calls whose price is known."""

    total_cost: float = 0.0
    total_executions: int = 0
    total_tokens: int = 0
    unknown_cost_executions: int = 0
    daily: list[DailyCost] = field(default_factory=list[DailyCost])


class Store(JournalStore, Protocol):
    """Two adapters keep this promise: plain structures in memory, and SQL."""

    @property
    def shared(self) -> bool:
        """Whether other processes can read it: then events and spans of a running execution are written as it goes."""
        ...

    async def open(self) -> None:
        """Connect, and bring the schema up to date.

        Raises:
            StoreUnavailableError: cannot be reached.
            StoreCorruptError: not a database of ours, or damaged.
            StoreVersionError: written by a newer library; nothing was touched.
        """
        ...

    async def close(self) -> None:
        """Write what is queued and free everything.  May be called twice."""
        ...

    # -------------------------------------------------------------- definitions

    async def insert_definition(self, row: DefinitionRow, version: VersionRow | None = None) -> None:
        """Add a definition, and with it its first version, which `row.current_version_id` may already name.

        Raises:
            ConflictError: the name is taken.
        """
        ...

    async def get_definition(self, workspace_id: str, kind: DefinitionKind, ref: str) -> DefinitionRow | None:
        """By id, else by name; deleted ones are found by id only."""
        ...

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
        """One slice, newest first (created_at, then id, both descending), and the count of all that match.

        `name` matches a part, without case; its wildcards are plain characters.  Deleted ones only by status.
        """
        ...

    async def update_definition(
        self, workspace_id: str, kind: DefinitionKind, definition_id: str, changes: DefinitionChanges
    ) -> DefinitionRow | None:
        """The changed row, or None where there is none.

        Raises:
            ConflictError: the new name is taken.
        """
        ...

    async def insert_version(self, row: VersionRow, *, make_current: bool, after: str | None = None) -> None:
        """Add a version, and make it the current one in the same transaction if asked.

        Raises:
            ConflictError: the label is taken, or `after` is given and is not the current version (any more).
            NotFoundError: no such definition.
        """
        ...

    async def get_version(self, workspace_id: str, kind: DefinitionKind, version_id: str) -> VersionRow | None: ...

    async def list_versions(self, workspace_id: str, kind: DefinitionKind, definition_id: str) -> list[VersionRow]:
        """Newest first (in reverse order of insertion)."""
        ...

    async def definitions_stamp(self, workspace_id: str) -> int:
        """A number that grows with every change of a definition, seen at once in the process that made the change
        and within a second in others: what was read under a stamp may be kept until it moves."""
        ...

    # -------------------------------------------------------------- executions

    async def begin_execution(self, row: ExecutionRow, *, wait: bool) -> None:
        """Add an execution that is running, or `pending` for whoever claims it.  `wait` returns only when it is
        durable; else it is so before anything else of it is."""
        ...

    async def finish_execution(
        self,
        row: ExecutionRow,
        spans: Sequence[Span],
        events: Sequence[Event],
        entries: Sequence[JournalEntry] = (),
    ) -> None:
        """Write the end of a running execution with the spans, events and journal entries not yet written, all or
        nothing; durable when it returns.  One that has ended already, or is another owner's, is left as it is."""
        ...

    async def get_execution(self, workspace_id: str, execution_id: str) -> ExecutionRow | None: ...

    async def list_executions(
        self, workspace_id: str, where: ExecutionFilter, *, offset: int, limit: int
    ) -> tuple[list[ExecutionRow], int]:
        """One slice, newest first (created_at, then id, both descending), and the count of all that match."""
        ...

    async def update_metadata(
        self, workspace_id: str, execution_id: str, metadata: Mapping[str, Any]
    ) -> ExecutionRow | None:
        """Merge top-level keys into the metadata of an execution; None where there is none."""
        ...

    async def read_events(self, workspace_id: str, execution_id: str, after: int) -> list[Event]:
        """The stored events numbered above `after`, in order."""
        ...

    # -------------------------------------------------------------- traces and costs

    async def list_spans(
        self, workspace_id: str, where: SpanFilter, *, offset: int, limit: int
    ) -> tuple[list[Span], int]:
        """One slice, newest first (started_at, then span_id, both descending), and the count of all that match."""
        ...

    async def cost_totals(
        self, workspace_id: str, *, agent_id: str | None, created_from: float | None, created_to: float | None
    ) -> CostTotals:
        """Sums over the finished executions created within the inclusive bounds; days without any are left out.

        What an execution has cost includes its children, so these are sums over roots.  Of one agent they are sums over
        all its executions, which never lie within each other.
        """
        ...

    # -------------------------------------------------------------- cached answers and tool state

    async def cache_get(self, workspace_id: str, key: str, now: float) -> dict[str, Any] | None:
        """The answer kept under `key`, unless it has expired at `now`."""
        ...

    async def cache_put(self, workspace_id: str, key: str, value: dict[str, Any], expires_at: float) -> None: ...

    async def state_list(self, workspace_id: str, scope: str) -> dict[str, Any]:
        """All values of one scope, by key."""
        ...

    async def state_get(self, workspace_id: str, scope: str, key: str) -> Any:
        """The value, or None."""
        ...

    async def state_set(self, workspace_id: str, scope: str, key: str, value: Any) -> None: ...

    async def state_delete(self, workspace_id: str, scope: str, key: str) -> bool:
        """Whether there was one."""
        ...
