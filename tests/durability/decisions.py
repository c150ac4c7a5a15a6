"""Many processes decide the same requests at the same time, or decide them while they expire.

Run as a program, with the URL of a store, a folder, what to do and how often; it prints what it counted.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import update

from promptrails_engine import AlreadyDecidedError, AsyncEngine, WorkflowAgentConfig, WorkflowNode
from promptrails_engine.ports.journal import ApprovalRow
from promptrails_engine.store.codec import escape
from promptrails_engine.store.sql.clock import NOW
from promptrails_engine.store.sql.store import SqlStore
from promptrails_engine.store.sql.tables import approvals
from tests.durability.desk import Desk
from tests.durability.forks import Gate, done, forked, told, until
from tests.durability.handover import load_all

_DECIDERS = 20
_RACERS = 2
_EXPIRERS = 2
_BATCH = 50
_ALL = 100_000


class CountingStore(SqlStore):
    """Counts the decisions that reach the store."""

    asked = 0

    async def decide_approval(self, *args: Any, **kwargs: Any) -> Any:
        self.asked += 1
        return await super().decide_approval(*args, **kwargs)


async def park(desk: Desk, count: int) -> list[str]:
    """The ids of so many requests, each of a run of its own that waits for it, and then writes to the ledger."""
    nodes = [
        WorkflowNode("asks", node_type="approval", input_mapping={"sum": 100}),
        WorkflowNode("writes", ["asks"], node_type="tool", tool="write", input_mapping={"what": "it"}),
    ]
    async with desk.engine() as engine:
        await engine.agents.create("asks", config=WorkflowAgentConfig(nodes), tools=["write"])
        for start in range(0, count, _BATCH):
            results = await asyncio.gather(
                *(engine.agents.execute("asks", {}) for _ in range(start, min(start + _BATCH, count)))
            )
            assert {result.status for result in results} == {"awaiting_approval"}, results
        return [request.id for request in await _requests(engine)]


async def _requests(engine: AsyncEngine) -> list[ApprovalRow]:
    rows, _ = await engine._store.list_approvals("default", offset=0, limit=_ALL)
    return rows


# -------------------------------------------------------------- of those who decide at once, one wins


def contested(desk: Desk, rounds: int) -> dict[str, Any]:
    """How often more than one decision reached the store, and what else was counted."""
    ids: list[str] = done(lambda: park(desk, rounds))
    gates = [Gate() for _ in ids]

    async def decide(number: int) -> tuple[int, list[list[Any]]]:
        store = CountingStore(desk.url)
        found: list[list[Any]] = []
        name, decision = f"member {number}", "rejected" if number % 2 else "approved"
        async with desk.engine(store) as engine:
            for id, gate in zip(ids, gates, strict=True):
                gate.wait()
                try:
                    made = await engine.approvals.decide(id, decision, decided_by=name, resume=False)  # type: ignore[arg-type]
                    found.append(["won", made.decided_by, made.status])
                except AlreadyDecidedError as error:
                    winner = error.details["decided_by"]
                    found.append(["lost", winner if f"'{winner}'" in error.message else "", error.details["status"]])
        return store.asked, found

    processes = [forked(lambda number=number: decide(number)) for number in range(_DECIDERS)]
    for gate in gates:
        gate.arrive()
    reports = [told(process) for process in processes]
    decided: dict[str, list[str]] = done(lambda: _decided(desk))
    for place, id in enumerate(ids):
        votes = [found[place] for _, found in reports]
        [winner] = [vote for vote in votes if vote[0] == "won"]
        assert [vote[1:] for vote in votes] == [winner[1:]] * _DECIDERS, votes
        assert decided[id] == winner[1:], (decided[id], winner)
    return {"rounds": rounds, "deciders": _DECIDERS, "reached_the_store": sum(asked for asked, _ in reports)}


async def _decided(desk: Desk) -> dict[str, list[str]]:
    async with desk.engine() as engine:
        return {row.id: [row.decided_by, row.status] for row in await _requests(engine)}


# -------------------------------------------------------------- a decision or the expiry, never both


def expiring(desk: Desk, folder: Path, rounds: int) -> dict[str, Any]:
    """How many requests were approved and how many have expired, of those that did both at about the same time."""
    ids: list[str] = done(lambda: park(desk, rounds))
    over = folder / "over"

    async def race(number: int) -> list[str]:
        """Lets requests expire at about the moment at which it decides them; those that it won."""
        won: list[str] = []
        chance = random.Random(number)
        store = SqlStore(desk.url)
        async with desk.engine(store):
            took = 0.005
            for id in ids[number::_RACERS]:
                begun = time.monotonic()
                await _expire_in(store, id, chance.uniform(0, took))
                decided = await store.decide_approval("default", id, "approved", reason="", decided_by="ann")
                took += ((time.monotonic() - begun) - took) / 8
                assert decided is not None
                if decided.won:
                    won.append(id)
                else:
                    assert decided.row.status == "expired", decided
        return won

    async def expire() -> list[str]:
        store = SqlStore(desk.url)
        found: list[str] = []
        async with desk.engine(store):
            while not over.exists():
                found += [row.id for row in await store.expire_approvals("default")]
        return found

    expirers = [forked(expire) for _ in range(_EXPIRERS)]
    racers = [forked(lambda number=number: race(number)) for number in range(_RACERS)]
    won = [id for racer in racers for id in told(racer)]
    over.touch()
    expired = [id for process in expirers for id in told(process)]
    assert len(set(expired)) == len(expired), "told twice that it has expired"
    assert not set(won) & set(expired), "both approved and expired"
    ended: dict[str, list[str]] = done(lambda: _ended(desk))
    for id in ids:
        assert ended[id] == (["approved", "completed", ""] if id in won else ["expired", "failed", "approval_expired"])
    assert len(set(desk.effects.lines())) == len(desk.effects.lines()) == len(won)
    return {"rounds": rounds, "approved": len(won), "expired": rounds - len(won), "by_the_clock": len(expired)}


async def _expire_in(store: SqlStore, id: str, seconds: float) -> None:
    await store._call(
        lambda conn: conn.execute(
            update(approvals).where(approvals.c.id == escape(id)).values(expires_at=NOW + seconds)
        )
    )


async def _ended(desk: Desk) -> dict[str, list[str]]:
    """What became of each request and of its run, once a worker has ended them all."""
    async with desk.engine() as engine:
        await engine.start_worker()

        async def are_over() -> bool:
            return not any([(await engine.executions.list(status=status, limit=1)).meta.total for status in _OPEN])

        await until(are_over, "all runs have ended")
        found: dict[str, list[str]] = {}
        for request in await _requests(engine):
            run = await engine.executions.get(request.execution_id)
            events = await engine._store.read_events("default", run.id, 0)
            ends = Counter(event.type for event in events)
            assert ends["done"] + ends["error"] == 1, events
            assert [event.seq for event in events] == list(range(1, len(events) + 1)), events
            found[request.id] = [request.status, run.status, run.error_code]
        return found


_OPEN = ("pending", "running", "awaiting_approval")


def main(url: str, folder: str, what: str, rounds: str) -> None:
    load_all(Path(folder))
    desk = Desk(url, Path(folder) / "desk")
    counted = contested(desk, int(rounds)) if what == "contested" else expiring(desk, Path(folder), int(rounds))
    print(json.dumps(counted))


if __name__ == "__main__":
    main(*sys.argv[1:])
