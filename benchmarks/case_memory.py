"""Memory over many runs, and over many cancelled ones."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import fakes
import work
from harness import Goal, Row, Size, rss_mib

from promptrails_engine import AsyncEngine, Engine

WARM = 20_000
"""Runs after which the bounded store in memory is full."""
CROWD = 100


def many_runs(size: Size) -> list[Row]:
    """Growth of the resident memory over 100,000 runs of a default `Engine`."""
    runs, warm = size.pick(100_000, 1_000), size.pick(WARM, 11_000)
    with Engine(providers=[fakes.InstantModel()], model=fakes.MODEL) as engine:
        agent_id = fakes.simple_agent_sync(engine)

        def execute(start: int, count: int) -> None:
            for i in range(start, start + count):
                text = engine.agents.execute(agent_id, fakes.simple_input(i)).text
                assert text == work.simple(i), text

        execute(0, warm)
        before = settled()
        execute(warm, runs)
        after = settled()
        kept = engine.executions.list(limit=1).meta.total
        assert kept <= 10_000, kept
    return [growth(f"memory over {runs:,} runs", before, after)]


async def cancelled_runs(size: Size) -> list[Row]:
    """Growth over 10,000 runs that were stopped: half by `executions.cancel`, half with their caller's task."""
    runs = size.pick(10_000, 400)
    async with AsyncEngine(providers=[fakes.SlowModel(60)], model=fakes.MODEL) as engine:
        agent_id = await fakes.simple_agent(engine)
        await cancel_many(engine, agent_id, size.pick(12_000, 400))
        before = settled()
        await cancel_many(engine, agent_id, runs)
        after = settled()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
    return [growth(f"memory over {runs:,} cancelled runs", before, after)]


async def cancel_many(engine: AsyncEngine, agent_id: str, runs: int) -> None:
    for start in range(0, runs, CROWD):
        streams = [engine.agents.stream(agent_id, fakes.simple_input(start + k)) for k in range(CROWD // 2)]
        firsts = [await anext(stream) for stream in streams]
        callers = [
            asyncio.create_task(engine.agents.execute(agent_id, fakes.simple_input(start + k)))
            for k in range(CROWD // 2, CROWD)
        ]
        await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        for first in firsts:
            await engine.executions.cancel(first.execution_id)
        results = await asyncio.gather(*(stream.result() for stream in streams))
        assert {result.status for result in results} == {"cancelled"}, results
        ends: list[Any] = await asyncio.gather(*callers, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


def settled() -> float | None:
    gc.collect()
    return rss_mib()


def growth(case: str, before: float | None, after: float | None) -> Row:
    if before is None or after is None:
        return Row(case, 0.0, unit="MiB", note="not measured: this system does not tell a process its memory")
    note = f"from {before:.0f} to {after:.0f} MiB"
    return Row(case, after - before, unit="MiB", goal=Goal(most=20, of="ours"), note=note)
