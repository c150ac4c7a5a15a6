"""What a store owes about who runs what: leases, claims, answers and cancellations."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from time import time

from promptrails_engine.errors import ConflictError
from promptrails_engine.events import ErrorEvent
from promptrails_engine.ports.journal import Claims
from promptrails_engine.ports.store import ExecutionRow, ExecutionStatus, Store
from promptrails_engine.testing.store_conformance.case import StoreCase, refused
from promptrails_engine.testing.store_conformance.journal import begun
from promptrails_engine.testing.store_conformance.rows import (
    MOMENT,
    approval,
    ended,
    events,
    execution,
    intent,
    outcome,
    owned,
    unique,
)
from promptrails_engine.testing.store_conformance.trees import family


def waiting(workspace: str, agent: str = "agent_1", created_at: float = MOMENT) -> ExecutionRow:
    """An execution that waits for somebody to run it."""
    row = owned(execution(workspace, agent=agent, created_at=created_at), None, "pending")
    return replace(row, started_at=None)


def ids(claims: Claims) -> list[str]:
    """Of the executions, in the order in which they were given."""
    return [row.id for row in claims.rows]


async def tree_of(store: Store, workspace: str, owner: str) -> tuple[ExecutionRow, ...]:
    """A root, its two children, and a child of the first; all running."""
    root, one, two, deep, _ = (owned(row, owner) for row in family(workspace))
    for row in (root, one, two, deep):
        await store.begin_execution(row, wait=True)
    return root, one, two, deep


class ClaimPromises(StoreCase):
    """Leases, claims, answers, cancellations and locks."""

    def test_what_waits_is_claimed_by_one_who_then_owns_it(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = await begun(store, waiting(ws))
            again = await begun(store, replace(waiting(ws, created_at=MOMENT + 1), started_at=MOMENT + 2))
            await store.begin_execution(execution(ws), wait=True)
            before = time()
            claims = await store.claim_executions(ws, "p1", limit=9, lapsed=True)
            first, second = claims.rows
            assert claims.lapsed == frozenset()
            assert first.started_at is not None
            assert before - 5 < first.started_at < time() + 5
            assert first == replace(owned(row, "p1"), started_at=first.started_at)
            assert second == owned(again, "p1")
            assert await store.get_execution(ws, row.id) == first
            assert (await store.claim_executions(ws, "p2", limit=9, lapsed=False)).rows == []
            await store.finish_execution(ended(first), (), events(first, "x"))
            assert await store.get_execution(ws, row.id) == ended(first)

        self.run(body)

    def test_no_execution_goes_to_two(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws = unique("ws")
                rows = [waiting(ws, f"agent_{n % 5}", MOMENT + n) for n in range(60)]
                for row in rows:
                    await store.begin_execution(row, wait=False)
                assert (await store.get_execution(ws, rows[-1].id)) is not None

                async def claimer(which: Store, name: str) -> list[str]:
                    mine: list[str] = []
                    while len(found := ids(await which.claim_executions(ws, name, limit=4, lapsed=True))):
                        mine += found
                    return mine

                names = [unique("p") for _ in range(8)]
                for name in names:
                    await store.renew_lease(name, 600.0)
                taken = await asyncio.gather(*(claimer((store, other)[n % 2], name) for n, name in enumerate(names)))
                # One who found all others locked may have left some.
                taken.append(ids(await store.claim_executions(ws, "late", limit=99, lapsed=False)))
                assert Counter(one for part in taken for one in part) == Counter(row.id for row in rows)
                for name, part in zip([*names, "late"], taken, strict=True):
                    for one in part:
                        found = await other.get_execution(ws, one)
                        assert found is not None
                        assert found.owner == name

        self.run(body)

    def test_agents_take_turns_the_oldest_first(self) -> None:
        async def body(store: Store) -> None:
            ws, other = unique("ws"), unique("ws")
            busy = [waiting(ws, "busy", MOMENT + n) for n in range(9)]
            calm = [waiting(ws, "calm", MOMENT + 20 + n) for n in range(3)]
            late = [waiting(ws, "late", MOMENT + 40)]
            for row in (*reversed(busy), *late, *reversed(calm), waiting(other, "calm")):
                await store.begin_execution(row, wait=True)
            assert (await store.claim_executions(ws, "p1", limit=0, lapsed=False)).rows == []
            first = ids(await store.claim_executions(ws, "p1", limit=2, lapsed=False))
            assert first == [busy[0].id, calm[0].id]
            second = ids(await store.claim_executions(ws, "p1", limit=5, lapsed=False))
            assert second == [row.id for row in (busy[1], calm[1], late[0], busy[2], calm[2])]
            third = ids(await store.claim_executions(ws, "p1", limit=2, lapsed=False))
            assert third == [busy[3].id, busy[4].id]
            rest = ids(await store.claim_executions(ws, "p1", limit=99, lapsed=False))
            assert rest == [row.id for row in busy[5:]]

        self.run(body)

    def test_those_of_the_dead_take_their_turn_among_the_others(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            dead = [await begun(store, owned(execution(ws, agent="a", created_at=MOMENT + n), "gone")) for n in (1, 3)]
            rows = [await begun(store, waiting(ws, "a", MOMENT + n)) for n in (2, 4)]
            rows.append(await begun(store, waiting(ws, "b", MOMENT + 9)))
            heir = unique("p")
            await store.renew_lease(heir, 600.0)
            found = await store.claim_executions(ws, heir, limit=3, lapsed=True)
            assert ids(found) == [dead[0].id, rows[2].id, rows[0].id]
            assert found.lapsed == {dead[0].id}
            found = await store.claim_executions(ws, heir, limit=3, lapsed=True)
            assert (ids(found), found.lapsed) == ([dead[1].id, rows[1].id], {dead[1].id})

        self.run(body)

    def test_one_may_be_asked_for(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            first, second = await begun(store, waiting(ws)), await begun(store, waiting(ws, created_at=MOMENT + 1))
            child = replace(waiting(ws), parent_execution_id=first.id, root_execution_id=first.id)
            await store.begin_execution(child, wait=True)
            for wrong in ("nobody", "", "%", child.id):
                found = await store.claim_executions(ws, "p1", limit=9, lapsed=True, execution_id=wrong)
                assert found == Claims()
            for stranger in (unique("ws"), ""):
                found = await store.claim_executions(stranger, "p1", limit=9, lapsed=True, execution_id=second.id)
                assert found == Claims()
                assert await store.claim_executions(stranger, "p1", limit=9, lapsed=True) == Claims()
            found = await store.claim_executions(ws, "p1", limit=1, lapsed=False, execution_id=second.id)
            assert ids(found) == [second.id]
            found = await store.claim_executions(ws, "p2", limit=1, lapsed=False, execution_id=second.id)
            assert found == Claims()
            assert ids(await store.claim_executions(ws, "p1", limit=9, lapsed=False)) == [first.id, child.id]

        self.run(body)

    def test_a_lease_holds_until_it_lapses(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws, alive, dead, never = unique("ws"), unique("p"), unique("p"), unique("p")
                rows = {owner: await begun(store, owned(execution(ws), owner)) for owner in (alive, dead, never, None)}
                await store.renew_lease(alive, 0.0)
                await store.renew_lease(alive, 600.0)
                await store.renew_lease(dead, 600.0)
                assert (await other.claim_executions(ws, "p2", limit=9, lapsed=False)).rows == []
                found = await other.claim_executions(ws, "p2", limit=9, lapsed=True)
                assert (ids(found), found.lapsed) == ([rows[never].id], {rows[never].id})
                assert found.rows == [replace(owned(rows[never], "p2"), attempt=1)]
                await store.end_lease(dead)
                await store.end_lease(unique("p"))
                wanted = rows[dead].id
                assert await other.claim_executions(ws, "p2", limit=9, lapsed=False, execution_id=wanted) == Claims()
                found = await other.claim_executions(ws, "p2", limit=9, lapsed=True, execution_id=wanted)
                assert (ids(found), found.lapsed) == ([wanted], {wanted})
                await store.end_lease("p2")
                found = await store.claim_executions(ws, "p3", limit=9, lapsed=True)
                assert sorted((row.id, row.attempt) for row in found.rows) == sorted(
                    (rows[owner].id, 2) for owner in (dead, never)
                )
                for owner in (alive, None):
                    assert await store.get_execution(ws, rows[owner].id) == rows[owner]
                await store.end_lease("p3")

        self.run(body)

    def test_a_tree_is_claimed_whole(self) -> None:
        async def body(store: Store) -> None:
            ws, owner = unique("ws"), unique("p")
            root, one, two, deep = await tree_of(store, ws, owner)
            await store.finish_execution(ended(two), (), ())
            claims = await store.claim_executions(ws, "p2", limit=1, lapsed=True)
            taken = [replace(owned(row, "p2"), attempt=1) for row in (root, one, deep)]
            assert claims == Claims(taken, frozenset(row.id for row in taken))
            assert await store.get_execution(ws, two.id) == ended(two)
            for row in reversed(taken):
                status = await store.suspend_execution(owned(row, "p2", "pending"), (), (), ())
                assert status == "pending"
            again = await store.claim_executions(ws, "p3", limit=1, lapsed=True)
            assert again == Claims([owned(row, "p3") for row in taken], frozenset())

        self.run(body)

    def test_what_waits_below_a_dead_root_was_nobodys(self) -> None:
        async def body(store: Store) -> None:
            ws, owner = unique("ws"), unique("p")
            root, one, two, deep = await tree_of(store, ws, owner)
            await store.suspend_execution(owned(deep, owner, "awaiting_approval"), (), (), (), [approval(deep)])
            await store.suspend_execution(owned(one, owner, "awaiting_approval"), (), (), ())
            claims = await store.claim_executions(ws, "p2", limit=1, lapsed=True)
            assert claims.lapsed == {root.id, two.id}
            assert {row.id: (row.owner, row.status, row.attempt) for row in claims.rows} == {
                root.id: ("p2", "running", 1),
                two.id: ("p2", "running", 1),
                one.id: ("p2", "running", 0),
                deep.id: ("p2", "running", 0),
            }

        self.run(body)

    def test_owners_attempts_and_limits_are_settled_when_it_begins_and_is_claimed(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            limits = {"timeout_s": 1.5, "max_cost": None, "\ud800": ["\x00"]}
            for wait in (True, False):
                row = replace(execution(ws), owner="p\ud800\x00", attempt=3, cancel_requested_at=MOMENT, limits=limits)
                await store.begin_execution(row, wait=wait)
                assert await store.get_execution(ws, row.id) == row
                other = replace(ended(row), attempt=9, cancel_requested_at=None, limits=None)
                await store.finish_execution(other, (), ())
                assert await store.get_execution(ws, row.id) == ended(row)
            whole = replace(row, id=unique())
            await store.finish_execution(ended(whole), (), ())
            assert await store.get_execution(ws, whole.id) == ended(whole)

        self.run(body)

    # -------------------------------------------------------------- answers

    def test_intents_without_an_outcome_are_answered_one_by_one(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            root, one, two, deep = await tree_of(store, ws, "p1")
            await store.write_progress(
                root, [intent("safe", effect="pure"), intent("keyed", effect="idempotent")], (), ()
            )
            await store.write_progress(one, [intent("x"), intent("y"), outcome("z")], (), ())
            await store.write_progress(deep, [intent("x")], (), ())
            await store.finish_execution(ended(two), (), (), [intent("x")])
            expected = [(root.id, row.id, intent(key)) for row, key in ((one, "x"), (one, "y"), (deep, "x"))]
            assert await store.unanswered(ws, ["nobody", root.id]) == expected
            assert await store.unanswered(ws, []) == []
            assert await store.unanswered(unique("ws"), [root.id]) == []
            assert await store.answer_entry(ws, one.id, "x", {"early": 1}) is False
            for row in (deep, one, root):
                assert await store.suspend_execution(owned(row, "p1", "in_doubt"), (), (), ()) == "in_doubt"
            for wrong in ((ws, "nobody", "x"), (ws, one.id, "z"), (ws, one.id, ""), (unique("ws"), one.id, "x")):
                assert await store.answer_entry(*wrong, {"a": 1}) is False
            assert await store.answer_entry(ws, one.id, "x", {"told": "\ud800"}) is True
            assert await store.answer_entry(ws, one.id, "x", {"told": "again"}) is False
            assert await store.answer_entry(ws, deep.id, "x", None) is True
            assert await store.unanswered(ws, [root.id]) == [expected[1]]
            found = await store.get_execution(ws, root.id)
            assert found == owned(root, None, "in_doubt")
            assert await store.answer_entry(ws, one.id, "y", {"told": 2}) is True
            assert await store.get_execution(ws, root.id) == owned(root, None, "pending")
            told = [outcome("x", {"told": "\ud800"}), outcome("y", {"told": 2}), outcome("z")]
            assert await store.read_journal(ws, one.id) == told
            assert await store.read_journal(ws, deep.id) == []
            taken = {row.id: row for row in (await store.claim_executions(ws, "p2", limit=1, lapsed=False)).rows}
            await store.write_progress(taken[deep.id], [intent("later"), intent("x", {"second": 1})], (), ())
            assert await store.read_journal(ws, deep.id) == [intent("x", {"second": 1}), intent("later")]

        self.run(body)

    def test_the_last_of_many_answers_frees_the_root(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws = unique("ws")
                for _ in range(10):
                    root, one, _two, _deep = await tree_of(store, ws, "p1")
                    await store.write_progress(root, [intent("a"), intent("b")], (), ())
                    await store.write_progress(one, [intent("a"), intent("b")], (), ())
                    await store.suspend_execution(owned(root, "p1", "in_doubt"), (), (), ())
                    calls = [
                        which.answer_entry(ws, row.id, key, {"by": n})
                        for n, which in enumerate((store, other))
                        for row in (root, one)
                        for key in ("a", "b")
                    ]
                    assert sum(await asyncio.gather(*calls)) == 4
                    found = await store.get_execution(ws, root.id)
                    assert found is not None
                    assert found.status == "pending"

        self.run(body)

    # -------------------------------------------------------------- cancellations

    def test_what_nobody_runs_is_cancelled_at_once(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            statuses: list[ExecutionStatus] = ["awaiting_approval", "in_doubt", "pending"]
            for status in statuses:
                root, one, two, deep = await tree_of(store, ws, "p1")
                await store.finish_execution(ended(two), (), events(two, "x"))
                said = events(one, *"abc", last=False)
                request = approval(one)
                stopped = owned(one, "p1", "awaiting_approval")
                await store.suspend_execution(stopped, [intent("a")], (), said, [request])
                await store.suspend_execution(owned(deep, "p1", "in_doubt"), (), (), ())
                await store.suspend_execution(owned(root, "p1", status), (), (), ())
                await refused(ConflictError, store.request_cancel(ws, one.id))
                before = time()
                cancelled = await store.request_cancel(ws, root.id)
                await self._are_cancelled(store, [root, one, deep], before)
                assert cancelled == await store.get_execution(ws, root.id)
                assert await store.get_execution(ws, two.id) == ended(two)
                assert await store.read_events(ws, two.id, 0) == events(two, "x")
                last = ErrorEvent("the execution was cancelled", "cancelled", seq=len(said) + 1)
                assert await store.read_events(ws, one.id, 0) == [*said, last]
                assert await store.read_events(ws, root.id, 0) == [replace(last, seq=1)]
                closed = await store.get_approval(ws, request.id)
                assert closed is not None
                assert closed.status == "withdrawn"
                late = await store.decide_approval(ws, request.id, "approved", reason="", decided_by="")
                assert late is not None
                assert (late.won, late.row) == (False, closed)
                assert await store.request_cancel(ws, root.id) == cancelled
                assert await store.request_cancel(ws, two.id) == ended(two)
                assert await store.claim_executions(ws, "p2", limit=9, lapsed=True) == Claims()

        self.run(body)

    async def _are_cancelled(self, store: Store, rows: list[ExecutionRow], before: float) -> None:
        for row in rows:
            found = await store.get_execution(row.workspace_id, row.id)
            assert found is not None
            assert found.completed_at is not None
            assert before - 5 < found.completed_at < time() + 5
            assert found.duration_ms is not None
            assert abs(found.duration_ms - (found.completed_at - row.created_at) * 1000) < 100
            end = owned(row, None, "cancelled")
            end.completed_at, end.duration_ms = found.completed_at, found.duration_ms
            end.error, end.error_code = "the execution was cancelled", "cancelled"
            assert found == end

    def test_what_runs_is_marked_for_its_owner(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws, owner = unique("ws"), unique("p")
                root, one, _two, deep = await tree_of(store, ws, owner)
                await store.renew_lease(owner, 600.0)
                assert await store.cancel_requests(owner) == []
                before = time()
                marked = await other.request_cancel(ws, root.id)
                assert marked is not None
                assert marked.cancel_requested_at is not None
                assert before - 5 < marked.cancel_requested_at < time() + 5
                assert marked == replace(root, cancel_requested_at=marked.cancel_requested_at)
                assert await other.request_cancel(ws, root.id) == marked
                assert await store.cancel_requests(owner) == [root.id]
                await other.request_cancel(ws, deep.id)
                assert sorted(await store.cancel_requests(owner)) == sorted([root.id, deep.id])
                assert await store.cancel_requests(unique("p")) == []
                await store.write_progress(root, [outcome("a")], (), ())
                await store.finish_execution(ended(deep), (), ())
                await store.finish_execution(ended(root, "cancelled"), (), ())
                assert await store.cancel_requests(owner) == []
                done = await store.get_execution(ws, root.id)
                assert done == replace(ended(root, "cancelled"), cancel_requested_at=marked.cancel_requested_at)
                assert await store.get_execution(ws, one.id) == one
                for wrong in ((ws, "nobody"), (unique("ws"), one.id), ("", one.id)):
                    assert await store.request_cancel(*wrong) is None

        self.run(body)

    def test_the_mark_of_a_dead_owners_run_goes_to_who_claims_it(self) -> None:
        async def body(store: Store) -> None:
            ws, owner, heir = unique("ws"), unique("p"), unique("p")
            row = await begun(store, owned(execution(ws), owner))
            await store.end_lease(owner)
            marked = await store.request_cancel(ws, row.id)
            assert marked is not None
            assert (marked.status, marked.owner) == ("running", owner)
            (taken,) = (await store.claim_executions(ws, heir, limit=1, lapsed=True)).rows
            assert taken == replace(marked, owner=heir, attempt=1)
            assert await store.cancel_requests(heir) == [row.id]

        self.run(body)

    def test_a_run_that_is_to_be_cancelled_does_not_wait(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            statuses: list[ExecutionStatus] = ["awaiting_approval", "in_doubt"]
            for status in statuses:
                row = await begun(store, owned(execution(ws), "p1"))
                await store.request_cancel(ws, row.id)
                stopped = owned(row, "p1", status)
                assert await store.suspend_execution(stopped, [intent("a")], (), (), [approval(row)]) == "pending"
                (taken,) = (await store.claim_executions(ws, "p2", limit=1, lapsed=False)).rows
                assert (taken.id, taken.cancel_requested_at is None) == (row.id, False)

        self.run(body)

    def test_a_cancellation_and_a_claim_agree(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws = unique("ws")
                for n in range(20):
                    row = await begun(store, waiting(ws))
                    calls = [
                        store.request_cancel(ws, row.id),
                        other.claim_executions(ws, "p1", limit=1, lapsed=False, execution_id=row.id),
                    ]
                    await asyncio.gather(*calls[:: 1 if n % 2 else -1])
                    found = await store.get_execution(ws, row.id)
                    assert found is not None
                    if found.status == "running":
                        assert (found.owner, found.cancel_requested_at is None) == ("p1", False)
                    else:
                        assert (found.status, found.owner) == ("cancelled", None)

        self.run(body)

    # -------------------------------------------------------------- locks

    def test_a_lock_is_replaced_while_nobody_runs_it(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            lock = {"agent": {"id": "\ud800", "digest": "ff" * 32}}
            row = await begun(store, owned(execution(ws), "p1"))
            assert await store.replace_lock(ws, row.id, "version_2", lock) is False
            await store.suspend_execution(owned(row, "p1", "pending"), (), (), ())
            assert await store.replace_lock(unique("ws"), row.id, "version_2", lock) is False
            assert await store.replace_lock(ws, "nobody", "version_2", lock) is False
            assert await store.replace_lock(ws, row.id, "version_2", lock) is True
            (taken,) = (await store.claim_executions(ws, "p2", limit=1, lapsed=False)).rows
            assert (taken.agent_version_id, taken.version_lock) == ("version_2", lock)
            assert await store.replace_lock(ws, row.id, "version_3", {}) is False
            await store.finish_execution(ended(taken), (), ())
            assert await store.replace_lock(ws, row.id, "version_3", {}) is False
            assert await store.get_execution(ws, row.id) == ended(taken)

        self.run(body)
