"""The store in memory stays bounded, and stays apart from SQL."""

from __future__ import annotations

import gc
import subprocess
import sys
from dataclasses import replace

import pytest

from promptrails_engine.errors import ConflictError, StoreError
from promptrails_engine.ports.store import ExecutionFilter, SpanFilter
from promptrails_engine.store import MemoryStore
from promptrails_engine.testing.store_conformance.rows import ended, events, execution, span, trace_of


async def run(store: MemoryStore, i: int, *, spans: int = 2) -> str:
    row = execution("ws", id=f"e{i}", trace=f"t{i}")
    await store.begin_execution(row, wait=False)
    await store.finish_execution(
        ended(row), [span(trace_of(row), id=f"{i}-{k}") for k in range(spans)], events(row, "x")
    )
    return row.id


async def kept(store: MemoryStore) -> list[str]:
    rows, _ = await store.list_executions("ws", ExecutionFilter(), offset=0, limit=1000)
    return sorted((row.id for row in rows), key=lambda id: int(id[1:]))


async def test_the_first_to_end_makes_room_with_all_it_holds() -> None:
    store = MemoryStore(max_executions=3)
    waiting = execution("ws", id="e100")
    await store.begin_execution(waiting, wait=False)
    for i in range(10):
        await run(store, i)
    assert await kept(store) == ["e7", "e8", "e9", "e100"]
    assert await store.read_events("ws", "e6", 0) == []
    assert (await store.list_spans("ws", SpanFilter(), offset=0, limit=100))[1] == 6
    assert (await store.list_spans("ws", SpanFilter(trace_id="t6"), offset=0, limit=100))[1] == 0
    await store.finish_execution(ended(waiting), [], [])
    assert await kept(store) == ["e8", "e9", "e100"]


@pytest.mark.parametrize("bound", [{"max_spans": 10}, {"max_events": 15}])
async def test_spans_and_events_are_bounded_too(bound: dict[str, int]) -> None:
    store = MemoryStore(**bound)
    for i in range(20):
        await run(store, i)
    assert await kept(store) == ["e15", "e16", "e17", "e18", "e19"]


async def test_executions_of_one_trace_leave_it_one_by_one() -> None:
    store = MemoryStore(max_executions=2)
    for i in range(4):
        row = execution("ws", id=f"e{i}", trace="shared")
        await store.begin_execution(row, wait=False)
        await store.write_progress(row, (), [span(trace_of(row))], ())
        await store.finish_execution(ended(row), [span(trace_of(row))], [])
    spans, total = await store.list_spans("ws", SpanFilter(trace_id="shared"), offset=0, limit=100)
    assert total == 4
    assert {one.trace.execution_id for one in spans} == {"e2", "e3"}


async def test_the_first_end_and_the_first_beginning_stand() -> None:
    store = MemoryStore()
    row = execution("ws")
    await store.begin_execution(row, wait=True)
    with pytest.raises(ConflictError):
        await store.begin_execution(execution("ws", id=row.id), wait=True)
    await store.begin_execution(execution("ws", id=row.id, agent="other"), wait=False)
    await store.finish_execution(ended(row), [span(trace_of(row))], [])
    await store.finish_execution(ended(row, "failed", error="late"), [span(trace_of(row))], events(row, "x"))
    assert await store.get_execution("ws", row.id) == ended(row)
    assert (await store.list_spans("ws", SpanFilter(), offset=0, limit=9))[1] == 1


@pytest.mark.once
async def test_memory_is_flat_over_100_000_runs() -> None:
    store = MemoryStore(max_executions=500)
    for i in range(1_000):
        await run(store, i)
    before = objects()
    row = execution("ws")
    end, spans, said = ended(row), [span(trace_of(row))], events(row, "x")
    for i in range(1_000, 99_000):
        id = f"e{i}"
        await store.begin_execution(replace(row, id=id, trace_id=id), wait=False)
        await store.finish_execution(replace(end, id=id, trace_id=id), spans, said)
    for i in range(99_000, 100_000):
        await run(store, i)
    assert objects() < before * 1.02
    assert len(await kept(store)) == 500


def objects() -> int:
    """How many containers the process holds."""
    gc.collect()
    return len(gc.get_objects())


async def test_cached_answers_are_bounded_and_state_is_refused_rather_than_dropped() -> None:
    store = MemoryStore(max_cached=3, max_state=3)
    for i in range(5):
        await store.cache_put("ws", f"k{i}", {"i": i}, 10.0)
    assert [await store.cache_get("ws", f"k{i}", 0.0) is not None for i in range(5)] == [False, False, True, True, True]
    for i in range(3):
        await store.state_set("ws", f"s{i}", "k", i)
    with pytest.raises(StoreError, match="max_state"):
        await store.state_set("ws", "s3", "k", 3)
    await store.state_set("ws", "s0", "k", "changed")
    await store.state_delete("ws", "s1", "k")
    await store.state_set("ws", "s3", "k", 3)
    assert await store.state_list("ws", "s0") == {"k": "changed"}
    assert await store.state_list("ws", "s1") == {}


def test_it_loads_no_sql() -> None:
    code = (
        "import sys, asyncio\n"
        "from promptrails_engine.store import MemoryStore, open_store\n"
        "store = open_store(None)\n"
        "assert isinstance(store, MemoryStore) and not store.shared\n"
        "asyncio.run(store.open())\n"
        "assert not {'sqlalchemy', 'alembic', 'tenacity', 'psycopg'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
