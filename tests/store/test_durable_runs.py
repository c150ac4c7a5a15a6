"""What holds for durable runs in SQL beyond the port: groups, transactions that are repeated, and indexes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest
from sqlalchemy import text

from promptrails_engine.errors import FencedError, RunCancelledError
from promptrails_engine.ports.journal import Claims
from promptrails_engine.ports.store import ExecutionRow, SpanFilter
from promptrails_engine.store import SqlStore
from promptrails_engine.store.sql import claims
from promptrails_engine.testing.store_conformance.rows import (
    MOMENT,
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
from tests.store.gate import Gate, grouped

LONG_AGO = 1_000_000.5


async def begun(store: SqlStore, row: ExecutionRow) -> ExecutionRow:
    await store.begin_execution(row, wait=True)
    return row


async def names_of(store: SqlStore, row: ExecutionRow) -> list[str]:
    spans, _ = await store.list_spans(row.workspace_id, SpanFilter(execution_id=row.id), offset=0, limit=99)
    return sorted(one.name for one in spans)


# ------------------------------------------------------------------ groups


async def test_one_who_is_fenced_off_fails_alone_in_its_group(store: SqlStore, gate: Gate) -> None:
    ws = unique("ws")
    rows = [await begun(store, owned(execution(ws), "p1")) for _ in range(6)]
    new = owned(execution(ws), "p1")

    async def begun_and_written() -> None:
        await store.begin_execution(new, wait=False)
        await store.write_progress(new, [outcome("a")], [], [])

    writers = [owned(row, "p2" if n % 2 else "p1") for n, row in enumerate(rows)]
    results = await grouped(
        gate,
        store.state_set(ws, "s", "k", 1),
        *(
            store.write_progress(row, [outcome("a")], [span(trace_of(row), row.owner or "")], events(row, last=False))
            for row in writers
        ),
        begun_and_written(),
    )
    assert gate.groups[-2:] == [1, 8]
    assert [type(result) for result in results[1:]] == [type(None), FencedError] * 3 + [type(None)]
    for n, row in enumerate(rows):
        assert await store.read_journal(ws, row.id) == ([] if n % 2 else [outcome("a")])
        assert len(await store.read_events(ws, row.id, 0)) == (n + 1) % 2
        assert await names_of(store, row) == ([] if n % 2 else ["p1"])
    assert await store.read_journal(ws, new.id) == [outcome("a")]


async def test_an_effect_that_may_not_begin_fails_alone_in_its_group(store: SqlStore, gate: Gate) -> None:
    ws = unique("ws")
    rows = [await begun(store, owned(execution(ws), "p1")) for _ in range(6)]
    for n, parent in enumerate(rows[:4]):
        child = replace(owned(execution(ws), "p1"), parent_execution_id=parent.id, root_execution_id=parent.id)
        rows[n] = await begun(store, child)
        if n % 2:
            await store.request_cancel(ws, parent.id)
    await store.request_cancel(ws, rows[5].id)
    results = await grouped(
        gate,
        store.state_set(ws, "s", "k", 1),
        *(
            store.write_progress(row, [outcome("a"), intent("b")], [span(trace_of(row))], events(row, last=False))
            for row in rows
        ),
        store.write_progress(rows[5], [outcome("c")], (), ()),
    )
    assert gate.groups[-2:] == [1, 7]
    refused = [False, True, False, True, False, True]
    assert [isinstance(result, RunCancelledError) for result in results[1:]] == [*refused, False]
    for row, without in zip(rows[:5], refused, strict=False):
        assert await store.read_journal(ws, row.id) == ([] if without else [outcome("a"), intent("b")])
        assert len(await store.read_events(ws, row.id, 0)) == (not without)
        assert len(await names_of(store, row)) == (not without)
    assert await store.read_journal(ws, rows[5].id) == [outcome("c")]


async def test_an_end_that_is_left_out_takes_its_spans_along(store: SqlStore, gate: Gate) -> None:
    ws = unique("ws")
    rows = [await begun(store, owned(execution(ws), "p1")) for _ in range(5)]
    await store.finish_execution(ended(rows[0]), [span(trace_of(rows[0]), "first")], [])
    ends = [ended(rows[0]), ended(owned(rows[1], "p2")), ended(rows[2]), ended(rows[2], "failed"), ended(rows[3])]
    results = await grouped(
        gate,
        store.state_set(ws, "s", "k", 1),
        *(
            store.finish_execution(end, [span(trace_of(end), f"{n}")], events(end, "x"), [outcome(f"{n}")])
            for n, end in enumerate(ends)
        ),
        store.write_progress(rows[4], (), [span(trace_of(rows[4]), "goes on")], ()),
    )
    assert results == [None] * 7
    assert [await names_of(store, row) for row in rows] == [["first"], [], ["2"], ["4"], ["goes on"]]
    assert [await store.read_journal(ws, row.id) for row in rows] == [[], [], [outcome("2")], [outcome("4")], []]
    assert await store.get_execution(ws, rows[1].id) == rows[1]
    assert await store.get_execution(ws, rows[2].id) == ended(rows[2])


@pytest.mark.parametrize("end_first", [True, False])
async def test_progress_and_end_of_one_run_keep_their_order_in_a_group(
    store: SqlStore, gate: Gate, end_first: bool
) -> None:
    ws = unique("ws")
    row, other = owned(execution(ws), "p1"), owned(execution(ws), "p1")
    calls = [
        store.write_progress(row, [outcome("a")], [span(trace_of(row), "progress")], []),
        store.finish_execution(ended(row), [span(trace_of(row), "end")], []),
    ]
    results = await grouped(
        gate,
        store.state_set(ws, "s", "k", 1),
        store.begin_execution(row, wait=True),
        *calls[:: -1 if end_first else 1],
        store.begin_execution(other, wait=True),
    )
    assert [type(result) for result in results[2:4]] == [type(None), FencedError if end_first else type(None)]
    assert await names_of(store, row) == (["end"] if end_first else ["end", "progress"])
    assert await store.get_execution(ws, row.id) == ended(row)
    assert await store.get_execution(ws, other.id) == other


# ------------------------------------------------------------------ outcomes that stayed unknown


async def test_a_transaction_that_is_repeated_reports_its_own_success(store: SqlStore, gate: Gate) -> None:
    ws, heir = unique("ws"), unique("p")
    gate.repeats = True
    await store.renew_lease(heir, 600.0)
    waiting = [replace(owned(execution(ws, created_at=MOMENT + n), None, "pending")) for n in range(4)]
    for row in waiting:
        await store.begin_execution(row, wait=False)
    dead = await begun(store, owned(execution(ws, created_at=MOMENT - 1), unique("p")))
    found = await store.claim_executions(ws, heir, limit=3, lapsed=True)
    taken = [replace(owned(dead, heir), attempt=1), owned(waiting[0], heir), owned(waiting[1], heir)]
    assert found == Claims(taken, frozenset({dead.id}))
    left = await store.claim_executions(ws, heir, limit=9, lapsed=True)
    assert left == Claims([owned(row, heir) for row in waiting[2:]], frozenset())

    one, two, three, four, five = [*found.rows, *left.rows]
    said = events(one, "x", last=False)
    await store.write_progress(one, [intent("a")], [span(trace_of(one))], said)
    stopped = owned(one, heir, "awaiting_approval")
    request, late = approval(one), approval(one, "late", expires_at=LONG_AGO)
    assert await store.suspend_execution(stopped, [], [], said, [request, late]) == "awaiting_approval"
    (expired,) = await store.expire_approvals(ws)
    assert expired.id == late.id
    decided = await store.decide_approval(ws, request.id, "approved", reason="", decided_by="")
    assert decided is not None
    assert decided.won
    again = await store.decide_approval(ws, request.id, "approved", reason="", decided_by="")
    assert again is not None
    assert not again.won
    assert await store.replace_lock(ws, one.id, "version_2", {"a": 1}) is True

    for row, value in ((two, None), (three, {"told": 1})):
        await store.write_progress(row, [intent("a")], (), ())
        assert await store.suspend_execution(owned(row, heir, "in_doubt"), (), (), ()) == "in_doubt"
        assert await store.answer_entry(ws, row.id, "a", value) is True
        assert await store.answer_entry(ws, row.id, "b", value) is False
    cancelled = await store.request_cancel(ws, two.id)
    assert cancelled is not None
    assert cancelled.status == "cancelled"
    assert len(await store.read_events(ws, two.id, 0)) == 1
    await store.finish_execution(ended(four), [span(trace_of(four), "end")], events(four, "x"), [outcome("a")])
    assert await store.get_execution(ws, four.id) == ended(four)
    assert await store.read_journal(ws, four.id) == [outcome("a")]
    for stranger in (four, owned(five, "p2")):
        with pytest.raises(FencedError):
            await store.write_progress(stranger, (), (), ())
        with pytest.raises(FencedError):
            await store.suspend_execution(replace(stranger, status="pending", attempt=9), (), (), ())


# ------------------------------------------------------------------ what it costs


async def test_a_plain_run_is_in_none_of_the_indexes_of_durable_runs(store: SqlStore, gate: Gate) -> None:
    ws = unique("ws")
    assert store._session is not None
    with store._session._database.engine.connect() as connection:
        sql = "SELECT indexdef FROM pg_indexes WHERE tablename = 'pr_executions'"
        if connection.dialect.name == "sqlite":
            sql = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'pr_executions' AND sql NOT NULL"
        found = [definition for (definition,) in connection.execute(text(sql))]
    conditions = [one.partition(" WHERE ")[2] for one in found if "owner" in one or "'pending'" in one]
    assert len(conditions) == 3
    for row in (execution(ws), ended(execution(ws))):
        await store.finish_execution(ended(row), [], [])
        await store.begin_execution(execution(ws), wait=True)
    with store._session._database.engine.connect() as connection:
        for condition in conditions:
            query = text(f"SELECT count(*) FROM pr_executions WHERE workspace_id = :ws AND {condition}")
            assert connection.execute(query, {"ws": ws}).scalar() == 0


async def test_turns_hold_with_more_agents_than_a_claim_takes(store: SqlStore) -> None:
    ws, owner = unique("ws"), unique("p")
    await store.renew_lease(owner, 600.0)
    rows = [owned(execution(ws, agent=f"agent_{n % 40}", created_at=MOMENT + n), None, "pending") for n in range(400)]
    await asyncio.gather(*(store.begin_execution(row, wait=True) for row in rows))
    order: list[str] = []
    for limit in cycle((4, 30)):
        found = (await store.claim_executions(ws, owner, limit=limit, lapsed=True)).rows
        if not found:
            break
        assert len(found) <= limit
        order += [row.id for row in found]
    assert order == [row.id for row in rows]


async def test_of_more_agents_than_a_claim_looks_at_those_come_first_that_were_not_served(store: SqlStore) -> None:
    ws, heir = unique("ws"), unique("p")
    await store.renew_lease(heir, 600.0)
    agents = [f"agent_{n:02}" for n in range(claims.SLACK + 20)]
    rows = [owned(execution(ws, agent=agent, created_at=MOMENT + n), "gone") for n, agent in enumerate(agents)]
    await asyncio.gather(*(store.begin_execution(row, wait=True) for row in rows))
    for last in (rows[-1], rows[-2]):
        served = [row.agent_id for row in rows if row is not last]
        found = await store.claim_executions(ws, heir, limit=1, lapsed=True, served=served)
        assert [row.id for row in found.rows] == [last.id]


async def test_leases_of_the_long_dead_are_forgotten(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "FORGET_S", 0.0)
    ws, dead, alive = unique("ws"), unique("p"), unique("p")
    row = await begun(store, owned(execution(ws), dead))
    await store.renew_lease(dead, -1.0)
    await store.renew_lease(alive, 600.0)
    assert store._session is not None
    with store._session._database.engine.connect() as connection:
        query = text("SELECT owner FROM pr_leases WHERE owner IN (:dead, :alive)")
        left: Any = connection.execute(query, {"dead": dead, "alive": alive}).scalars().all()
    assert left == [alive]
    assert (await store.claim_executions(ws, alive, limit=1, lapsed=True)).lapsed == {row.id}
