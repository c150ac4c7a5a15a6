"""Steps that wait for somebody's approval: the request, what it is bound to, and what becomes of the decision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from promptrails_engine.clock import iso_or_none
from promptrails_engine.definitions.digest import canonical_json
from promptrails_engine.errors import ApprovalMismatchError, RunError
from promptrails_engine.ports.journal import ApprovalRow
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.parking import Parked


async def decision(
    ctx: RunContext, key: str, checkpoint_name: str, payload: dict[str, Any], bound: Mapping[str, Any]
) -> ApprovalRow:
    """The decision about the step with this key: its status is `approved` or `rejected`.

    A request is bound to its payload and to `bound`, JSON data of what else is approved with it, such as versions.

    Raises:
        Parked: there is none yet; the run goes on once it is there.
        RunError: the request has expired, or was withdrawn.
        ApprovalMismatchError: what was approved is not what would be done now.
    """
    if not ctx.on_record:
        await ctx.begin()
    digest = request_digest(key, checkpoint_name, payload, bound)
    request = None if ctx.past is None else ctx.past.approvals.get(key)
    if request is None:
        raise Parked([_request(ctx, key, checkpoint_name, payload, digest)])
    if request.status == "pending":
        raise Parked([request])
    if request.status in ("expired", "withdrawn"):
        raise RunError(
            f"the request '{request.checkpoint_name}' ({request.id}) was {request.status} before anybody decided it",
            code=f"approval_{request.status}",
            details={"approval_id": request.id},
        )
    if request.digest != digest:
        raise ApprovalMismatchError(
            f"what was decided as '{request.checkpoint_name}' ({request.id}) is not what would be done now: arguments "
            "or versions have changed since; run it again",
            details={"approval_id": request.id},
        )
    return request


def denial(request: ApprovalRow) -> str:
    """What is said of a request that was rejected."""
    who = f" by {request.decided_by}" if request.decided_by else ""
    return f"denied{who}: {request.reason}" if request.reason else f"denied{who}"


def asked_data(request: ApprovalRow) -> dict[str, Any]:
    """What hooks are told of a request, as JSON data."""
    return {**_named(request), "payload": request.payload, "expires_at": iso_or_none(request.expires_at)}


def decided_data(request: ApprovalRow) -> dict[str, Any]:
    """What hooks are told of the decision about a request, as JSON data."""
    decided = {"decision": request.status, "reason": request.reason, "decided_by": request.decided_by}
    return {**_named(request), **decided}


def _named(request: ApprovalRow) -> dict[str, Any]:
    return {
        "approval_id": request.id,
        "execution_id": request.execution_id,
        "root_execution_id": request.root_execution_id,
        "agent_id": request.agent_id,
        "checkpoint_name": request.checkpoint_name,
    }


def request_digest(key: str, checkpoint_name: str, payload: Mapping[str, Any], bound: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of what is approved."""
    content = {"step": key, "checkpoint_name": checkpoint_name, "payload": payload, **bound}
    return hashlib.sha256(canonical_json(content).encode("utf-8", "surrogatepass")).hexdigest()


def _request(ctx: RunContext, key: str, checkpoint_name: str, payload: dict[str, Any], digest: str) -> ApprovalRow:
    row, now = ctx.row, ctx.services.clock.now()
    expires = ctx.plan.approval_expires_s
    return ApprovalRow(
        ctx.services.ids.record(),
        row.workspace_id,
        row.id,
        row.root_execution_id or row.id,
        row.agent_id,
        key,
        checkpoint_name,
        payload,
        digest,
        now,
        None if expires is None else now + expires,
    )
