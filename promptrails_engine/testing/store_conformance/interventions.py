"""What a store owes about executions that somebody else decides on: answers, cancellations, locks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count
from time import time

from promptrails_engine.errors import ConflictError, FencedError, RunCancelledError
from promptrails_engine.events import ErrorEvent
from promptrails_engine.ports.journal import Claims
from promptrails_engine.ports.store import ExecutionRow, ExecutionStatus, SpanFilter, Store
from promptrails_engine.testing.store_conformance.case import StoreCase, refused
from promptrails_engine.testing.store_conformance.claims import tree_of, waiting
from promptrails_engine.testing.store_conformance.journal import begun
from promptrails_engine.testing.store_conformance.rows import (
    approval,
    ended,
    events,
    execution,
    intent,
    outcome,
    owned,
    span,
    trace_of,
    unique,
)


class InterventionPromises(StoreCase):
    """Answers, cancellations and locks."""

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
            assert await store.unanswered(ws, [one.id]) == []
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

    def test_nothing_below_what_is_to_be_cancelled_announces_an_effect(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws, owner = unique("ws"), unique("p")
                root, one, two, deep = await tree_of(store, ws, owner)
                await store.write_progress(deep, [intent("before")], (), ())
                await other.request_cancel(ws, one.id)
                late = replace(owned(execution(ws), owner), parent_execution_id=deep.id, root_execution_id=root.id)
                await store.begin_execution(late, wait=False)
                for row in (one, deep, late):
                    await self._announces_nothing(store, row, one)
                for row in (root, two):
                    await store.write_progress(row, [intent("a")], (), ())
                await other.request_cancel(ws, root.id)
                for row in (root, one, two, deep, late):
                    await self._announces_nothing(store, row, root)
                strange = owned(deep, "stranger")
                await refused(FencedError, store.write_progress(strange, [intent("b")], (), ()))
                harmless = [outcome("before"), intent("pure", effect="pure"), intent("keyed", effect="idempotent")]
                await store.write_progress(deep, harmless, (), ())
                assert await store.read_journal(ws, deep.id) == harmless
                alone = await begun(store, owned(execution(ws), owner))
                await store.write_progress(alone, [intent("a")], (), ())

        self.run(body)

    async def _announces_nothing(self, store: Store, row: ExecutionRow, marked: ExecutionRow) -> None:
        before = await store.read_journal(row.workspace_id, row.id)
        said, spans = events(row, "x", last=False), [span(trace_of(row))]
        error = await refused(RunCancelledError, store.write_progress(row, [outcome("a"), intent("b")], spans, said))
        assert error.details == {"execution_id": marked.id}
        assert await store.read_journal(row.workspace_id, row.id) == before
        assert await store.read_events(row.workspace_id, row.id, 0) == []
        found = await store.list_spans(row.workspace_id, SpanFilter(execution_id=row.id), offset=0, limit=9)
        assert found == ([], 0)

    def test_what_is_not_announced_when_a_cancellation_returns_never_is(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws, owner = unique("ws"), unique("p")
                for place in (0, 1, 3):
                    tree = await tree_of(store, ws, owner)
                    deep, begins = tree[3], asyncio.Event()
                    announcing = asyncio.create_task(self._announce(store, deep, begins))
                    await begins.wait()
                    await other.request_cancel(ws, tree[place].id)
                    announced = await other.read_journal(ws, deep.id)
                    await refused(RunCancelledError, announcing)
                    assert await other.read_journal(ws, deep.id) == announced

        self.run(body)

    async def _announce(self, store: Store, row: ExecutionRow, begins: asyncio.Event) -> None:
        for place in count():
            await store.write_progress(row, [intent(f"{place}")], (), ())
            begins.set()
            await asyncio.sleep(0)  # a store in memory never waits

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
