"""Runs that another process cancels: queued, running, waiting for approval, and left behind by a process that died.

Run as a program, with the URL of a store and a folder; it prints what it counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from promptrails_engine import (
    AlreadyDecidedError,
    AsyncEngine,
    CompositeAgentConfig,
    CompositeStep,
    ConflictError,
    Limits,
    WorkflowAgentConfig,
    WorkflowNode,
)
from promptrails_engine.ports.store import EXECUTION_TERMINAL
from tests.durability.desk import Desk, make_agents
from tests.durability.forks import Gate, Process, done, forked, told, until, waited
from tests.durability.handover import load_all, members

_ITEMS = 10_000
_CROWD = 40


class Cancels:
    """One store."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        folder.mkdir()

        async def set_up() -> None:
            async with self._desk("setup").engine() as engine:
                await make_agents(engine)
                for name, at_once in (("long", 1), ("wide", 8)):
                    each = WorkflowNode(
                        "each", node_type="tool", tool="write", input_mapping={"what": "it"}, map_over="input.things",
                        map_concurrency=at_once,
                    )  # fmt: skip
                    agent = await engine.agents.create(name, config=WorkflowAgentConfig([each]), tools=["write"])
                for name in ("above", "top"):
                    agent = await engine.agents.create(
                        name, config=CompositeAgentConfig([CompositeStep("only", agent.id)])
                    )

        done(set_up)

    def _desk(self, name: str, *, hangs: bool = False) -> Desk:
        """With ledgers of its own; `hangs`: in the model call after its first effect."""

        async def hang() -> None:
            if len(desk.calls.lines()) > 1:
                await asyncio.Event().wait()

        desk = Desk(self._url, self._folder / name, hang if hangs else None)
        return desk

    # -------------------------------------------------------------- one that runs

    def busy(self, agent: str, depth: int = 0) -> dict[str, int]:
        """Of a run that is never idle, cancelled so many levels below its root: how many effects there were when
        `cancel` returned, how many in the end, and how many of these were not on record as announced before.
        """
        desk = self._desk(f"busy-{agent}-{depth}")

        async def cancel(root_id: str) -> tuple[int, list[str]]:
            async with desk.engine() as engine:
                target = await engine.executions.tree(root_id)
                for _ in range(depth):
                    [target] = target.children
                await engine.executions.cancel(target.id)
                effects = len(desk.effects.lines())
                parts = members(await engine.executions.tree(root_id))
                journals = [(part.id, await engine._store.read_journal("default", part.id)) for part in parts]
                return effects, [f"{id}/{entry.key}" for id, entries in journals for entry in entries]

        runner = _run(desk, agent, {"things": list(range(_ITEMS))})
        root_id = _begun(desk, effects=5)
        before, announced = done(lambda: cancel(root_id))
        ended: str = told(runner)
        written = [line.split(" ")[0] for line in desk.effects.lines()]
        assert len(set(written)) == len(written)
        assert len(written) < _ITEMS, "it went on to its end"
        if depth:  # who waits for it goes on to an end of its own
            assert ended.startswith("failed"), ended
            assert "was cancelled" in ended, ended
        else:
            assert ended == "cancelled", ended
        assert done(lambda: _check(desk, root_id)) == [ended.partition(":")[0]]
        return {
            "effects_at_cancel": before,
            "effects_in_the_end": len(written),
            "announced_later": len(set(written) - set(announced)),
        }

    def hanging(self) -> None:
        """One that waits for a model: nothing more begins."""
        desk = self._desk("hanging", hangs=True)
        runner = _run(desk, "output", {})
        execution_id = _begun(desk, effects=1, calls=2)
        done(lambda: _cancel(desk, execution_id, "running", "cancelled"))
        assert (ended := told(runner)) == "cancelled", ended
        assert (len(desk.effects.lines()), len(desk.calls.lines())) == (1, 2)
        assert done(lambda: _check(desk, execution_id)) == ["cancelled"]

    def left_behind(self) -> None:
        """One whose process has died: who takes it over ends it."""
        desk = self._desk("left", hangs=True)
        runner = _run(desk, "child", {})
        execution_id = _begun(desk, effects=1, calls=2)
        os.kill(runner.pid, signal.SIGKILL)
        waited(*runner)

        async def take_over() -> None:
            async with desk.engine() as engine:
                marked = await engine.executions.cancel(execution_id)
                assert marked.status == "running", marked
                await engine.start_worker()
                await _until_ended(engine, execution_id)

        done(take_over)
        assert (len(desk.effects.lines()), len(desk.calls.lines())) == (1, 2)
        assert done(lambda: _check(desk, execution_id)) == ["cancelled"]

    # -------------------------------------------------------------- one that nobody runs

    def queued(self) -> None:
        desk = self._desk("queued")

        async def queue() -> list[str]:
            async with desk.engine() as engine:
                return [(await engine.agents.execute("call", {}, sync=False)).execution_id for _ in range(2)]

        async def work() -> None:
            async with desk.engine() as engine:
                await engine.start_worker()
                await until(lambda: _has_parked(engine, other), "the other one has been run")
                try:
                    await engine.executions.resume(cancelled)
                except ConflictError:
                    return
                raise AssertionError("what was cancelled went on")

        cancelled, other = done(queue)
        done(lambda: _cancel(desk, cancelled, "pending", "cancelled", at_once=True))
        done(work)
        assert {line.split("/")[0] for line in desk.effects.lines()} == {other}
        assert done(lambda: _check(desk, cancelled)) == ["cancelled"]

    def waiting(self) -> None:
        """One that waits for approval, with what is below it."""
        desk = self._desk("waiting")

        async def park() -> str:
            async with desk.engine() as engine:
                return (await engine.agents.execute("child", {})).execution_id

        async def decide() -> None:
            async with desk.engine() as engine:
                [request] = await engine.approvals.list(root_execution_id=execution_id)
                assert request.status == "withdrawn", request
                refused: list[str] = []
                for late in (engine.approvals.decide(request.id, "approved"), engine.executions.resume(execution_id)):
                    try:
                        await late
                    except (AlreadyDecidedError, ConflictError) as error:
                        refused.append(type(error).__name__)
                assert refused == ["AlreadyDecidedError", "ConflictError"], refused

        execution_id: str = done(park)
        ledgers = desk.effects.lines(), desk.calls.lines()
        done(lambda: _cancel(desk, execution_id, "awaiting_approval", "cancelled", at_once=True))
        done(decide)
        assert (desk.effects.lines(), desk.calls.lines()) == ledgers
        assert done(lambda: _check(desk, execution_id)) == ["cancelled"]

    # -------------------------------------------------------------- many, while they are taken up

    def crowd(self) -> Counter[str]:
        """What became of runs that were cancelled while a worker took them up."""
        desk = self._desk("crowd")
        over = self._folder / "over"

        async def queue() -> list[str]:
            async with desk.engine() as engine:
                queued = [engine.agents.execute("long", {"things": [1, 2]}, sync=False) for _ in range(_CROWD)]
                return [result.execution_id for result in await asyncio.gather(*queued)]

        async def work() -> None:
            async def is_over() -> bool:
                return over.exists()

            async with desk.engine() as engine:
                gate.wait()
                await engine.start_worker()
                await until(is_over, "the end of all work")

        async def cancel() -> Counter[str]:
            async with desk.engine() as engine:
                gate.wait()
                await asyncio.gather(*(engine.executions.cancel(id) for id in reversed(ids)))
                for id in ids:
                    await _until_ended(engine, id)
                over.touch()
                return Counter([(await engine.executions.get(id)).status for id in ids])

        ids: list[str] = done(queue)
        gate = Gate()
        worker, canceller = forked(work), forked(cancel)
        gate.arrive()
        statuses = Counter[str](told(canceller))
        told(worker)
        written = Counter(line.split("/")[0] for line in desk.effects.lines())
        assert len(set(desk.effects.lines())) == len(desk.effects.lines())
        ended: list[str] = done(lambda: _check(desk, *ids))
        for id, status in zip(ids, ended, strict=True):
            assert status == "cancelled" or (status, written[id]) == ("completed", 2), (status, written[id])
        return statuses


def _run(desk: Desk, agent: str, data: dict[str, Any]) -> Process:
    async def run() -> str:
        async with desk.engine(lease_s=1.0) as engine:
            result = await engine.agents.execute(agent, data, limits=Limits(max_tool_calls=_ITEMS))
            return result.status if result.status == "cancelled" else f"{result.status}: {result.error}"

    return forked(run)


def _begun(desk: Desk, effects: int, calls: int = 0) -> str:
    """The id of the root that writes to these ledgers, once it has written so much."""

    async def begun() -> str:
        async def has_written() -> bool:
            return len(desk.effects.lines()) >= effects and len(desk.calls.lines()) >= calls

        await until(has_written, "the run has begun")
        async with desk.engine() as engine:
            found = await engine.executions.get(desk.effects.lines()[0].split("/")[0])
            return found.root_execution_id

    return str(done(begun))


async def _cancel(desk: Desk, execution_id: str, status: str, then: str, *, at_once: bool = False) -> None:
    async with desk.engine() as engine:
        assert (await engine.executions.get(execution_id)).status == status
        cancelled = await engine.executions.cancel(execution_id)
        assert cancelled.status == (then if at_once else status), cancelled
        await _until_ended(engine, execution_id)


async def _check(desk: Desk, *execution_ids: str) -> list[str]:
    """What they have come to; all below them has ended too, and said so once."""
    async with desk.engine() as engine:
        trees = [await engine.executions.tree(id) for id in execution_ids]
        for member in [member for tree in trees for member in members(tree)]:
            assert member.status in EXECUTION_TERMINAL, member
            events = await engine._store.read_events("default", member.id, 0)
            assert [event.seq for event in events] == list(range(1, len(events) + 1)), events
            ends = Counter(event.type for event in events)
            assert ends["done"] + ends["error"] == 1, events
        return [tree.status for tree in trees]


async def _until_ended(engine: AsyncEngine, execution_id: str) -> None:
    async def has_ended() -> bool:
        return (await engine.executions.get(execution_id)).status in EXECUTION_TERMINAL

    await until(has_ended, f"{execution_id} has ended")


async def _has_parked(engine: AsyncEngine, execution_id: str) -> bool:
    return (await engine.executions.get(execution_id)).status == "awaiting_approval"


def main(url: str, folder: str) -> None:
    load_all(Path(folder))
    cancels = Cancels(url, Path(folder) / "cancels")
    cancels.hanging()
    cancels.left_behind()
    cancels.queued()
    cancels.waiting()
    busy = [cancels.busy("long"), cancels.busy("wide"), cancels.busy("top"), cancels.busy("top", 1)]
    print(json.dumps({"busy": busy, "crowd": cancels.crowd()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
