"""One process runs agents until they wait for approval, a second one decides and listens, a third one ends the runs.

Run as a program, with the URL of a store and a folder.  It prints how often that went well, of each kind.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from promptrails_engine import AsyncEngine
from promptrails_engine.ports.store import SpanFilter
from promptrails_engine.results import AgentExecution
from tests.durability.desk import CALL_USD, CALLS, EFFECTS, KINDS, USAGE, Desk, make_agents
from tests.durability.forks import Gate, done, forked, told

_ALL = 10_000


class Handover:
    """Of one run."""

    def __init__(self, url: str, folder: Path, kind: str) -> None:
        self.desk = Desk(url, folder)
        self.kind = kind

    def carried_out(self) -> None:
        execution_id, heard = done(self._first)
        calls, words = self.desk.calls.lines(), self.desk.words()
        assert len(calls) > 0, calls
        decided = Gate()
        second = forked(lambda: self._second(execution_id, heard[-1], decided))
        decided.wait()
        assert self.desk.calls.lines() == calls, "deciding runs nothing"
        assert self.desk.words() == words
        done(lambda: self._third(execution_id))
        heard += told(second)
        done(lambda: self._checked(execution_id, heard))

    # -------------------------------------------------------------- the processes

    async def _first(self) -> tuple[str, list[int]]:
        """Runs the agent, and hears its events until it waits."""
        async with self.desk.engine() as engine:
            stream = engine.agents.stream(self.kind, {"text": "hello"})
            events = [event async for event in stream]
            result = await stream.result()
            assert result.status == "awaiting_approval", result
            assert "approval_required" in [event.type for event in events], events
            return result.execution_id, [event.seq for event in events]

    async def _second(self, execution_id: str, after: int, decided: Gate) -> list[int]:
        """Decides, and hears what somebody else goes on to do."""
        async with self.desk.engine() as engine:
            [request] = await engine.approvals.list(status="pending", root_execution_id=execution_id)
            await engine.approvals.decide(request.id, "approved", decided_by="ann", resume=False)
            assert (await engine.executions.get(execution_id)).status == "pending"
            decided.arrive()
            return [event.seq async for event in engine.executions.stream(execution_id, after=after)]

    async def _third(self, execution_id: str) -> None:
        """Ends the run."""
        async with self.desk.engine() as engine:
            result = await engine.executions.resume(execution_id)
            assert result.status == "completed", result

    # -------------------------------------------------------------- what came of it

    async def _checked(self, execution_id: str, heard: list[int]) -> None:
        async with self.desk.engine() as engine:
            tree = await engine.executions.tree(execution_id)
            members = _members(tree)
            assert [member.status for member in members] == ["completed"] * len(members), tree
            self._check_ledgers()
            for member in members:
                await _check_events(engine, member.id)
            last = await engine._store.read_events("default", execution_id, 0)
            assert heard == [event.seq for event in last], (heard, last)
            await self._check_trace(engine, tree)
            self._check_costs(tree)

    def _check_ledgers(self) -> None:
        assert self.desk.words() == EFFECTS[self.kind], self.desk.effects.lines()
        calls = Counter(self.desk.calls.lines())
        assert set(calls.values()) == {1}, calls
        assert len(calls) == CALLS[self.kind], calls

    async def _check_trace(self, engine: AsyncEngine, tree: AgentExecution) -> None:
        spans, total = await engine._store.list_spans(
            "default", SpanFilter(trace_id=tree.trace_id), offset=0, limit=_ALL
        )
        everywhere, _ = await engine._store.list_spans("default", SpanFilter(), offset=0, limit=_ALL)
        ours = {member.id for member in _members(tree)}
        assert {span.trace.trace_id for span in everywhere if span.trace.execution_id in ours} == {tree.trace_id}
        ids = Counter(span.span_id for span in spans)
        assert len(ids) == total, [id for id, count in ids.items() if count > 1]
        roots = [span for span in spans if not span.parent_span_id]
        assert len(roots) == 1, roots
        orphans = [span.name for span in spans if span.parent_span_id and span.parent_span_id not in ids]
        assert not orphans, orphans
        assert all(span.ended_at is not None and span.status == "ok" for span in spans), spans
        models = [span for span in spans if span.kind == "llm"]
        assert len(models) == CALLS[self.kind], [span.attributes for span in models]
        assert sum(span.total_tokens or 0 for span in models) == tree.token_usage["total_tokens"]
        tools = [span for span in spans if span.kind == "tool"]
        assert sorted(span.attributes["parameters"]["what"] for span in tools) == EFFECTS[self.kind]

    def _check_costs(self, tree: AgentExecution) -> None:
        calls = CALLS[self.kind]
        assert tree.token_usage == {name: count * calls for name, count in USAGE.to_dict().items()}, tree.token_usage
        assert tree.cost is not None
        assert abs(tree.cost - calls * CALL_USD) < 1e-9, tree.cost


async def _check_events(engine: AsyncEngine, execution_id: str) -> None:
    events = await engine._store.read_events("default", execution_id, 0)
    assert [event.seq for event in events] == list(range(1, len(events) + 1)), events
    types = [event.type for event in events]
    assert (types[0], types[-1]) == ("execution", "done"), types
    counts = Counter(types)
    assert (counts["execution"], counts["done"], counts["error"], counts["restart"]) == (1, 1, 0, 0), types
    assert counts["tool_start"] == counts["tool_end"], types
    assert counts["approval_required"] <= 1, types


def _members(tree: AgentExecution) -> list[AgentExecution]:
    return [tree, *(member for child in tree.children for member in _members(child))]


async def set_up(desk: Desk) -> None:
    async with desk.engine() as engine:
        await make_agents(engine)


def load_all(folder: Path) -> None:
    """Have every module in memory before the first fork."""
    desk = Desk(f"sqlite:///{folder}/warm.db", folder / "warm")

    async def work() -> None:
        await set_up(desk)
        async with desk.engine() as engine:
            result = await engine.agents.execute("node", {})
            [request] = await engine.approvals.list(execution_id=result.execution_id)
            await engine.approvals.decide(request.id, "approved", resume=False)
            await engine.executions.resume(result.execution_id)

    asyncio.run(work())


def main(url: str, folder: str, times: str = "1") -> None:
    load_all(Path(folder))
    done(lambda: set_up(Desk(url, Path(folder))))
    well: dict[str, Any] = Counter()
    for kind in KINDS:
        for number in range(int(times)):
            Handover(url, Path(folder) / f"{kind}{number}", kind).carried_out()
            well[kind] += 1
    print(json.dumps(well))


if __name__ == "__main__":
    main(*sys.argv[1:])
