"""Processes that are stopped (SIGSTOP) until their lease has lapsed, and go on after others have taken over.

Run as a program, with the URL of a store, a folder, and at how many of its points a run stops: before and after each
write of the store, after each effect, and at each call of the model; each in a process of its own, some at the same
time.  It prints what became of them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from promptrails_engine import (
    AsyncEngine,
    PromptRailsError,
    SimpleAgentConfig,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.ports.store import EXECUTION_TERMINAL, ExecutionFilter, ExecutionRow
from promptrails_engine.results import ExecutionResult
from promptrails_engine.store.sql.store import SqlStore
from promptrails_engine.store.sql.tables import approvals, events, executions, journal, spans
from tests.durability.desk import Desk
from tests.durability.forks import Process, done, forked, is_stopped, told, until
from tests.durability.handover import load_all
from tests.stores import AroundWrites

_WORDS = ["early", "last", "small"]
"""What the agent writes to the ledger."""
_AT_ONCE = 9
_LEASE_S = 1.0
_MODES = ("execute", "stream", "worker")
_ALL = 100_000


class Stops:
    """Stops this process at one of the points that it passes, with no transaction open."""

    def __init__(self, at: int, *, hiccup: bool = False) -> None:
        """`hiccup`: after its first intent it hangs for a while, and stops once it has made sure of its lease."""
        self.at = at
        self.hiccup = hiccup
        self.passed = 0
        self.store: SqlStore | None = None

    async def pass_by(self) -> None:
        self.passed += 1
        if self.passed != self.at or self.store is None:
            return
        writer = (await self.store._live())._writer
        while writer._count:  # a lock that it holds would keep the others waiting until it goes on
            await writer.submit(None)
        os.kill(os.getpid(), signal.SIGSTOP)


class StoppingStore(AroundWrites, SqlStore):
    """The store in SQL, with a point before and after each write of a run."""

    def __init__(self, url: str, stops: Stops) -> None:
        super().__init__(url)
        self._stops = stops
        stops.store = self

    async def before(self, write: str, *args: Any) -> None:
        if write in ("write_progress", "finish_execution"):
            await self._stops.pass_by()

    async def after(self, write: str, result: Any, *args: Any) -> None:
        if write in ("begin_execution", "write_progress") or (write == "claim_executions" and result.rows):
            await self._stops.pass_by()
        if write == "write_progress" and self._stops.hiccup and any(entry.state == "intended" for entry in args[1]):
            self._stops.hiccup = False
            self._stops.at = self._stops.passed + 2  # after the write that makes sure
            time.sleep(_LEASE_S * 0.9)  # noqa: ASYNC251  the whole process hangs, and is not sure of its lease


class Stopped:
    """One store and its ledgers."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self.desk = Desk(url, folder)
        done(self._set_up)

    async def _set_up(self) -> None:
        async with self.desk.engine() as engine:
            for what in ("early", "small"):
                await engine.prompts.create(what, user_prompt=f"use write for {what}")
            await engine.prompts.create("says", user_prompt="who are you?")
            small = await engine.agents.create("small", config=SimpleAgentConfig("small"), tools=["write"])
            nodes = [
                WorkflowNode("early", prompt_id="early"),
                WorkflowNode("small", ["early"], node_type="agent", agent_id=small.id),
                WorkflowNode("last", ["small"], node_type="tool", tool="write", input_mapping={"what": "last"}),
                WorkflowNode("says", ["last"], prompt_id="says"),
            ]
            await engine.agents.create("work", config=WorkflowAgentConfig(nodes), tools=["write"])

    # -------------------------------------------------------------- what is stopped

    def work(self, mode: str, at: int) -> Process:
        """A process that runs the agent, and stops itself."""

        async def work() -> tuple[str, int]:
            stops = Stops(at, hiccup=mode == "hiccup")
            desk = Desk(self._url, self._folder, stops.pass_by)
            async with desk.engine(StoppingStore(self._url, stops), lease_s=_LEASE_S) as engine:
                try:
                    return await getattr(self, f"_{mode}")(engine), stops.passed
                except PromptRailsError as error:
                    return type(error).__name__, stops.passed

        return forked(work)

    async def _execute(self, engine: AsyncEngine) -> str:
        return await _compared(engine, await engine.agents.execute("work", {}))

    _hiccup = _execute

    async def _stream(self, engine: AsyncEngine) -> str:
        return await _compared(engine, await engine.agents.stream("work", {}).result())

    async def _worker(self, engine: AsyncEngine) -> str:
        """Once it has lost what it ran, it goes on to work."""
        first = await engine.agents.execute("work", {}, sync=False)
        await engine.start_worker(1)
        await _until_ended(engine, first.execution_id)
        second = await engine.agents.execute("work", {}, sync=False)
        await _until_ended(engine, second.execution_id)
        return f"worked on: {(await engine.executions.get(second.execution_id)).status}"

    # -------------------------------------------------------------- who takes over

    async def take_over(self) -> list[str]:
        """The ids of all executions, once they have ended here."""
        async with self.desk.engine() as engine:
            left = [row.id for row in await _rows(engine) if row.status not in EXECUTION_TERMINAL]

            async def all_over() -> bool:
                await engine.recover()
                for run in await engine.executions.list(status="in_doubt", limit=100):
                    await self._resolve(engine, run.id)
                rows = {row.id: row.status for row in await _rows(engine)}
                return all(rows[id] in EXECUTION_TERMINAL for id in left)

            await until(all_over, "all that was stopped has been taken over, and has ended")
            return [row.id for row in await _rows(engine)]

    async def _resolve(self, engine: AsyncEngine, root: str) -> None:
        written = {line.split(" ")[0] for line in self.desk.effects.lines()}
        for doubt in await engine.executions.doubts(root):
            happened = f"{doubt.execution_id}/{doubt.step}" in written
            answer = ("value", "wrote it") if happened else ("retry", None)
            await engine.executions.resolve(doubt.execution_id, doubt.step, *answer)

    # -------------------------------------------------------------- what is on record

    async def record(self, ids: list[str]) -> list[str]:
        """All rows of these executions, and their lines of the ledger."""
        store = SqlStore(self._url)
        await store.open()
        try:
            rows: list[str] = await store._read(lambda conn: _rows_of(conn, set(ids)))
        finally:
            await store.close()
        return rows + [line for line in self.desk.effects.lines() if line.split("/")[0] in ids]

    async def check(self) -> None:
        """Every run has ended well, with its effects once."""
        async with self.desk.engine() as engine:
            rows = await _rows(engine)
            roots = {row.id: row.root_execution_id or row.id for row in rows}
            assert {row.status for row in rows} == {"completed"}, [(row.id, row.status, row.error) for row in rows]
            done: dict[str, list[str]] = {root: [] for root in roots.values()}
            for line in self.desk.effects.lines():
                id, _, word = line.split("/")[0], *line.rsplit(" ", 1)
                done[roots[id]].append(word)
            assert all(sorted(words) == _WORDS for words in done.values()), done


def _rows_of(conn: Connection, ids: set[str]) -> list[str]:
    tables = [(executions, executions.c.id)]
    tables += [(table, table.c.execution_id) for table in (journal, spans, events, approvals)]
    return [
        repr(tuple(row))
        for table, column in tables
        for row in conn.execute(select(table).where(column.in_(ids)).order_by(*table.primary_key))
    ]


async def _rows(engine: AsyncEngine) -> list[ExecutionRow]:
    rows, _ = await engine._store.list_executions("default", ExecutionFilter(), offset=0, limit=_ALL)
    return rows


async def _compared(engine: AsyncEngine, result: ExecutionResult) -> str:
    """The status, and whether the result is the one on record: each process gives another answer."""
    record = await engine.executions.get(result.execution_id)
    same = (record.status, record.output, record.cost) == (result.status, result.output, result.cost)
    return result.status if same else f"{result.status}, unlike its record"


async def _until_ended(engine: AsyncEngine, execution_id: str) -> None:
    """Return once it has ended; or is in doubt, since another worker of those that stop had taken it up."""

    async def ended() -> bool:
        return (await engine.executions.get(execution_id)).status in (*EXECUTION_TERMINAL, "in_doubt")

    await until(ended, f"{execution_id} has ended")


def stopped_together(stopped: Stopped, points: list[tuple[str, int]]) -> Counter[str]:
    """What became of processes that were stopped at these points, and went on after others had taken over."""
    processes = [(stopped.work(mode, at), mode) for mode, at in points]
    asleep = [(process, mode) for process, mode in processes if is_stopped(process.pid)]
    ids: list[str] = done(stopped.take_over)
    before: list[str] = done(lambda: stopped.record(ids))
    for process, _ in asleep:
        os.kill(process.pid, signal.SIGCONT)
    found = Counter(f"{mode}: {told(process)[0]}" for process, mode in asleep)
    for process, mode in processes:
        if (process, mode) not in asleep:
            told(process)
            found["never stopped"] += 1
    after: list[str] = done(lambda: stopped.record(ids))
    changed = sorted((Counter(after) - Counter(before)) | (Counter(before) - Counter(after)))
    assert not changed, (changed, points, found)
    return found


def main(url: str, folder: str, times: str) -> None:
    load_all(Path(folder))
    stopped = Stopped(url, Path(folder) / "work")
    points = {mode: told(stopped.work(mode, 0))[1] for mode in _MODES}
    each = int(times) // len(_MODES)
    # From the first point to the last one, which is just before the end is written.
    chosen = [(mode, 1 + place * (points[mode] - 1) // (each - 1)) for place in range(each) for mode in _MODES]
    found = stopped_together(stopped, [("hiccup", 0)])
    for start in range(0, len(chosen), _AT_ONCE):
        found += stopped_together(stopped, chosen[start : start + _AT_ONCE])
    done(stopped.check)
    print(json.dumps({"points": points, "outcomes": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
