"""What holds for the store in SQL beyond the port: groups, failures, stamps, and what goes without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from promptrails_engine.errors import ConflictError, ValidationError
from promptrails_engine.ports.store import DefinitionChanges, ExecutionFilter, ExecutionRow, SpanFilter
from promptrails_engine.store import SqlStore
from promptrails_engine.store.sql import stamps, state
from promptrails_engine.testing.store_conformance.rows import (
    definition,
    ended,
    events,
    execution,
    span,
    trace_of,
    unique,
)
from tests.store.gate import Gate, grouped


async def test_runs_at_the_same_time_share_transactions(store: SqlStore, gate: Gate) -> None:
    ws = unique("ws")

    async def one() -> None:
        row = execution(ws)
        await store.begin_execution(row, wait=False)
        await store.finish_execution(ended(row), [span(trace_of(row))], events(row, "x"))

    await grouped(gate, store.state_set(ws, "s", "k", 1), *(one() for _ in range(50)))
    assert gate.groups == [1, 100]
    assert (await store.list_executions(ws, ExecutionFilter(status="completed"), offset=0, limit=1))[1] == 50


@pytest.mark.parametrize("runs", [1, 7, 65, 127])
async def test_groups_of_every_size_are_written_whole(store: SqlStore, gate: Gate, runs: int) -> None:
    ws = unique("ws")
    rows = [execution(ws) for _ in range(runs)]

    async def one(row: ExecutionRow) -> None:
        spans = [span(trace_of(row), f"{n}") for n in range(3)]
        await store.finish_execution(ended(row), spans, events(row, row.id))

    await grouped(gate, store.state_set(ws, "s", "k", 1), *map(one, rows))
    assert gate.groups == [1, runs]
    for row in rows:
        assert await store.get_execution(ws, row.id) == ended(row)
        assert [event.seq for event in await store.read_events(ws, row.id, 0)] == [1, 2, 3]
        found, _ = await store.list_spans(ws, SpanFilter(execution_id=row.id), offset=0, limit=9)
        assert sorted(found_span.name for found_span in found) == ["0", "1", "2"]


async def test_of_many_beginnings_in_one_group_only_the_second_of_its_name_is_refused(
    store: SqlStore, gate: Gate
) -> None:
    ws = unique("ws")
    rows = [execution(ws) for _ in range(100)]
    await store.begin_execution(rows[70], wait=True)
    calls = [store.begin_execution(replace(row, agent_id="new"), wait=True) for row in rows]
    results = await grouped(gate, store.state_set(ws, "s", "k", 1), *calls)
    assert [n for n, result in enumerate(results[1:]) if isinstance(result, ConflictError)] == [70]
    assert sum(result is None for result in results[1:]) == 99
    assert await store.get_execution(ws, rows[70].id) == rows[70]
    assert (await store.list_executions(ws, ExecutionFilter(agent_id="new"), offset=0, limit=1))[1] == 99


async def test_a_write_that_fails_in_a_group_fails_alone(store: SqlStore, gate: Gate) -> None:
    ws = unique("ws")
    taken, row, twice = definition(ws, "Taken"), execution(ws), execution(ws)
    await store.insert_definition(taken)
    await store.begin_execution(twice, wait=True)
    results = await grouped(
        gate,
        store.state_set(ws, "s", "first", 1),
        store.state_set(ws, "s", "k", 2),
        store.insert_definition(definition(ws, "Taken")),
        store.begin_execution(row, wait=True),
        store.begin_execution(replace(twice, agent_id="other"), wait=True),
        store.begin_execution(execution(ws), wait=True),
        store.insert_definition(definition(ws, "Free")),
    )
    assert [type(result) for result in results] == [
        type(None), type(None), ConflictError, type(None), ConflictError, type(None), type(None),
    ]  # fmt: skip
    assert await store.state_list(ws, "s") == {"first": 1, "k": 2}
    assert await store.get_execution(ws, row.id) == row
    assert await store.get_execution(ws, twice.id) == twice
    assert await store.get_definition(ws, "agent", "Free") is not None
    assert await store.get_definition(ws, "agent", "Taken") == taken


async def test_an_exclusive_beginning_meets_its_rival_in_its_own_group(store: SqlStore, gate: Gate) -> None:
    ws = unique("ws")
    one, two = execution(ws), execution(ws)
    results = await grouped(
        gate,
        store.state_set(ws, "s", "first", 1),
        store.begin_execution(one, wait=False),
        store.begin_execution(replace(one, agent_id="other"), wait=True),
        store.finish_execution(ended(two), [], []),
        store.begin_execution(replace(two, agent_id="other"), wait=True),
        store.begin_execution(execution(ws), wait=True),
    )
    assert [type(result) for result in results] == [
        type(None), type(None), ConflictError, type(None), ConflictError, type(None),
    ]  # fmt: skip
    assert await store.get_execution(ws, one.id) == one
    assert await store.get_execution(ws, two.id) == ended(two)


async def test_numbers_that_no_column_holds_fail_their_own_run(store: SqlStore, gate: Gate) -> None:
    ws = unique("ws")
    good, bad = execution(ws), execution(ws)
    results = await grouped(
        gate,
        store.state_set(ws, "s", "first", 1),
        store.finish_execution(ended(good), [span(trace_of(good))], []),
        store.finish_execution(replace(ended(bad), duration_ms=2**70), [span(trace_of(bad))], []),
    )
    assert [type(result) for result in results] == [type(None), type(None), ValidationError]
    assert await store.get_execution(ws, good.id) == ended(good)
    assert await store.get_execution(ws, bad.id) is None
    assert (await store.list_spans(ws, SpanFilter(), offset=0, limit=9))[1] == 1


async def test_what_is_no_json_is_refused_before_it_is_queued(store: SqlStore) -> None:
    ws = unique("ws")
    bad: Any = {"x": object()}
    for call in (
        store.begin_execution(execution(ws, input=bad), wait=False),
        store.finish_execution(replace(ended(execution(ws)), output=bad), [], []),
        store.update_metadata(ws, "x", bad),
        store.state_set(ws, "s", "k", bad),
        store.cache_put(ws, "k", bad, 1.0),
        store.insert_definition(definition(ws, data=bad)),
    ):
        with pytest.raises(ValidationError, match="JSON"):
            await call
    row = execution(ws)
    odd = span(trace_of(row), input=bad, output={"when": {1, 2}})
    odd.attributes = {"o": object()}
    await store.finish_execution(ended(row), [odd], [])
    assert (await store.list_spans(ws, SpanFilter(), offset=0, limit=9))[1] == 1


async def test_a_beginning_nobody_waited_for_is_seen_by_the_next_read(store: SqlStore) -> None:
    ws = unique("ws")
    for _ in range(5):
        row = execution(ws)
        await store.begin_execution(row, wait=False)
        assert await store.get_execution(ws, row.id) == row


async def test_a_beginning_is_written_as_it_was_when_it_was_given(store: SqlStore, gate: Gate) -> None:
    ws = unique("ws")
    row = execution(ws)
    given = replace(row)
    gate.close()
    await store.begin_execution(row, wait=False)
    row.status, row.output = "completed", {"later": 1}
    gate.open()
    assert await store.get_execution(ws, row.id) == given


async def test_the_first_end_and_the_first_beginning_stand(store: SqlStore) -> None:
    ws = unique("ws")
    row = execution(ws)
    await store.begin_execution(row, wait=True)
    await store.begin_execution(replace(row, agent_id="other"), wait=False)
    spans = [span(trace_of(row))]
    await store.finish_execution(ended(row), spans, events(row, "x"))
    await store.finish_execution(ended(row, "failed", error="late"), spans, events(row, "x"))
    await store.begin_execution(row, wait=False)
    assert await store.get_execution(ws, row.id) == ended(row)
    assert (await store.list_spans(ws, SpanFilter(), offset=0, limit=9))[1] == 1
    assert len(await store.read_events(ws, row.id, 0)) == 3


async def test_an_execution_that_waits_for_approval_goes_on_to_its_end(store: SqlStore) -> None:
    ws = unique("ws")
    row = execution(ws)
    await store.begin_execution(row, wait=True)
    parked: ExecutionRow = replace(row, status="awaiting_approval")
    said = events(row, *"abc")
    await store.write_progress(row, (), (), said[:1])
    await store.finish_execution(parked, [], said[1:3])
    assert await store.get_execution(ws, row.id) == parked
    await store.finish_execution(ended(row), [], said[2:])
    assert await store.get_execution(ws, row.id) == ended(row)
    assert await store.read_events(ws, row.id, 0) == said
    assert await store.read_events(ws, row.id, 2) == said[2:]


async def test_an_end_without_its_beginning_is_whole(store: SqlStore) -> None:
    ws = unique("ws")
    end = ended(execution(ws, metadata={"a": 1}, session="s"))
    await store.finish_execution(end, [], [])
    assert await store.get_execution(ws, end.id) == end


async def test_cancelled_changes_of_definitions_still_move_the_stamp(store: SqlStore, gate: Gate) -> None:
    ws = unique("ws")
    before = await store.definitions_stamp(ws)
    gate.close()
    task = asyncio.create_task(store.insert_definition(definition(ws)))
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gate.open()
    await store.state_set(ws, "s", "k", 1)
    assert await store.definitions_stamp(ws) > before


async def test_a_stamp_that_is_known_asks_nobody(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    ws = unique("ws")
    monkeypatch.setattr(stamps, "FRESH_S", 1000.0)
    monkeypatch.setattr(stamps, "RENEW_S", 1000.0)
    await store.insert_definition(definition(ws))
    asked = _counted(store)
    stamp = await store.definitions_stamp(ws)
    assert [await store.definitions_stamp(ws) for _ in range(10)] == [stamp] * 10
    assert asked() == 0
    await store.update_definition(ws, "agent", "nobody", DefinitionChanges(name="x"))
    assert await store.definitions_stamp(ws) == stamp


async def test_a_stamp_is_renewed_by_one_while_the_others_go_on(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = unique("ws")
    monkeypatch.setattr(stamps, "FRESH_S", 1000.0)
    monkeypatch.setattr(stamps, "RENEW_S", 0.0)
    stamp = await store.definitions_stamp(ws)
    asked = _counted(store)
    assert [await store.definitions_stamp(ws) for _ in range(100)] == [stamp] * 100
    async with asyncio.timeout(30):
        while asked() == 0:  # noqa: ASYNC110  # it happens on a thread
            await asyncio.sleep(0.001)
    assert asked() <= 100
    monkeypatch.setattr(stamps, "FRESH_S", 0.0)
    assert await store.definitions_stamp(ws) == stamp


async def test_cached_answers_are_bounded(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    ws = unique("ws")
    monkeypatch.setattr(state, "MAX_CACHED", 10)
    for i in range(300):
        await store.cache_put(ws, f"k{i}", {"i": i}, 1000.0 + i)
    kept = [i for i in range(300) if await store.cache_get(ws, f"k{i}", 0.0) is not None]
    assert kept[-10:] == list(range(290, 300))
    assert len(kept) <= 110


def _counted(store: SqlStore) -> Callable[[], int]:
    """How many queries the database has been asked since."""
    asked: list[str] = []
    assert store._session is not None
    engine = store._session._database.engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    return lambda: len(asked)
