"""Runs stored in a SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakes
import floors
import work
from case_runs import executed
from harness import Contender, Goal, Row, Size, in_turns

from promptrails_engine import AsyncEngine
from promptrails_engine.store.sql.database import Database, parse_url
from promptrails_engine.store.sql.schema import prepare

AT_ONCE = 64
PRAGMAS = ("journal_mode", "synchronous", "cache_size", "mmap_size", "wal_autocheckpoint")


async def stored_full(size: Size) -> list[Row]:
    """Runs one after another, each on disk when its call returns."""
    with tempfile.TemporaryDirectory() as folder:
        settings = pragmas(Path(folder) / "settings.db")
        path = Path(folder) / "ours.db"
        engine = AsyncEngine(path.as_posix(), durability="full", providers=[fakes.InstantModel()], model=fakes.MODEL)
        async with engine:
            ours = Contender(
                "ours", executed(engine, await fakes.simple_agent(engine), fakes.simple_input), work.simple
            )
            floor = Contender("floor", committed(Path(folder) / "floor.db", settings), lambda i: 1)
            await in_turns([floor, ours], size, warm=20)
        await found_again(path, ours.next)
    shown = f"journal_mode={settings['journal_mode']} synchronous={settings['synchronous']}"
    best = {"floor": floor.best_us(), "ours": ours.best_us()}
    return [
        Row("stored run, durability full, CPU", ours.cpu_us(), floor.cpu_us(), goal=Goal(4), note=shown, best=best),
        Row("stored run, durability full, wall time", ours.wall_us(), floor.wall_us(), goal=Goal(4), note=shown),
    ]


async def stored_relaxed(size: Size) -> list[Row]:
    """64 runs at once, again and again."""
    runs = size.pick(4_000, 400)
    figures: list[tuple[float, float]] = []
    floors_cpu: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = pragmas(Path(folder) / "settings.db", "relaxed")
        insert = grouped(Path(folder) / "floor.db", settings)
        path = Path(folder) / "ours.db"
        engine = AsyncEngine(path.as_posix(), durability="relaxed", providers=[fakes.InstantModel()], model=fakes.MODEL)
        async with engine:
            once = executed(engine, await fakes.simple_agent(engine), fakes.simple_input)
            done = await side_by_side(once, 0, runs // 2, [])
            for _ in range(size.pick(9, 2)):
                cpu = time.process_time()
                for start in range(0, runs, AT_ONCE):
                    insert(start)
                floors_cpu.append((time.process_time() - cpu) / runs)
                done = await side_by_side(once, done, runs, figures)
        await found_again(path, done)
    wall, cpu = (statistics.median(figure[place] for figure in figures) for place in (0, 1))
    best = max(1 / figure[0] for figure in figures)
    note = f"the best batch {best:,.0f}/s; {cpu * 1e6:.0f} us of CPU a run"
    rate = Row("stored runs a second, 64 at once, relaxed", 1 / wall, None, "/s", Goal(least=5000, of="ours"), note)
    floor = statistics.median(floors_cpu) * 1e6
    return [
        rate,
        Row("stored run, 64 at once, relaxed, CPU", cpu * 1e6, floor, note="the floor: 64 bare inserts a commit"),
    ]


async def side_by_side(
    once: Callable[[int], Any],
    start: int,
    runs: int,
    figures: list[tuple[float, float]],
    expected: Callable[[int], str] = work.simple,
) -> int:
    """So many runs by 64 workers; adds wall and CPU seconds a run.  Returns the number after the last run."""
    numbers = iter(range(start, start + runs))

    async def worker() -> None:
        for i in numbers:
            text = await once(i)
            if text != expected(i):
                raise AssertionError(f"run {i}: {text!r}")

    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(worker())
    figures.append(((time.perf_counter() - wall) / runs, (time.process_time() - cpu) / runs))
    return start + runs


async def found_again(path: Path, runs: int) -> None:
    """Every run is in the file, completed, when another engine opens it."""
    async with AsyncEngine(path.as_posix()) as engine:
        page = await engine.executions.list(limit=1, status="completed")
        assert page.meta.total == runs, (page.meta.total, runs)


# ------------------------------------------------------------------ the floor


def pragmas(path: Path, durability: Any = "full") -> dict[str, Any]:
    """The settings of a connection as the store makes them."""
    database = Database(parse_url(path), durability)
    prepare(database)
    with database.engine.connect() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS}
    database.close()
    return found


def connected(path: Path, settings: dict[str, Any]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for name, value in settings.items():
        connection.execute(f"PRAGMA {name}={value}")
    found = connection.execute("PRAGMA synchronous").fetchone()[0]
    assert found == settings["synchronous"], found
    connection.execute(floors.TABLE)
    return connection


def committed(path: Path, settings: dict[str, Any]) -> Callable[[int], Any]:
    """One insert and its commit; returns how many rows it wrote."""
    connection = connected(path, settings)

    async def once(i: int) -> int:
        return connection.execute(floors.INSERT, floors.stored_row(i)).rowcount

    return once


def grouped(path: Path, settings: dict[str, Any]) -> Callable[[int], None]:
    """64 inserts in one transaction."""
    connection = connected(path, settings)

    def insert(start: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(floors.INSERT, [floors.stored_row(start + k) for k in range(AT_ONCE)])
        connection.execute("COMMIT")

    return insert
