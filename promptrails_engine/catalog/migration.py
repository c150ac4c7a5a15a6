"""What it means for an execution that waits to go on with other versions, as data; `str()` of it is for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from promptrails_engine.catalog.lock_diff import LockChange


@dataclass(frozen=True, slots=True, kw_only=True)
class LostStep:
    """A step whose outcome is on record, and that the new versions have no place for.

    Attributes:
        execution_id: the execution that it belongs to, which may be a child.
        key: its place there.
    """

    execution_id: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidApproval:
    """A request for approval that no longer matches what would be done.

    Attributes:
        approval_id: of the request.
        execution_id: the execution that waits, which may be a child.
        key: the step that waits.
        checkpoint_name: what the agent calls this check; of a tool or sub-agent its name.
        status: what has been decided so far: pending, approved or rejected.
        why: what has changed.
    """

    approval_id: str
    execution_id: str
    key: str
    checkpoint_name: str
    status: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """An execution that goes from the versions of its lock to others.

    Attributes:
        execution_id: the execution.
        status: what it waits for.
        applied: whether it has been done; else it would be.
        changes: versions that differ, came or went.
        lost: outcomes on record that the new versions do not recall, as far as that can be told beforehand: what they
            stand for is not repeated either, unless a step of the new versions does.
        void_approvals: requests that no longer match; the run fails once it comes to one.
    """

    execution_id: str
    status: str
    applied: bool
    changes: tuple[LockChange, ...] = ()
    lost: tuple[LostStep, ...] = ()
    void_approvals: tuple[VoidApproval, ...] = ()

    @property
    def is_safe(self) -> bool:
        """Whether all that is on record goes on to count."""
        return not self.lost and not self.void_approvals

    def to_dict(self) -> dict[str, Any]:
        """JSON data."""
        return asdict(self)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        verb = "went" if self.applied else "would go"
        if not self.changes:
            yield f"execution {self.execution_id} ({self.status}) has these versions already"
        else:
            yield f"execution {self.execution_id} ({self.status}) {verb} on with other versions"
        for change in self.changes:
            yield f"  ~ {change.kind} {change.name_or_id}: {change.old or 'none'} -> {change.new or 'none'}"
        for step in self.lost:
            yield f"  ! not recalled: {step.key} of execution {step.execution_id}"
        for approval in self.void_approvals:
            yield f"  ! approval {approval.approval_id} ({approval.checkpoint_name}, {approval.status}): {approval.why}"
