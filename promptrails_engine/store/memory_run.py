"""One execution in memory, with all that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptrails_engine.events import Event
from promptrails_engine.ports.journal import ApprovalRow, JournalEntry
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.store.payload import copy_json


class Run:
    """One execution."""

    __slots__ = (
        "approvals", "ended", "events", "journal", "last_entries", "metadata", "owner", "row", "spans", "status",
    )  # fmt: skip

    def __init__(self, row: ExecutionRow) -> None:
        self.row = row
        self.status: str = row.status
        """As the store knows it: who runs it may have changed the row already."""
        self.owner = row.owner
        self.ended = False
        self.metadata: dict[str, Any] | None = None
        """What took the place of the row's own."""
        self.spans: tuple[Sequence[Span], ...] = ()
        self.events: tuple[Sequence[Event], ...] = ()
        self.journal: dict[str, JournalEntry | None] | None = None
        """By key, in the order in which they came; None for a step that may run again."""
        self.last_entries: Sequence[JournalEntry] = ()
        """Those that came with the end."""
        self.approvals: Mapping[str, ApprovalRow] = {}
        """By key of the step that waits."""


def ended_row(begun: ExecutionRow, end: ExecutionRow) -> ExecutionRow:
    """The end with what was settled when the execution began."""
    return replace(
        end,
        agent_id=begun.agent_id,
        agent_version_id=begun.agent_version_id,
        trace_id=begun.trace_id,
        input=begun.input,
        version_lock=begun.version_lock,
        metadata=begun.metadata,
        created_at=begun.created_at,
        user_id=begun.user_id,
        session_id=begun.session_id,
        parent_execution_id=begun.parent_execution_id,
        root_execution_id=begun.root_execution_id,
        owner=begun.owner,
        attempt=begun.attempt,
        cancel_requested_at=begun.cancel_requested_at,
        limits=begun.limits,
    )


def metadata_of(run: Run) -> dict[str, Any]:
    """The metadata as they now are."""
    return run.row.metadata if run.metadata is None else run.metadata


def copied(run: Run) -> ExecutionRow:
    """The reader's own row."""
    row = run.row
    return replace(
        row,
        input=copy_json(row.input),
        version_lock=copy_json(dict(row.version_lock)),
        metadata=copy_json(metadata_of(run)),
        output=copy_json(row.output),
        token_usage=dict(row.token_usage),
        limits=copy_json(row.limits),
    )
