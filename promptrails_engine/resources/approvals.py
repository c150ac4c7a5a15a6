"""`engine.approvals`: what runs wait for somebody to decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from promptrails_engine.clock import iso, iso_or_none
from promptrails_engine.errors import (
    AlreadyDecidedError,
    ApprovalExpiredError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    ValidationError,
)
from promptrails_engine.faces import M_co, method
from promptrails_engine.ports.journal import ApprovalRow
from promptrails_engine.resources.base import EngineResource, page_slice
from promptrails_engine.results import ApprovalRequest, Page, page_of
from promptrails_engine.rows import approval_request
from promptrails_engine.run.approvals import decided_data

Decision = Literal["approved", "rejected"]


class Approvals(EngineResource[M_co]):
    """Requests of this workspace that somebody decides."""

    @method
    async def list(
        self,
        *,
        status: str | None = None,
        execution_id: str | None = None,
        root_execution_id: str | None = None,
        page: int = 1,
        limit: int = 20,
    ) -> Page[ApprovalRequest]:
        """One page of requests, newest first; every filter that is given must match.

        `execution_id` is the execution that waits, `root_execution_id` the root of its tree, as `agents.execute` gives
        it.  `status` is pending, approved, rejected, expired, or withdrawn with its run.
        """
        await self._parts.ready()
        offset, limit = page_slice(page, limit)
        await self._expire()
        rows, total = await self._store.list_approvals(
            self._workspace_id,
            status=status,
            execution_id=execution_id,
            root_execution_id=root_execution_id,
            offset=offset,
            limit=limit,
        )
        return page_of([approval_request(row) for row in rows], total, page, limit)

    @method
    async def get(self, approval_id: str) -> ApprovalRequest:
        """One request, decided or not.

        Raises:
            NotFoundError: there is none.
        """
        await self._parts.ready()
        await self._expire()
        return approval_request(await self._row(approval_id))

    @method
    async def decide(
        self, approval_id: str, decision: Decision, reason: str = "", *, decided_by: str = "", resume: bool = True
    ) -> ApprovalRequest:
        """The request, decided for good; its run goes on as soon as nothing else of it waits.

        Args:
            approval_id: the request's id.
            decision: `approved` or `rejected`.
            reason: kept with the request.
            decided_by: who decides; kept with the request.  Where the agent version's approval policy has the mode
                `assigned`, one of its `member_ids`.
            resume: whether the run is taken up in this process; else by whoever takes up what is pending.

        Raises:
            NotFoundError: there is none.
            AlreadyDecidedError, ApprovalExpiredError: it is too late; nothing was changed.
            ForbiddenError: `decided_by` may not decide it.
            ValidationError: there is no such decision.
        """
        if decision not in get_args(Decision):
            raise ValidationError(f"a decision is {' or '.join(map(repr, get_args(Decision)))}, not {decision!r}")
        await self._parts.ready()
        row = await self._row(approval_id)
        if row.status != "pending":
            raise _too_late(row)
        await self._check_decider(row, decided_by)
        decided = await self._store.decide_approval(
            self._workspace_id, approval_id, decision, reason=reason, decided_by=decided_by
        )
        if decided is None:
            raise _unknown(approval_id)
        if not decided.won:
            self._parts.dispatcher.nudge()  # it may have expired just now
            raise _too_late(decided.row)
        self._parts.services.hooks.fire("approval.decided", decided_data(decided.row))
        if resume:
            await self._parts.dispatcher.wake(row.root_execution_id)
        return approval_request(decided.row)

    # -------------------------------------------------------------- inside

    async def _expire(self) -> None:
        if await self._store.expire_approvals(self._workspace_id):
            self._parts.dispatcher.nudge()  # their runs go on, to their ends

    async def _row(self, approval_id: str) -> ApprovalRow:
        row = await self._store.get_approval(self._workspace_id, approval_id)
        if row is None:
            raise _unknown(approval_id)
        return row

    async def _check_decider(self, row: ApprovalRow, decided_by: str) -> None:
        """Hold who decides against the policy of the agent version that the waiting execution runs.

        Raises:
            ForbiddenError: the policy names others, or cannot be found.
        """
        execution = await self._store.get_execution(self._workspace_id, row.execution_id)
        pinned: Mapping[str, Any] | None = execution.version_lock.get("agent") if execution is not None else None
        if pinned is None:
            return
        version = await self._store.get_version(self._workspace_id, "agent", pinned["version_id"])
        if version is None:
            raise ForbiddenError(
                f"approval '{row.id}' cannot be decided: the agent version '{pinned['version_id']}', which says by "
                "whom, is not in this store"
            )
        policy: Mapping[str, Any] = version.data.get("approval_policy") or {}
        if policy.get("mode") == "assigned" and decided_by not in policy.get("member_ids", ()):
            raise ForbiddenError(
                f"approval '{row.id}' is not for {repr(decided_by) if decided_by else 'somebody without a name'} to "
                "decide; give as decided_by one of those whom the agent's approval_policy assigns"
            )


def _too_late(row: ApprovalRow) -> ConflictError:
    if row.status == "expired":
        return ApprovalExpiredError(
            f"approval '{row.id}' expired{_at(row.expires_at)}, before anybody had decided it; run the agent again to "
            "be asked again",
            details={"expires_at": iso_or_none(row.expires_at)},
        )
    details = {
        "status": row.status,
        "decided_by": row.decided_by,
        "decided_at": iso_or_none(row.decided_at),
        "reason": row.reason,
    }
    if row.status == "withdrawn":
        said = f"approval '{row.id}' was withdrawn{_at(row.decided_at)}: its run waits no more"
    else:
        who = f"'{row.decided_by}'" if row.decided_by else "somebody"
        why = f" ({row.reason})" if row.reason else ""
        said = f"approval '{row.id}' was {row.status} by {who}{_at(row.decided_at)}{why}; a decision is final"
    return AlreadyDecidedError(said, details=details)


def _at(timestamp: float | None) -> str:
    return "" if timestamp is None else f" at {iso(timestamp)}"


def _unknown(approval_id: str) -> NotFoundError:
    return NotFoundError(f"no approval with the id '{approval_id}'; approvals.list() shows what there is")
