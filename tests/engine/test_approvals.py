"""`engine.approvals`: what runs wait for, who decides it, and what follows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import (
    AlreadyDecidedError,
    ApprovalExpiredError,
    ApprovalPolicy,
    ConflictError,
    Engine,
    ForbiddenError,
    HookEvent,
    NotFoundError,
    ValidationError,
)
from promptrails_engine.clock import iso
from promptrails_engine.ports.journal import ApprovalRow
from promptrails_engine.store import open_store
from tests.engine.approval_kit import MOMENT, WORKSPACE, park, request, root_status, waiting

FUTURE = 4_000_000_000.0

pytestmark = pytest.mark.usefixtures("each_store")


async def test_a_request_shows_all_that_it_is_decided_by():
    async with waiting() as (engine, store, approvals, _):
        [row] = await park(store, "", request(expires_at=FUTURE))
        found = await approvals.get(row.id)
        assert found.to_dict() == {
            "id": row.id,
            "execution_id": row.execution_id,
            "root_execution_id": row.execution_id,
            "workspace_id": WORKSPACE,
            "agent_id": "agent_1",
            "key": "output",
            "checkpoint_name": "look",
            "payload": {"output": {"content": "Hello", "type": "text"}},
            "digest": "0f" * 32,
            "status": "pending",
            "reason": None,
            "decided_by": None,
            "decided_at": None,
            "created_at": iso(MOMENT),
            "expires_at": iso(FUTURE),
        }
        assert await engine.approvals.get(row.id) == found


async def test_lists_are_newest_first_and_filtered():
    async with waiting() as (_, store, approvals, _woken):
        rows = [(await park(store, "", request(created_at=MOMENT + index)))[0] for index in range(3)]
        assert [found.id for found in await approvals.list()] == [row.id for row in reversed(rows)]
        page = await approvals.list(page=2, limit=2)
        assert ([found.id for found in page], page.meta.total, page.meta.pages) == ([rows[0].id], 3, 2)
        await approvals.decide(rows[1].id, "rejected")
        assert [found.id for found in await approvals.list(status="pending")] == [rows[2].id, rows[0].id]
        assert [found.id for found in await approvals.list(status="rejected")] == [rows[1].id]
        for name in ("execution_id", "root_execution_id"):
            assert [found.id for found in await approvals.list(**{name: rows[0].execution_id})] == [rows[0].id]
        with pytest.raises(ValidationError, match="page counts from 1"):
            await approvals.list(page=0)


@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_a_decision_is_kept_told_and_followed(decision: Any):
    told: list[HookEvent] = []
    async with waiting(hooks={"approval.decided": [told.append]}) as (_, store, approvals, woken):
        [row] = await park(store)
        assert await root_status(store, row) == "awaiting_approval"
        decided = await approvals.decide(row.id, decision, "looks right", decided_by="ann")
        assert (decided.status, decided.reason, decided.decided_by) == (decision, "looks right", "ann")
        assert decided.decided_at is not None
        assert await approvals.get(row.id) == decided
        assert await root_status(store, row) == "pending"
        assert woken.roots == [row.root_execution_id]
    [event] = told
    assert event.event == "approval.decided"
    assert event.data == {
        "approval_id": row.id,
        "execution_id": row.execution_id,
        "root_execution_id": row.root_execution_id,
        "agent_id": row.agent_id,
        "checkpoint_name": "look",
        "decision": decision,
        "reason": "looks right",
        "decided_by": "ann",
    }


async def test_a_decision_may_leave_the_run_to_others():
    async with waiting() as (_, store, approvals, woken):
        [row] = await park(store)
        await approvals.decide(row.id, "approved", resume=False)
        assert woken.roots == []
        assert await root_status(store, row) == "pending"


async def test_a_run_waits_until_all_is_decided():
    async with waiting() as (_, store, approvals, _woken):
        first, second = await park(store, count=2)
        await approvals.decide(first.id, "rejected")
        assert await root_status(store, first) == "awaiting_approval"
        await approvals.decide(second.id, "approved")
        assert await root_status(store, first) == "pending"


async def test_of_those_who_decide_at_once_one_wins():
    told: list[HookEvent] = []
    async with waiting(hooks={"approval.decided": [told.append]}) as (_, store, approvals, woken):
        [row] = await park(store)
        found = await asyncio.gather(
            *(approvals.decide(row.id, "approved", decided_by=f"member {index}") for index in range(8)),
            return_exceptions=True,
        )
        lost = [one for one in found if isinstance(one, AlreadyDecidedError)]
        [won] = [one for one in found if not isinstance(one, BaseException)]
        assert len(lost) == 7
        assert all(f"'{won.decided_by}'" in error.message for error in lost)
        assert len(woken.roots) == 1
    assert len(told) == 1


async def test_a_decision_is_final_and_says_whose_it_was():
    async with waiting() as (_, store, approvals, woken):
        [row] = await park(store)
        first = await approvals.decide(row.id, "rejected", "too long", decided_by="ann")
        with pytest.raises(AlreadyDecidedError) as caught:
            await approvals.decide(row.id, "approved", decided_by="bob")
        assert isinstance(caught.value, ConflictError)
        assert caught.value.code == "already_decided"
        assert f"was rejected by 'ann' at {first.decided_at} (too long)" in caught.value.message
        assert caught.value.details == {
            "status": "rejected",
            "decided_by": "ann",
            "decided_at": first.decided_at,
            "reason": "too long",
        }
        assert await approvals.get(row.id) == first
        assert len(woken.roots) == 1


@pytest.mark.parametrize("look_first", [True, False])
async def test_what_has_expired_cannot_be_decided(look_first: bool):
    told: list[HookEvent] = []
    async with waiting(hooks={"approval.decided": [told.append]}) as (_, store, approvals, woken):
        [row] = await park(store, "", request(expires_at=MOMENT + 1))
        if look_first:
            assert (await approvals.get(row.id)).status == "expired"
            assert [found.id for found in await approvals.list(status="expired")] == [row.id]
        with pytest.raises(ApprovalExpiredError, match="expired at 2025-") as caught:
            await approvals.decide(row.id, "approved")
        assert (caught.value.code, caught.value.details) == ("approval_expired", {"expires_at": iso(MOMENT + 1)})
        assert (await approvals.get(row.id)).status == "expired"
        assert woken.roots == []
    assert told == []


async def test_listing_lets_requests_expire():
    async with waiting() as (_, store, approvals, _woken):
        [row] = await park(store, "", request(expires_at=MOMENT + 1))
        assert [found.status for found in await approvals.list()] == ["expired"]
        assert await root_status(store, row) == "pending"


async def test_what_was_withdrawn_cannot_be_decided():
    async with waiting() as (_, store, approvals, _woken):
        [row] = await park(store)
        await store.request_cancel(WORKSPACE, row.execution_id)
        with pytest.raises(AlreadyDecidedError, match="was withdrawn"):
            await approvals.decide(row.id, "approved")


async def test_there_are_two_decisions():
    async with waiting() as (_, store, approvals, _woken):
        [row] = await park(store)
        for decision in ("approve", "expired", "pending", "", None):
            with pytest.raises(ValidationError, match="'approved' or 'rejected'"):
                await approvals.decide(row.id, decision)
        assert (await approvals.get(row.id)).status == "pending"


async def test_requests_of_another_workspace_are_not_there():
    async with waiting() as (_, store, approvals, woken):
        [row] = await park(store, workspace="theirs")
        for unknown in (row.id, "nothing"):
            with pytest.raises(NotFoundError, match=unknown):
                await approvals.get(unknown)
            with pytest.raises(NotFoundError, match=unknown):
                await approvals.decide(unknown, "approved")
        assert len(await approvals.list()) == 0
        assert woken.roots == []
        assert await root_status(store, row) == "awaiting_approval"


# ------------------------------------------------------------------ who decides


@pytest.mark.parametrize("policy", [None, {"mode": "admins"}, {"mode": "any_member"}])
async def test_anybody_decides_where_nobody_is_assigned(policy: dict[str, Any] | None):
    async with waiting(policy) as (engine, store, approvals, _):
        [row] = await park(store, (await engine.agents.get_version("Agent")).id)
        assert (await approvals.decide(row.id, "approved")).status == "approved"


async def test_only_those_assigned_decide():
    async with waiting({"mode": "assigned", "member_ids": ["ann", "bob"]}) as (engine, store, approvals, woken):
        [row] = await park(store, (await engine.agents.get_version("Agent")).id)
        for other in ("", "eve", "Ann", "ann "):
            with pytest.raises(ForbiddenError, match="decided_by"):
                await approvals.decide(row.id, "approved", decided_by=other)
        assert (await approvals.get(row.id)).status == "pending"
        assert woken.roots == []
        assert (await approvals.decide(row.id, "approved", decided_by="bob")).decided_by == "bob"


async def test_the_policy_is_that_of_the_version_that_runs():
    async with waiting({"mode": "assigned", "member_ids": ["ann"]}) as (engine, store, approvals, _):
        version = await engine.agents.get_version("Agent")
        [row] = await park(store, version.id)
        await engine.agents.create_version(
            "Agent", config=version.config, approval_policy=ApprovalPolicy("any_member"), set_current=True
        )
        with pytest.raises(ForbiddenError):
            await approvals.decide(row.id, "approved", decided_by="eve")
        [newer] = await park(store, (await engine.agents.get_version("Agent")).id)
        assert (await approvals.decide(newer.id, "approved", decided_by="eve")).status == "approved"


async def test_nobody_decides_under_a_policy_that_cannot_be_found():
    async with waiting() as (_, store, approvals, _woken):
        [row] = await park(store, "gone")
        with pytest.raises(ForbiddenError, match="'gone'"):
            await approvals.decide(row.id, "approved")


async def parked_in(path: str) -> ApprovalRow:
    store = open_store(path)
    await store.open()
    [row] = await park(store)
    await store.close()
    return row


def test_the_sync_face_decides_too(tmp_path: Path):
    path = str(tmp_path / "sync.db")
    row = asyncio.run(parked_in(path))
    with Engine(path) as engine:
        assert [found.id for found in engine.approvals.list(status="pending")] == [row.id]
        assert engine.approvals.decide(row.id, "approved", decided_by="ann", resume=False).status == "approved"
        assert engine.approvals.get(row.id).decided_by == "ann"
