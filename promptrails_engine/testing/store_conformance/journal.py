"""What a store owes about the journal of a run, and about who may write it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from promptrails_engine.errors import FencedError
from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.store import ExecutionRow, ExecutionStatus, SpanFilter, Store
from promptrails_engine.testing.store_conformance.case import StoreCase, refused
from promptrails_engine.testing.store_conformance.rows import (
    LONG_TEXT,
    MOMENT,
    ODD_TEXTS,
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


async def begun(store: Store, row: ExecutionRow) -> ExecutionRow:
    """The row, once its execution has begun."""
    await store.begin_execution(row, wait=True)
    return row


async def contents(store: Store, row: ExecutionRow) -> tuple[object, ...]:
    """All that the store holds of an execution."""
    where = SpanFilter(execution_id=row.id)
    return (
        await store.get_execution(row.workspace_id, row.id),
        await store.read_journal(row.workspace_id, row.id),
        await store.read_events(row.workspace_id, row.id, 0),
        await store.list_spans(row.workspace_id, where, offset=0, limit=99),
        await store.list_approvals(row.workspace_id, execution_id=row.id, offset=0, limit=99),
    )


class JournalPromises(StoreCase):
    """Entries, their order, and the fence around what a run writes."""

    def test_an_outcome_takes_the_place_of_its_intent(self) -> None:
        async def body(store: Store) -> None:
            row = await begun(store, owned(execution(unique("ws")), "p1"))
            ws = row.workspace_id
            await store.write_progress(row, [outcome("z"), intent("b")], (), ())
            await store.write_progress(row, [intent("a"), intent("m")], (), ())
            assert await store.read_journal(ws, row.id) == [outcome("z"), intent("b"), intent("a"), intent("m")]
            await store.write_progress(row, [outcome("a"), outcome("b", effect="pure")], (), ())
            await store.write_progress(row, [intent("m", {"call": "anew"})], (), ())
            expected = [outcome("z"), outcome("b", effect="pure"), outcome("a"), intent("m", {"call": "anew"})]
            assert await store.read_journal(ws, row.id) == expected
            assert await store.read_journal(ws, "nobody") == []

        self.run(body)

    def test_an_outcome_is_never_replaced(self) -> None:
        async def body(store: Store) -> None:
            row = await begun(store, owned(execution(unique("ws")), "p1"))
            await store.write_progress(row, [outcome("a"), intent("b"), outcome("b")], (), ())
            await store.write_progress(row, [intent("a"), outcome("a", {"result": "other"})], (), ())
            await store.finish_execution(ended(row), (), (), [outcome("b", {"result": "other"}), intent("a")])
            assert await store.read_journal(row.workspace_id, row.id) == [outcome("a"), outcome("b")]

        self.run(body)

    def test_the_end_brings_entries_of_its_own(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            for owner in (None, "p1"):
                row = await begun(store, owned(execution(ws), owner))
                await store.write_progress(row, [intent("a"), outcome("b")], (), ())
                last = [outcome("c"), outcome("a"), intent("d")]
                await store.finish_execution(ended(row), [span(trace_of(row))], events(row, "x"), last)
                expected = [outcome("a"), outcome("b"), outcome("c"), intent("d")]
                assert await store.read_journal(ws, row.id) == expected
                await store.finish_execution(ended(row), (), (), [outcome("d")])
                assert await store.read_journal(ws, row.id) == expected
                whole = await begun(store, owned(execution(ws), owner))
                await store.finish_execution(ended(whole), (), (), last)
                assert await store.read_journal(ws, whole.id) == last
                assert await store.get_execution(ws, whole.id) == ended(whole)

        self.run(body)

    def test_what_an_entry_holds_is_what_its_dump_makes(self) -> None:
        async def body(store: Store) -> None:
            row = await begun(store, owned(execution(unique("ws")), "p1"))
            ws = row.workspace_id

            def made(key: str) -> JournalEntry:
                return JournalEntry(key, "llm", "pure", "done", 7, lambda source: {"n": [source, None]})

            await store.write_progress(row, [made("a")], (), ())
            await store.finish_execution(ended(row), (), (), [made("b")])
            expected = [JournalEntry(key, "llm", "pure", "done", {"n": [7, None]}) for key in ("a", "b")]
            for _ in range(2):
                found = await store.read_journal(ws, row.id)
                assert found == expected
                found[0].value["n"].append("the reader's own")

        self.run(body)

    def test_progress_is_written_together(self) -> None:
        async def body(store: Store) -> None:
            row = await begun(store, owned(execution(unique("ws")), "p1"))
            ws, said = row.workspace_id, events(row, *"abcdef")
            spans = [span(trace_of(row), f"{n}", started_at=MOMENT - n) for n in range(3)]
            await store.write_progress(row, [intent("a")], spans[:2], said[:2])
            await store.write_progress(row, (), spans[1:2], said[:4])
            await store.write_progress(row, (), (), said[:3])
            assert await store.read_events(ws, row.id, 0) == said[:4]
            await store.finish_execution(ended(row), spans[1:], said[4:], [outcome("a")])
            found, total = await store.list_spans(ws, SpanFilter(), offset=0, limit=9)
            assert ([one.name for one in found], total) == (["0", "1", "2"], 3)
            assert await store.read_events(ws, row.id, 0) == said
            assert await store.read_journal(ws, row.id) == [outcome("a")]

        self.run(body)

    def test_nobody_but_the_owner_writes_and_only_while_it_runs(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = await begun(store, owned(execution(ws), "p1"))
            done = await begun(store, owned(execution(ws), "p1"))
            await store.finish_execution(ended(done), (), ())
            waiting = await begun(store, owned(execution(ws), None, "pending"))
            parked = await begun(store, owned(execution(ws), "p1"))
            await store.suspend_execution(owned(parked, "p1", "awaiting_approval"), (), (), (), [approval(parked)])
            before = [await contents(store, one) for one in (row, done, waiting, parked)]
            for stranger in (
                owned(row, "p2"),
                owned(row, None),
                done,
                owned(done, None),
                owned(waiting, None),
                owned(waiting, "p1"),
                parked,
                owned(parked, None),
                replace(row, workspace_id=unique("ws")),
                owned(execution(ws), "p1"),
            ):
                spans, said = [span(trace_of(stranger))], events(stranger, "x", last=False)
                await refused(FencedError, store.write_progress(stranger, [outcome("a")], spans, said))
                await refused(FencedError, store.write_progress(stranger, (), (), ()))
                stopped = owned(stranger, stranger.owner, "in_doubt")
                request = [approval(stranger, "other")]
                await refused(FencedError, store.suspend_execution(stopped, [outcome("a")], spans, said, request))
            assert [await contents(store, one) for one in (row, done, waiting, parked)] == before
            assert await store.list_spans(ws, SpanFilter(), offset=0, limit=9) == ([], 0)

        self.run(body)

    def test_after_a_takeover_the_former_owner_changes_nothing(self) -> None:
        async def body(store: Store) -> None:
            async with self.beside(store) as other:
                ws = unique("ws")
                row = await begun(store, owned(execution(ws), "p1"))
                await store.write_progress(row, [intent("a")], (), events(row, "x", last=False))
                await store.renew_lease("p1", 0.0)
                (taken,) = (await other.claim_executions(ws, "p2", limit=9, lapsed=True)).rows
                before = await contents(other, row)
                said = events(row, "late", first=3)
                await refused(FencedError, store.write_progress(row, [outcome("a")], [span(trace_of(row))], said))
                stopped = owned(row, "p1", "awaiting_approval")
                await refused(FencedError, store.suspend_execution(stopped, [], [], said, [approval(row)]))
                await store.finish_execution(ended(row), [span(trace_of(row))], said, [outcome("a")])
                assert await contents(store, row) == before
                await other.write_progress(taken, [outcome("a", {"result": "mine"})], (), ())
                await other.finish_execution(ended(taken), [span(trace_of(row), "mine")], said)
                assert await store.get_execution(ws, row.id) == ended(taken)
                assert await store.read_journal(ws, row.id) == [outcome("a", {"result": "mine"})]
                assert (await store.list_spans(ws, SpanFilter(), offset=0, limit=9))[1] == 1

        self.run(body)

    def test_of_many_who_write_at_once_only_the_strangers_are_refused(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            rows = [owned(execution(ws, created_at=MOMENT + n), f"p{n % 3}") for n in range(60)]

            async def one(n: int, row: ExecutionRow) -> None:
                await store.begin_execution(row, wait=False)
                calls: list[Callable[[], Awaitable[None]]] = [
                    lambda: store.write_progress(row, [outcome("a")], [span(trace_of(row), row.id)], ()),
                    lambda: store.write_progress(owned(row, "stranger"), [outcome("b")], [span(trace_of(row))], ()),
                    lambda: store.finish_execution(ended(owned(row, "stranger")), [span(trace_of(row))], ()),
                ]
                results = await asyncio.gather(*(call() for call in calls[n % 2 :]), return_exceptions=True)
                assert sum(isinstance(result, FencedError) for result in results) == 1
                await store.finish_execution(ended(row), (), events(row, "x"), [outcome("c")])

            await asyncio.gather(*(one(n, row) for n, row in enumerate(rows)))
            for n, row in enumerate(rows):
                assert await store.get_execution(ws, row.id) == ended(row)
                written = [outcome("c")] if n % 2 else [outcome("a"), outcome("c")]
                assert await store.read_journal(ws, row.id) == written
                spans, _ = await store.list_spans(ws, SpanFilter(execution_id=row.id), offset=0, limit=9)
                assert [found.name for found in spans] == ([] if n % 2 else [row.id])

        self.run(body)

    def test_a_run_that_stops_for_now_keeps_all_and_has_no_owner(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            statuses: list[ExecutionStatus] = ["awaiting_approval", "in_doubt", "pending"]
            for status in statuses:
                row = await begun(store, owned(execution(ws, metadata={"a": 1}), "p1"))
                said = events(row, *"abc")
                await store.write_progress(row, [intent("a")], (), said[:2])
                usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
                stopped = replace(owned(row, "p1", status), token_usage=usage, cost_known=0.5, cost=None)
                requests = [approval(row)] if status == "awaiting_approval" else []
                spans = [span(trace_of(row))]
                entries = [outcome("a"), intent("b")]
                assert await store.suspend_execution(stopped, entries, spans, said[:3], requests) == status
                assert await contents(store, row) == (
                    replace(stopped, owner=None),
                    entries,
                    said[:3],
                    (spans, 1),
                    (requests, len(requests)),
                )

        self.run(body)

    def test_a_request_that_is_there_stays_as_it_is(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = await begun(store, owned(execution(ws), "p1"))
            first = approval(row)
            await store.suspend_execution(owned(row, "p1", "awaiting_approval"), (), (), (), [first])
            await store.decide_approval(ws, first.id, "approved", reason="", decided_by="me")
            kept = await store.get_approval(ws, first.id)
            (taken,) = (await store.claim_executions(ws, "p2", limit=1, lapsed=False)).rows
            stopped = owned(taken, "p2", "awaiting_approval")
            again = [replace(approval(row), digest="ff" * 32), replace(first, key="other"), approval(row, "second")]
            assert await store.suspend_execution(stopped, (), (), (), again) == "awaiting_approval"
            found, total = await store.list_approvals(ws, status="pending", offset=0, limit=9)
            assert (found, total) == ([again[2]], 1)
            assert await store.get_approval(ws, first.id) == kept
            assert (await store.list_approvals(ws, offset=0, limit=9))[1] == 2

        self.run(body)

    def test_text_of_any_kind_comes_back_in_the_journal(self) -> None:
        async def body(store: Store) -> None:
            row = await begun(store, owned(execution(unique("ws")), "p\ud800\x00"))
            texts = ["", "k" * 200, "k" * 201, "k" * 5_000, *ODD_TEXTS, LONG_TEXT]
            entries = [intent(text, {text: [text]}) for text in texts]
            await store.write_progress(row, entries, (), ())
            assert await store.read_journal(row.workspace_id, row.id) == entries
            done = [outcome(text, {text: [text]}) for text in texts]
            await store.write_progress(row, done[:4], (), ())
            await store.finish_execution(ended(row), (), (), done[4:])
            assert await store.read_journal(row.workspace_id, row.id) == done
            assert await store.get_execution(row.workspace_id, row.id) == ended(row)

        self.run(body)

    def test_a_journal_belongs_to_its_workspace(self) -> None:
        async def body(store: Store) -> None:
            one, two = unique("ws"), unique("ws")
            first, second = owned(execution(one, id=unique()), "p1"), owned(execution(two), "p1")
            second.id = first.id
            for row in (first, second):
                await store.begin_execution(row, wait=True)
                await store.write_progress(row, [intent("a", {"of": row.workspace_id})], (), ())
            for row in (first, second):
                assert await store.read_journal(row.workspace_id, row.id) == [intent("a", {"of": row.workspace_id})]
            assert await store.read_journal(unique("ws"), first.id) == []

        self.run(body)
