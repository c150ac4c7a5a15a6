"""Two workers run what is queued on one store; one of them may be killed half-way.

Run as a program, with the URL of a store, a folder, how many runs to queue, `kill` or `keep`, and how many runs go
on at once in a worker; it prints what it counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from promptrails_engine import WorkflowAgentConfig, WorkflowNode
from promptrails_engine.ports.store import ExecutionFilter
from tests.durability.desk import Desk
from tests.durability.forks import Gate, done, forked, told, until, waited
from tests.durability.handover import load_all

SHARES = {"big": 90, "middling": 9, "small": 1}
"""Of a hundred runs, by agent; all of the big one are queued first."""
_BATCH = 500
_ALL = 1_000_000
_LONG_S = 600.0


async def queue(desk: Desk, runs: int) -> dict[str, str]:
    """The name of the agent of each execution."""
    agents: dict[str, str] = {}
    node = WorkflowNode("writes", node_type="tool", tool="write", input_mapping={"what": "it"})
    async with desk.engine() as engine:
        for name, share in SHARES.items():
            await engine.agents.create(name, config=WorkflowAgentConfig([node]), tools=["write"])
            left = runs * share // 100
            while left:
                some = min(left, _BATCH)
                results = await asyncio.gather(*(engine.agents.execute(name, {}, sync=False) for _ in range(some)))
                agents |= {result.execution_id: name for result in results}
                left -= some
    return agents


class Workers:
    """Two of them, which begin together and work until they are told to stop."""

    def __init__(self, desk: Desk, folder: Path, places: int) -> None:
        self._desk = desk
        self._places = places
        self._over = folder / "over"
        ready = Gate()
        begin = Gate()
        self.processes = [forked(lambda: self._work(ready, begin)) for _ in range(2)]
        ready.wait()
        self.begun = time.monotonic()
        begin.arrive()

    async def _work(self, ready: Gate, begin: Gate) -> float:
        begun = time.process_time()
        async with self._desk.engine(lease_s=1.0) as engine:
            ready.arrive()
            begin.wait()
            await engine.start_worker(self._places)
            await until(self._is_over, "the end of all work", patience_s=_LONG_S)
        return time.process_time() - begun

    async def _is_over(self) -> bool:
        return self._over.exists()

    def stop(self) -> None:
        self._over.touch()


def drained(desk: Desk, folder: Path, runs: int, places: int, *, kill: bool) -> dict[str, Any]:
    """What came of the runs."""
    agents: dict[str, str] = done(lambda: queue(desk, runs))
    workers = Workers(desk, folder, places)
    first, second = workers.processes
    if kill:
        _wait_for(desk, runs // 2)
        os.kill(first.pid, signal.SIGKILL)
        killed, _ = waited(*first)
        assert killed
    _wait_for(desk, runs - 4 * places)  # before that, who asks would only be in the way
    doubts: int = done(lambda: _ended(desk))
    seconds = time.monotonic() - workers.begun
    workers.stop()
    cpu_s = sum(told(process) for process in ([second] if kill else [first, second]))
    order = [line.split("/")[0] for line in desk.effects.lines()]
    assert sorted(order) == sorted(agents), "each exactly once"
    attempts: dict[str, int] = done(lambda: _attempts(desk))
    places = {name: [place for place, id in enumerate(order, 1) if agents[id] == name] for name in SHARES}
    return {
        "runs": runs,
        "seconds": round(seconds, 2),
        "runs_per_s": round(runs / seconds),
        "cpu_s": round(cpu_s, 2),
        "in_doubt": doubts,
        "attempts": attempts,
        "last_place": {name: found[-1] for name, found in places.items()},
        "median_place": {name: found[len(found) // 2] for name, found in places.items()},
    }


def _wait_for(desk: Desk, lines: int) -> None:
    deadline = time.monotonic() + _LONG_S
    while len(desk.effects.lines()) < lines:
        assert time.monotonic() < deadline, "the workers do not get on"
        time.sleep(0.02)


async def _ended(desk: Desk) -> int:
    """How many runs were in doubt, once all have ended; who resolves it looks into the ledger."""
    doubts = 0
    async with desk.engine() as engine:

        async def all_over() -> bool:
            nonlocal doubts
            for run in await engine.executions.list(status="in_doubt", limit=100):
                written = {line.split(" ")[0] for line in desk.effects.lines()}
                for doubt in await engine.executions.doubts(run.id):
                    happened = f"{doubt.execution_id}/{doubt.step}" in written
                    answer = ("value", "wrote it") if happened else ("retry", None)
                    await engine.executions.resolve(run.id, doubt.step, *answer, resume=False)
                    doubts += 1
            open_ = ("pending", "running", "in_doubt")
            return not any([(await engine.executions.list(status=status, limit=1)).meta.total for status in open_])

        await until(all_over, "all runs have ended", patience_s=_LONG_S)
    return doubts


async def _attempts(desk: Desk) -> dict[str, int]:
    """How many runs were taken over how often."""
    async with desk.engine() as engine:
        rows, _ = await engine._store.list_executions("default", ExecutionFilter(), offset=0, limit=_ALL)
        assert {row.status for row in rows} == {"completed"}, Counter(row.status for row in rows)
        return {str(attempt): count for attempt, count in Counter(row.attempt for row in rows).items()}


def main(url: str, folder: str, runs: str, how: str, places: str) -> None:
    load_all(Path(folder))
    desk = Desk(url, Path(folder) / "desk")
    print(json.dumps(drained(desk, Path(folder), int(runs), int(places), kill=how == "kill")))


if __name__ == "__main__":
    main(*sys.argv[1:])
