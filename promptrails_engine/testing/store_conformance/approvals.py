"""What a store owes about requests that somebody decides."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import time
from typing import Any

from promptrails_engine.ports.journal import ApprovalRow, Decided
from promptrails_engine.ports.store import ExecutionRow, Store
from promptrails_engine.testing.store_conformance.case import StoreCase
from promptrails_engine.testing.store_conformance.claims import tree_of
from promptrails_engine.testing.store_conformance.journal import begun
from promptrails_engine.testing.store_conformance.rows import (
    LONG_TEXT,
    MOMENT,
    ODD_TEXTS,
    approval,
    ended,
    execution,
    owned,
    unique,
)

LONG_AGO, FAR_OFF = 1_000_000.5, 9_999_999_999.5


async def parked(store: Store, workspace: str, *requests: dict[str, Any]) -> tuple[ExecutionRow, list[ApprovalRow]]:
    """A root that waits for these requests."""
    row = await begun(store, owned(execution(workspace), "p1"))
    made = [approval(row, f"step {n}", **request) for n, request in enumerate(requests)]
    await store.suspend_execution(owned(row, "p1", "awaiting_approval"), (), (), (), made)
    return row, made


async def status_of(store: Store, row: ExecutionRow) -> str:
    """Of the execution, as it now is."""
    found = await store.get_execution(row.workspace_id, row.id)
    assert found is not None
    return found.status


async def approved(store: Store, row: ApprovalRow, by: str = "me") -> Decided:
    """What became of a request that there is."""
    found = await store.decide_approval(row.workspace_id, row.id, "approved", reason="fine", decided_by=by)
    assert found is not None
    return found


class ApprovalPromises(StoreCase):
    """Requests, their decisions and their expiry."""

    def test_a_decision_is_kept_and_frees_the_root(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row, (request,) = await parked(store, ws, {"expires_at": FAR_OFF})
            assert await store.get_approval(ws, request.id) == request
            before = time()
            decided = await approved(store, request)
            assert decided.won
            assert decided.row.decided_at is not None
            assert before - 5 < decided.row.decided_at < time() + 5
            at = decided.row.decided_at
            assert decided.row == replace(request, status="approved", reason="fine", decided_by="me", decided_at=at)
            assert await store.get_approval(ws, request.id) == decided.row
            assert await status_of(store, row) == "pending"
            late = await store.decide_approval(ws, request.id, "rejected", reason="no", decided_by="you")
            assert late == Decided(decided.row, won=False)
            assert await store.decide_approval(ws, "nobody", "approved", reason="", decided_by="") is None
            assert await store.get_approval(ws, "nobody") is None

        self.run(body)

    def test_of_many_who_decide_at_once_one_wins(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws = unique("ws")
                for _ in range(10):
                    row, (request,) = await parked(store, ws, {})
                    calls = [
                        which.decide_approval(
                            ws, request.id, ("approved", "rejected")[n % 2], reason=f"r{n}", decided_by=f"d{n}"
                        )
                        for n, which in enumerate((store, other) * 4)
                    ]
                    results = [result for result in await asyncio.gather(*calls) if result is not None]
                    (winner,) = [result.row for result in results if result.won]
                    assert [result.row for result in results] == [winner] * 8
                    assert await store.get_approval(ws, request.id) == winner
                    assert await status_of(store, row) == "pending"

        self.run(body)

    def test_only_the_last_of_a_tree_frees_the_root(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws = unique("ws")
                for together in (False, True):
                    root, one, two, deep = await tree_of(store, ws, "p1")
                    requests = [approval(one), approval(deep, "a"), approval(deep, "b"), approval(root)]
                    for row, mine in ((deep, requests[1:3]), (one, requests[:1]), (two, []), (root, requests[3:])):
                        stopped = owned(row, "p1", "awaiting_approval")
                        assert await store.suspend_execution(stopped, (), (), (), mine) == "awaiting_approval"
                    for request in () if together else requests[:-1]:
                        await approved(store, request)
                        assert await status_of(store, root) == "awaiting_approval"
                    left = requests if together else requests[-1:]
                    calls = [approved((store, other)[n % 2], request) for n, request in enumerate(left)]
                    assert all(decided.won for decided in await asyncio.gather(*calls))
                    assert await status_of(store, root) == "pending"
                    assert await status_of(store, one) == "awaiting_approval"
                    taken = (await store.claim_executions(ws, "p2", limit=1, lapsed=False)).rows
                    assert {row.id for row in taken} == {root.id, one.id, two.id, deep.id}
                    await store.finish_execution(ended(taken[0]), (), ())

        self.run(body)

    def test_a_decision_may_be_faster_than_the_root(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            root, one, _two, _deep = await tree_of(store, ws, "p1")
            request = approval(one)
            await store.suspend_execution(owned(one, "p1", "awaiting_approval"), (), (), (), [request])
            await approved(store, request)
            assert await status_of(store, root) == "running"
            assert await store.suspend_execution(owned(root, "p1", "awaiting_approval"), (), (), ()) == "pending"
            assert await status_of(store, root) == "pending"

        self.run(body)

    def test_the_last_decision_and_the_stop_of_the_root_lose_no_wake_up(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws = unique("ws")
                for n in range(20):
                    root, one, two, _deep = await tree_of(store, ws, "p1")
                    requests = [approval(one), approval(two)]
                    for row, request in zip((one, two), requests, strict=True):
                        await store.suspend_execution(owned(row, "p1", "awaiting_approval"), (), (), (), [request])
                    calls: list[Any] = [approved((store, other)[n % 2], request) for request in requests]
                    calls.insert(n % 3, store.suspend_execution(owned(root, "p1", "awaiting_approval"), (), (), ()))
                    await asyncio.gather(*calls)
                    assert await status_of(store, root) == "pending"

        self.run(body)

    def test_what_has_expired_is_not_decided(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row, (late, other) = await parked(store, ws, {"expires_at": LONG_AGO}, {"expires_at": FAR_OFF})
            decided = await approved(store, late)
            assert not decided.won
            assert (decided.row.status, decided.row.reason, decided.row.decided_by) == ("expired", "", "")
            assert await store.get_approval(ws, late.id) == decided.row
            assert await status_of(store, row) == "awaiting_approval"
            assert (await approved(store, other)).won
            assert await status_of(store, row) == "pending"
            alone, (request,) = await parked(store, ws, {"expires_at": LONG_AGO})
            assert not (await approved(store, request)).won
            assert await status_of(store, alone) == "pending"

        self.run(body)

    def test_what_is_over_expires_and_frees_the_root(self) -> None:
        async def body(store: Store) -> None:
            ws, stranger = unique("ws"), unique("ws")
            first, over = await parked(store, ws, {"expires_at": LONG_AGO}, {"expires_at": LONG_AGO + 1})
            second, (gone, left) = await parked(store, ws, {"expires_at": LONG_AGO}, {"expires_at": FAR_OFF})
            third, _ = await parked(store, ws, {})
            foreign, _ = await parked(store, stranger, {"expires_at": LONG_AGO})
            expired = await store.expire_approvals(ws)
            assert {row.id for row in expired} == {row.id for row in (*over, gone)}
            for row in expired:
                assert (row.status, row.reason, row.decided_by) == ("expired", "", "")
                assert await store.get_approval(ws, row.id) == row
                assert not (await approved(store, row)).won
            assert await store.get_approval(ws, left.id) == left
            statuses = [await status_of(store, row) for row in (first, second, third, foreign)]
            assert statuses == ["pending", "awaiting_approval", "awaiting_approval", "awaiting_approval"]
            assert await store.expire_approvals(ws) == []
            assert len(await store.expire_approvals(stranger)) == 1

        self.run(body)

    def test_a_request_is_decided_or_expires_and_never_both(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws = unique("ws")
                for n in range(20):
                    # It may well be over between the two.
                    row, (request,) = await parked(store, ws, {"expires_at": time() + 0.002 * (n % 5)})
                    calls: list[Any] = [approved(store, request), other.expire_approvals(ws), approved(other, request)]
                    one, expired, two = await asyncio.gather(*calls)
                    found = await store.get_approval(ws, request.id)
                    assert found is not None
                    assert one.won + two.won + len(expired) <= 1
                    if one.won or two.won:
                        assert found.status == "approved"
                    else:
                        assert found.status == "expired"
                    assert await status_of(store, row) == "pending"

        self.run(body)

    def test_requests_are_listed_newest_first_by_each_filter(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            root, one, _two, _deep = await tree_of(store, ws, "p1")
            mine = [approval(one, f"{n}", id=f"a{n}_{unique()}", created_at=MOMENT + n // 2) for n in range(5)]
            await store.suspend_execution(owned(one, "p1", "awaiting_approval"), (), (), (), mine[::-1])
            own = approval(root, created_at=MOMENT + 9)
            await store.suspend_execution(owned(root, "p1", "awaiting_approval"), (), (), (), [own])
            _, (other,) = await parked(store, ws, {"created_at": MOMENT + 5})
            mine[0] = (await approved(store, mine[0])).row
            newest = sorted([*mine, own, other], key=lambda row: (row.created_at, row.id), reverse=True)

            async def listed(offset: int = 0, limit: int = 9, **where: str) -> tuple[list[ApprovalRow], int]:
                return await store.list_approvals(ws, **where, offset=offset, limit=limit)

            assert await listed() == (newest, 7)
            assert await listed(2, 3) == (newest[2:5], 7)
            assert await listed(9, 3) == ([], 7)
            assert await listed(status="approved") == ([mine[0]], 1)
            assert await listed(status="pending") == ([row for row in newest if row.status == "pending"], 6)
            assert await listed(execution_id=root.id) == ([own], 1)
            assert await listed(root_execution_id=root.id) == ([row for row in newest if row is not other], 6)
            assert await listed(root_execution_id=one.id) == ([], 0)
            found = await listed(status="pending", execution_id=one.id, root_execution_id=root.id)
            assert found == (sorted(mine[1:], key=newest.index), 4)

        self.run(body)

    def test_text_of_any_kind_comes_back_in_a_request(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            for text in ("", "k" * 5_000, *ODD_TEXTS, LONG_TEXT):
                row = await begun(store, owned(execution(ws), "p1"))
                request = replace(approval(row, text, payload={text: [text]}), checkpoint_name=text)
                await store.suspend_execution(owned(row, "p1", "awaiting_approval"), (), (), (), [request])
                assert await store.get_approval(ws, request.id) == request
                decided = await store.decide_approval(ws, request.id, "rejected", reason=text, decided_by=text)
                assert decided is not None
                assert decided.won
                at = decided.row.decided_at
                assert decided.row == replace(request, status="rejected", reason=text, decided_by=text, decided_at=at)
                found = await store.list_approvals(ws, execution_id=row.id, offset=0, limit=9)
                assert found == ([decided.row], 1)

        self.run(body)

    def test_a_request_of_another_workspace_does_not_exist(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row, (request,) = await parked(store, ws, {"expires_at": LONG_AGO})
            twin = await begun(store, replace(owned(execution(unique("ws")), "p1"), id=row.id))
            same = approval(twin, "step 0", id=request.id)
            await store.suspend_execution(owned(twin, "p1", "awaiting_approval"), (), (), (), [same])
            for other in (unique("ws"), "", "%", ws[:-1], ws.upper()):
                assert await store.get_approval(other, request.id) is None
                assert await store.list_approvals(other, execution_id=row.id, offset=0, limit=9) == ([], 0)
                assert await store.decide_approval(other, request.id, "approved", reason="", decided_by="") is None
                assert await store.expire_approvals(other) == []
            assert (await approved(store, same)).won
            assert await store.get_approval(ws, request.id) == request
            assert await status_of(store, row) == "awaiting_approval"
            assert await status_of(store, twin) == "pending"

        self.run(body)

    def test_a_request_is_the_readers_own(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            _, (request,) = await parked(store, ws, {})
            expected = replace(request, payload={"arguments": {"amount": 5}})
            for _ in range(2):
                found = await store.get_approval(ws, request.id)
                assert found is not None
                assert found == expected
                found.payload["arguments"]["amount"] = 6
            request.payload["arguments"]["amount"] = 7
            assert await store.get_approval(ws, request.id) == expected

        self.run(body)
