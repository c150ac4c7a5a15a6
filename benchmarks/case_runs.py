"""Runs: simple, chain, tools, the sync face, and a thousand at once."""

from __future__ import annotations

import asyncio
import gc
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import fakes
import floors
import work
from harness import Contender, Goal, Row, Size, cpu_row, in_turns, in_turns_sync

from promptrails_engine import AsyncEngine, Engine

FILL = 11_000
"""Runs before the first batch: the store in memory keeps 10,000, and from then on drops one for each that ends."""


def executed(engine: AsyncEngine, agent_id: str, data: Callable[[int], dict[str, Any]]) -> Callable[[int], Any]:
    """`once` of a run; it returns the text."""
    execute = engine.agents.execute

    async def once(i: int) -> str:
        return (await execute(agent_id, data(i))).text

    return once


async def filled(once: Callable[[int], Awaitable[Any]], size: Size) -> None:
    """Bring the store in memory to the state in which a long-lived process has it."""
    for i in range(size.pick(FILL, 200)):
        await once(i)


async def simple(size: Size) -> list[Row]:
    async with AsyncEngine(providers=[fakes.InstantModel()], model=fakes.MODEL) as engine:
        ours = Contender("ours", executed(engine, await fakes.simple_agent(engine), fakes.simple_input), work.simple)
        floor = Contender("floor", floors.simple(), work.simple)
        await filled(ours.once, size)
        await in_turns([floor, ours], size)
        await proved(engine)
    return [cpu_row("simple run", floor, ours, Goal(3.5))]


async def proved(engine: AsyncEngine) -> None:
    """The last run left a version lock, events and spans: what is measured is the whole of it."""
    [run] = (await engine.executions.list(limit=1)).data
    assert run.version_lock["prompts"], run
    assert run.token_usage == {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}, run
    spans = (await engine.traces.list(execution_id=run.id)).data
    assert {"agent", "prompt", "llm"} <= {span.kind for span in spans}, spans
    events = [event.type async for event in engine.executions.stream(run.id)]
    assert events == ["execution", "content", "done"], events


async def agent_schema(size: Size) -> list[Row]:
    async with AsyncEngine(providers=[fakes.InstantModel()], model=fakes.MODEL) as engine:
        agent_id = await fakes.simple_agent(engine, agent_schema=True)
        ours = Contender("ours", executed(engine, agent_id, fakes.simple_input), work.simple)
        floor = Contender("floor", floors.simple(), work.simple)
        await filled(ours.once, size)
        await in_turns([floor, ours], size)
    return [cpu_row("simple run, input schema on the agent", floor, ours)]


async def chain(size: Size) -> list[Row]:
    async with AsyncEngine(providers=[fakes.InstantModel()], model=fakes.MODEL) as engine:
        agent_id = await fakes.chain_agent(engine)
        ours = Contender("ours", executed(engine, agent_id, lambda i: {"text": work.question(i)}), work.chain)
        floor = Contender("floor", floors.chain(), work.chain)
        await filled(ours.once, size)
        await in_turns([floor, ours], size)
    return [cpu_row("chain of three", floor, ours, Goal(3))]


async def parallel(size: Size) -> list[Row]:
    """A multi_agent of four prompts."""
    async with AsyncEngine(providers=[fakes.InstantModel()], model=fakes.MODEL) as engine:
        agent_id, execute = await fakes.parallel_agent(engine), engine.agents.execute

        async def once(i: int) -> dict[str, str]:
            output = (await execute(agent_id, {"text": work.question(i)})).output or {}
            return {role: part["content"] for role, part in output.items()}

        ours = Contender("ours", once, work.parallel)
        floor = Contender("floor", floors.parallel(), work.parallel)
        await filled(ours.once, size)
        await in_turns([floor, ours], size)
    return [cpu_row("parallel of four", floor, ours, Goal(3))]


async def tool_round(size: Size) -> list[Row]:
    rows = []
    for case, function, goal in (
        ("tool round", fakes.add, Goal(4)),
        ("tool round, plain def", fakes.add_in_thread, None),
    ):
        async with AsyncEngine(providers=[fakes.ToolModel()], tools=[function], model=fakes.MODEL) as engine:
            agent_id = await fakes.tool_agent(engine)
            ours = Contender("ours", executed(engine, agent_id, lambda i: {"number": i}), work.tool_round)
            floor = Contender("floor", floors.tool_round(), work.tool_round)
            await filled(ours.once, size)
            await in_turns([floor, ours], size)
            rows.append(cpu_row(case, floor, ours, goal, note="" if goal else "ours runs the tool on a thread"))
    return rows


# ------------------------------------------------------------------ the sync face


def sync_call(size: Size) -> list[Row]:
    """What `Engine` costs on top of `AsyncEngine`, against the bare hop to a loop of another thread and back."""
    with asyncio.Runner() as runner, Engine(providers=[fakes.InstantModel()], model=fakes.MODEL) as engine:
        inner = AsyncEngine(providers=[fakes.InstantModel()], model=fakes.MODEL)
        async_id = runner.run(fakes.simple_agent(inner))
        agent_id = fakes.simple_agent_sync(engine)
        loop, stop = loop_in_thread()
        hop = Contender("hop", lambda i: asyncio.run_coroutine_threadsafe(echo(i), loop).result(), lambda i: i)
        ours = Contender("sync", lambda i: engine.agents.execute(agent_id, fakes.simple_input(i)).text, work.simple)
        bare = Contender("async", executed(inner, async_id, fakes.simple_input), work.simple)
        for i in range(size.pick(FILL, 200)):
            ours.once(i)
        runner.run(filled(bare.once, size))
        one = Size(quick=size.quick)
        for _ in range(size.pick(3, 1)):
            in_turns_sync([hop, ours], one)
            runner.run(in_turns([bare], one))
        stop()
        runner.run(inner.aclose())
    added = ours.cpu_us() - bare.cpu_us()
    note = f"a sync run {ours.cpu_us():.0f} us, an async one {bare.cpu_us():.0f} us"
    return [Row("sync call, on top of async", added, hop.cpu_us(), goal=Goal(2), note=note)]


async def echo(i: int) -> int:
    return i


def loop_in_thread() -> tuple[asyncio.AbstractEventLoop, Callable[[], None]]:
    """A running loop on a thread, and what ends it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def stop() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    return loop, stop


# ------------------------------------------------------------------ a thousand at once


async def concurrent(size: Size) -> list[Row]:
    """1,000 runs at once, each of whose model calls takes 50 ms."""
    count = size.pick(work.CONCURRENT, 100)
    async with AsyncEngine(providers=[fakes.SlowModel()], model=fakes.MODEL) as engine:
        once = executed(engine, await fakes.simple_agent(engine), fakes.simple_input)
        floor_once = floors.simple(floors.slow_model)
        figures: dict[str, list[tuple[float, float]]] = {"floor": [], "ours": []}
        await at_once(once, count)
        for _ in range(size.pick(11, 2)):
            figures["floor"].append(await at_once(floor_once, count))
            figures["ours"].append(await at_once(once, count))
    floor_cpu = median(figures["floor"], 1)
    bound = work.SLEEP_S + floor_cpu
    wall, cpu = median(figures["ours"], 0), median(figures["ours"], 1)
    floor_wall = median(figures["floor"], 0)
    note = f"the floor: 50 ms + {floor_cpu * 1000:.0f} ms of CPU (its own wall time: {floor_wall * 1000:.0f} ms)"
    return [
        Row(f"{count} at once, wall time", wall * 1000, bound * 1000, "ms", Goal(3), note),
        Row(
            f"{count} at once, CPU time",
            cpu * 1000,
            bound * 1000,
            "ms",
            Goal(3),
            f"{cpu / floor_cpu:.1f} times the floor's CPU",
        ),
    ]


async def at_once(once: Callable[[int], Awaitable[Any]], count: int) -> tuple[float, float]:
    """Wall and CPU seconds of so many runs side by side."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    outputs: Sequence[Any] = await asyncio.gather(*(once(i) for i in range(count)))
    figures = time.perf_counter() - wall, time.process_time() - cpu
    assert list(outputs) == [work.simple(i) for i in range(count)]
    return figures


def median(figures: list[tuple[float, float]], place: int) -> float:
    return statistics.median(figure[place] for figure in figures)
