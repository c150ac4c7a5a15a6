"""Many processes on one SQLite file: no lock error, no lost write, none after a kill, and forks."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from promptrails_engine.ports.store import ExecutionFilter, SpanFilter
from promptrails_engine.store import SqlStore
from promptrails_engine.testing.store_conformance.rows import definition, execution
from tests.warm.python import Child, warm_python

pytestmark = pytest.mark.once

WRITE = """
import asyncio, os, sys
from promptrails_engine.store import SqlStore
from promptrails_engine.testing.store_conformance.rows import ended, events, execution, span, trace_of
path, name, runs, durability = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
async def one(store, i):
    row = execution("ws", id=f"{name}_{i}", agent=name)
    await store.begin_execution(row, wait=False)
    spans = [span(trace_of(row)) for _ in range(4)]
    await store.finish_execution(ended(row), spans, events(row, "x"))
    os.write(1, f"{row.id}\\n".encode())
async def main():
    store = SqlStore(path, durability=durability)
    await store.open()
    for i in range(0, runs, 8):
        await asyncio.gather(*(one(store, k) for k in range(i, min(i + 8, runs))))
    await store.close()
asyncio.run(main())
"""


def writer(path: Path, name: str, runs: int, durability: str = "relaxed") -> Child:
    return warm_python().start(WRITE, path, name, runs, durability)


async def holds(path: Path, ids: set[str]) -> None:
    """Every one of these executions is there, whole."""
    store = SqlStore(path, durability="relaxed")
    await store.open()
    for id in ids:
        found = await store.get_execution("ws", id)
        assert found is not None
        assert found.status == "completed"
        assert (await store.list_spans("ws", SpanFilter(execution_id=id), offset=0, limit=1))[1] == 4
        assert [event.seq for event in await store.read_events("ws", id, 0)] == [1, 2, 3]
    await store.close()


async def test_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    processes = [writer(path, f"p{n}", 80) for n in range(4)]
    said = [await asyncio.to_thread(process.communicate, timeout=100) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, [err for _, err in said]
    assert not any(err for _, err in said)
    await holds(path, {f"p{n}_{i}" for n in range(4) for i in range(80)})


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    acknowledged: set[str] = set()
    for round_ in range(4):
        process = writer(path, f"r{round_}", 100_000, "full")
        lines = [process.stdout.readline() for _ in range(20 + 37 * round_)]
        process.send_signal(signal.SIGKILL)
        rest, _ = await asyncio.to_thread(process.communicate, timeout=60)
        acknowledged |= {line for line in "".join([*lines, rest]).split("\n") if line}
    assert len(acknowledged) > 100
    await holds(path, acknowledged)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    partial = "SELECT count(*) FROM pr_executions e WHERE status = 'completed' AND 4 <> "
    spans = "(SELECT count(*) FROM pr_spans s WHERE s.execution_id = e.id)"
    assert connection.execute(partial + spans).fetchall() == [(0,)]
    connection.close()


async def test_what_was_acknowledged_survives_the_kill_of_all_who_write(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    acknowledged: set[str] = set()
    for round_ in range(3):
        processes = [writer(path, f"r{round_}p{n}", 100_000, "full") for n in range(3)]
        for process in processes:
            acknowledged |= {process.stdout.readline().strip() for _ in range(15)}
        for process in processes:  # one after another, so that the others go on beside a dead one
            process.send_signal(signal.SIGKILL)
            rest = await asyncio.to_thread(process.communicate, timeout=60)
            acknowledged |= {line for line in rest[0].split("\n") if line}
    assert len(acknowledged) > 100
    assert (tmp_path / "app.db-wal").exists()
    await holds(path, acknowledged)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


async def test_another_process_sees_a_change_of_definitions_within_a_second(tmp_path: Path) -> None:
    one, two = SqlStore(tmp_path / "app.db"), SqlStore(tmp_path / "app.db")
    await one.open()
    await two.open()
    seen = await two.definitions_stamp("ws")
    await one.insert_definition(definition("ws"))
    changed_at = time.monotonic()
    assert await one.definitions_stamp("ws") > seen
    while await two.definitions_stamp("ws") == seen:
        assert time.monotonic() - changed_at < 5, "not seen at all"
        await asyncio.sleep(0.02)
    assert await two.definitions_stamp("ws") == await one.definitions_stamp("ws")
    await one.close()
    await two.close()


FORK = """
import asyncio, os, sys, threading
from promptrails_engine.store import SqlStore
from promptrails_engine.testing.store_conformance.rows import ended, events, execution, span, trace_of
store = SqlStore(sys.argv[1], durability="relaxed")
async def write(name, runs):
    for i in range(runs):
        row = execution("ws", id=f"{name}_{i}")
        await store.begin_execution(row, wait=False)
        await store.finish_execution(ended(row), [span(trace_of(row))], events(row, "x"))
async def child(name):
    assert await store.get_execution("ws", "before_0") is not None
    await write(name, 20)
    await store.close()
async def parent():
    await write("parent", 300)
    await store.close()
asyncio.run(store.open())
asyncio.run(write("before", 1))
busy = threading.Thread(target=asyncio.run, args=[parent()])
busy.start()
children = []
for n in range(4):
    pid = os.fork()
    if pid == 0:
        asyncio.run(child(f"child{n}"))
        sys.exit(0)
    children.append(pid)
ends = [os.waitpid(pid, 0)[1] for pid in children]
busy.join()
assert ends == [0] * 4, ends
"""


def test_a_forked_child_opens_its_own_connections(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    done = warm_python().run(FORK, path, timeout=100)
    assert done.returncode == 0, done.stderr

    async def check() -> None:
        store = SqlStore(path)
        await store.open()
        _, total = await store.list_executions("ws", ExecutionFilter(status="completed"), offset=0, limit=1)
        assert total == 1 + 300 + 4 * 20
        await store.close()

    asyncio.run(check())


def test_a_loop_that_is_gone_does_not_matter(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "app.db", durability="relaxed")
    asyncio.run(store.open())

    async def begin(id: str) -> None:
        await store.begin_execution(execution("ws", id=id), wait=False)

    for id in ("a", "b", "c"):
        asyncio.run(begin(id))

    async def check() -> list[str]:
        rows, _ = await store.list_executions("ws", ExecutionFilter(), offset=0, limit=9)
        await store.close()
        return sorted(row.id for row in rows)

    assert asyncio.run(check()) == ["a", "b", "c"]
