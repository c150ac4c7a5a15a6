"""Streams: what a chunk costs from the model to the listener."""

from __future__ import annotations

import fakes
import floors
import work
from case_runs import loop_in_thread
from harness import Contender, Goal, Row, Size, cpu_row, in_turns, in_turns_sync

from promptrails_engine import AsyncEngine, ContentEvent, Engine


async def streamed_chunk(size: Size) -> list[Row]:
    """A thousand chunks; the model waits one turn of the loop before each."""
    async with AsyncEngine(providers=[fakes.ChunkModel()], model=fakes.MODEL) as engine:
        agent_id = await fakes.simple_agent(engine)

        async def once(i: int) -> str:
            stream = engine.agents.stream(agent_id, fakes.simple_input(i))
            return "".join([event.content async for event in stream if isinstance(event, ContentEvent)])

        ours = Contender("ours", once, work.streamed)
        floor = Contender("floor", floors.stream(), work.streamed)
        await in_turns([floor, ours], size, warm=size.pick(20, 3))
    return [cpu_row("streamed chunk", floor, ours, Goal(3), per=work.CHUNKS)]


async def unheard_chunk(size: Size) -> list[Row]:
    """The same with nobody listening: `execute`."""
    async with AsyncEngine(providers=[fakes.ChunkModel()], model=fakes.MODEL) as engine:
        agent_id = await fakes.simple_agent(engine)

        async def once(i: int) -> str:
            return (await engine.agents.execute(agent_id, fakes.simple_input(i))).text

        ours = Contender("ours", once, work.streamed)
        floor = Contender("floor", floors.stream(), work.streamed)
        await in_turns([floor, ours], size, warm=size.pick(20, 3))
    return [cpu_row("chunk of a run that is not streamed", floor, ours, per=work.CHUNKS)]


def sync_chunk(size: Size) -> list[Row]:
    """The same read by a thread other than the loop's."""
    with Engine(providers=[fakes.ChunkModel()], model=fakes.MODEL) as engine:
        agent_id = fakes.simple_agent_sync(engine)

        def once(i: int) -> str:
            stream = engine.agents.stream(agent_id, fakes.simple_input(i))
            return "".join([event.content for event in stream if isinstance(event, ContentEvent)])

        loop, stop = loop_in_thread()
        ours = Contender("ours", once, work.streamed)
        floor = Contender("floor", floors.sync_stream(loop), work.streamed)
        in_turns_sync([floor, ours], size, warm=size.pick(20, 3))
        stop()
    return [
        cpu_row("streamed chunk, sync", floor, ours, per=work.CHUNKS, note="the floor is a queue between two threads")
    ]
