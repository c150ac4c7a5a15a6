"""What it costs that a run can go on elsewhere: its journal, waiting for approval, and taking up what is queued."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import fakes
from case_store import AT_ONCE, committed, pragmas, side_by_side
from harness import Contender, Goal, Row, Size, in_turns

from promptrails_engine import AsyncEngine, ChainAgentConfig, PromptLink, SimpleAgentConfig, tool
from promptrails_engine.ports.store import Store
from promptrails_engine.store import open_store

STEPS = 10
"""Of a chain; each asks the model, has an effect, and asks the model again."""
PENDING = 10_000
CLAIM = 8
AGENTS = 3
TOTAL = "{{ previous_output | replace('total ', '') }}"


@tool
async def add(a: int, b: int) -> int:
    """The sum of two integers, as if it were sent somewhere: put on record before and after."""
    return a + b


def added(i: int) -> str:
    return f"total {i + STEPS}"


async def effect_steps(size: Size) -> list[Row]:
    """The steps of one run after another, and of 64 at once, beside commits of one row each."""
    figures: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = pragmas(Path(folder) / "settings.db")
        store = (Path(folder) / "ours.db").as_posix()
        async with AsyncEngine(store, providers=[fakes.ToolModel()], model=fakes.MODEL, tools=[add]) as engine:
            once = await chain(engine)
            floor = Contender("floor", committed(Path(folder) / "floor.db", settings), lambda i: 1)
            ours = Contender("ours", once, added)
            await in_turns([floor, ours], size, warm=10)
            done = ours.next
            runs = size.pick(512, AT_ONCE)
            for _ in range(size.pick(7, 1)):
                done = await side_by_side(once, done, runs, figures, added)
            kept = await engine.executions.list(limit=1, status="completed")
            assert kept.meta.total == done, (kept.meta.total, done)
    wall, cpu = (statistics.median(figure[place] for figure in figures) * 1e6 / STEPS for place in (0, 1))
    note = "the floor: a commit of one row"
    return [
        Row("step with an effect, full, wall time", ours.wall_us() / STEPS, floor.wall_us(), goal=Goal(2), note=note),
        Row("step with an effect, full, CPU", ours.cpu_us() / STEPS, floor.cpu_us(), goal=Goal(2), note=note),
        Row("the same, 64 runs at once, wall time", wall, floor.wall_us(), goal=Goal(1), note=note),
        Row("the same, 64 runs at once, CPU", cpu, floor.cpu_us(), goal=Goal(1), note=note),
    ]


async def chain(engine: AsyncEngine) -> Callable[[int], Awaitable[str]]:
    links: list[PromptLink] = []
    for place in range(STEPS):
        source = TOTAL if place else "{{ number }}"
        prompt = await engine.prompts.create(f"step {place}", user_prompt=source)
        links.append(PromptLink(prompt.id, f"step{place}", place))
    agent = await engine.agents.create("chain", config=ChainAgentConfig(links), tools=["add"])

    async def once(i: int) -> str:
        return (await engine.agents.execute(agent.id, {"number": i})).text

    return once


async def parked(size: Size) -> list[Row]:
    """A run that waits, is approved and goes on; beside the same run that asks nobody."""
    with tempfile.TemporaryDirectory() as folder:
        store = (Path(folder) / "ours.db").as_posix()
        async with AsyncEngine(store, providers=[fakes.InstantModel()], model=fakes.MODEL) as engine:
            plain, asks = [await simple(engine, approval_required=asked) for asked in (False, True)]

            async def straight(i: int) -> str:
                return (await engine.agents.execute(plain, {"number": i})).text

            async def approved(i: int) -> str:
                waits = await engine.agents.execute(asks, {"number": i})
                [request] = await engine.approvals.list(execution_id=waits.execution_id)
                await engine.approvals.decide(request.id, "approved", resume=False)
                return (await engine.executions.resume(waits.execution_id)).text

            floor = Contender("floor", straight, lambda i: f"<{i}>")
            ours = Contender("ours", approved, lambda i: f"<{i}>")
            await in_turns([floor, ours], size, warm=10)
    note = "parked, found, approved and resumed; the floor: the same run straight through"
    return [
        Row("run that waits for approval, wall time", ours.wall_us(), floor.wall_us(), note=note),
        Row("run that waits for approval, CPU", ours.cpu_us(), floor.cpu_us(), note=note),
    ]


async def simple(engine: AsyncEngine, *, approval_required: bool) -> str:
    name = "asks" if approval_required else "plain"
    prompt = await engine.prompts.create(name, user_prompt="{{ number }}")
    config = SimpleAgentConfig(prompt.id, approval_required=approval_required)
    return (await engine.agents.create(name, config=config)).id


async def claimed(size: Size) -> list[Row]:
    """Taking up eight of many queued runs of three agents."""
    pending = size.pick(PENDING, 500)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store((Path(folder) / "ours.db").as_posix(), "full")
        async with AsyncEngine(store, providers=[fakes.InstantModel()], model=fakes.MODEL, background=0) as engine:
            await queue(engine, pending)
            ours = Contender("ours", claims(store), lambda i: CLAIM)
            await in_turns([ours], size, warm=3, most=10)
    note = f"{pending - ours.next * CLAIM:,} to {pending:,} are waiting"
    return [
        Row(f"claim of {CLAIM} queued runs, wall time", ours.wall_us(), note=note),
        Row(f"claim of {CLAIM} queued runs, CPU", ours.cpu_us(), note=note),
    ]


async def queue(engine: AsyncEngine, runs: int) -> None:
    prompt = await engine.prompts.create("plain", user_prompt="{{ number }}")
    for number in range(AGENTS):
        await engine.agents.create(f"agent {number}", config=SimpleAgentConfig(prompt.id))

    async def once(i: int) -> str:
        return (await engine.agents.execute(f"agent {i % AGENTS}", {"number": i}, sync=False)).status

    await side_by_side(once, 0, runs, [], lambda i: "pending")


def claims(store: Store) -> Callable[[int], Awaitable[int]]:
    async def once(i: int) -> int:
        found = await store.claim_executions("default", "a worker", limit=CLAIM, lapsed=False)
        return len(found.rows)

    return once
