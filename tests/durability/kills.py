"""Kills processes that run agents, has others recover what they left, and counts what went wrong.

Run as a program: it loads everything once and forks a process for each run, so that a kill costs milliseconds.
`points` dies at each point of a run in turn, `random` at any moment while many runs go on at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from promptrails_engine import AsyncEngine
from promptrails_engine.ports.store import EXECUTION_TERMINAL, ExecutionFilter, ExecutionRow
from tests.durability.crew import EFFECTS, KINDS, Dice, MortalStore, Tools, engine_on, make_agents
from tests.durability.forks import Gate, forked, waited

_PATIENCE_S = 30.0
_ALL = 100_000
_AT_ONCE = 5
"""Runs that died before somebody recovers them: each has its own point."""


@dataclass
class Report:
    """What was done, and what went wrong."""

    kills: int = 0
    executions: int = 0
    in_doubt: int = 0
    lost: list[str] = field(default_factory=list[str])
    repeated: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])
    unreported: list[str] = field(default_factory=list[str])

    def add(self, other: dict[str, Any]) -> None:
        for name, value in other.items():
            setattr(self, name, getattr(self, name) + value)


class Kills:
    """One store and one ledger."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        folder.mkdir(exist_ok=True)
        self.ledger = folder / "ledger"
        self.ledger.touch()
        self._tools = Tools(self.ledger)
        self.report = Report()

    def engine(self, dice: Dice, **options: Any) -> AsyncEngine:
        return engine_on(self.url, self._tools, dice, **options)

    def set_up(self) -> None:
        async def work() -> None:
            async with self.engine(Dice()) as engine:
                await make_agents(engine)

        waited(*forked(work))

    def run(self, kind: str, die_at: int, *, streamed: bool) -> tuple[bool, int]:
        """Whether the run died, and how many points it passed if it did not."""

        async def work() -> int:
            dice = Dice(die_at)
            async with self.engine(dice) as engine:
                if streamed:
                    result = await engine.agents.stream(kind, {"text": "hello"}).result()
                else:
                    result = await engine.agents.execute(kind, {"text": "hello"})
                assert result.status == "completed", result
            return dice.passed

        killed, passed = waited(*forked(work))
        self.report.kills += killed
        return killed, passed or 0

    def rescue(self, die_at: int = 0) -> None:
        """Recover everything, in a process that may die as well, and count what went wrong."""
        while True:
            killed, found = waited(*forked(partial(self._rescued, Dice(die_at))))
            if not killed:
                self.report.add(found)
                return
            self.report.kills += 1
            die_at = 0

    async def _rescued(self, dice: Dice) -> dict[str, Any]:
        report = Report()
        async with self.engine(dice) as engine:
            store = engine._store
            assert isinstance(store, MortalStore)
            rows, _ = await store.list_executions("default", ExecutionFilter(), offset=0, limit=_ALL)
            left = [row for row in rows if row.status not in EXECUTION_TERMINAL]
            for owner in {row.owner for row in left if row.owner is not None}:
                await store.end_lease(owner)  # as if its time were over
            roots = [row.id for row in left if row.parent_execution_id is None]
            announced = {root for root, _, _ in await store.unanswered("default", roots)}
            recovery = await engine.recover()
            reported = {*recovery.in_doubt, *(row.id for row in left if row.status == "in_doubt")}
            report.unreported = sorted(announced ^ reported)
            report.in_doubt = len(recovery.in_doubt)
            for root in reported:
                await self._resolve(engine, root)
            await self._all_ended(engine, roots)
            rows, _ = await store.list_executions("default", ExecutionFilter(), offset=0, limit=_ALL)
            names = {agent.id: agent.name for agent in await engine.agents.list(limit=100)}
            self._count(report, rows, names)
            report.executions = len(roots)
        return asdict(report)

    async def _resolve(self, engine: AsyncEngine, root: str) -> None:
        written = {line.split(" ")[0] for line in self.ledger.read_text().splitlines()}
        for doubt in await engine.executions.doubts(root):
            happened = f"{doubt.execution_id}/{doubt.step}" in written
            await engine.executions.resolve(
                doubt.execution_id, doubt.step, "value" if happened else "retry", "wrote" if happened else None
            )

    async def _all_ended(self, engine: AsyncEngine, roots: list[str]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        await asyncio.wait_for(engine.idle(), _PATIENCE_S)
        for root in roots:
            while (await engine.executions.get(root)).status not in EXECUTION_TERMINAL:
                assert time.monotonic() < deadline, f"{root} does not end: {await engine.executions.get(root)}"
                await asyncio.sleep(0.01)

    def _count(self, report: Report, rows: list[ExecutionRow], names: dict[str, str]) -> None:
        """Hold the ledger against what is on record."""
        root_of = {row.id: row.root_execution_id or row.id for row in rows}
        written = Counter(line.split(" ")[0] for line in self.ledger.read_text().splitlines())
        by_root = Counter(root_of.get(key.split("/")[0], "nobody") for key in written)
        report.repeated = [key for key, count in written.items() if count > 1]
        report.missing = ["nobody"] if by_root["nobody"] else []
        for row in rows:
            if row.status != "completed":
                report.lost.append(f"{row.id} is {row.status}: {row.error}")
            elif row.parent_execution_id is None and by_root[row.id] != EFFECTS[names[row.agent_id]]:
                report.missing.append(f"{row.id} ({names[row.agent_id]}) wrote {by_root[row.id]} times")


def at_each_point(kills: Kills, kind: str, step: int) -> None:
    """Die at every `step`-th point of a run, and now and then in the recovery of a few such runs too."""
    _, points = kills.run(kind, 0, streamed=False)
    number = 0
    for number, point in enumerate(range(1, points + 1, step)):
        kills.run(kind, point, streamed=bool(number % 2))
        if number % _AT_ONCE == _AT_ONCE - 1:
            kills.rescue(die_at=1 + number % 23 if number % 2 else 0)
    kills.rescue()


def at_random(kills: Kills, times: int, seed: int) -> None:
    """Die at any moment, with many runs of all kinds going on at once."""
    chance = random.Random(seed)

    async def many(gate: Gate) -> None:
        async with kills.engine(Dice()) as engine:
            gate.arrive()
            while True:
                await asyncio.gather(*(engine.agents.execute(kind, {"text": "hello"}) for kind in KINDS * 2))

    for _ in range(times):
        gate = Gate()
        pid, reading = forked(partial(many, gate))
        gate.wait()  # how long a process takes to begin is no moment of a run
        time.sleep(chance.uniform(0.0, 0.25))
        os.kill(pid, signal.SIGKILL)
        killed, _ = waited(pid, reading)
        kills.report.kills += killed
        kills.rescue()


def load_all(folder: Path) -> None:
    """Have in memory before the first fork what runs and recoveries load and keep."""
    warm = Kills(f"sqlite:///{folder}/warm.db", folder / "warm")

    async def work() -> None:
        async with warm.engine(Dice()) as engine:
            await make_agents(engine)
            for kind in KINDS:
                await engine.agents.execute(kind, {"text": "hello"})
                left = await engine.agents.execute(kind, {"text": "hello"}, sync=False)
                await warm._all_ended(engine, [left.execution_id])
            await engine.recover()

    asyncio.run(work())


def main(url: str, folder: str, how: str, number: str) -> None:
    load_all(Path(folder))
    kills = Kills(url, Path(folder))
    kills.set_up()
    if how == "random":
        at_random(kills, int(number), seed=7)
    else:
        at_each_point(kills, how, int(number))
    print(json.dumps(asdict(kills.report)))


if __name__ == "__main__":
    main(*sys.argv[1:])
