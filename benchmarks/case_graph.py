"""Graphs: the scheduler alone, against a task a node by hand."""

from __future__ import annotations

import asyncio

from harness import Contender, Goal, Row, Size, cpu_row, in_turns

from promptrails_engine.run.graph import compile_graph, run_graph

NODES = 50


def edges() -> list[tuple[str, list[str]]]:
    """Ten layers of five: each node depends on two of the layer above it, every fifth on one."""
    found: list[tuple[str, list[str]]] = []
    for index in range(NODES):
        layer, place = divmod(index, 5)
        above = [] if not layer else [f"n{(layer - 1) * 5 + place}", f"n{(layer - 1) * 5 + (place + 1) % 5}"]
        found.append((f"n{index}", above[: 1 if place == 0 else 2]))
    return found


async def scheduler(size: Size) -> list[Row]:
    graph = compile_graph(edges(), "node")
    done: list[str] = []

    async def node(name: str) -> None:
        done.append(name)

    async def ours_once(i: int) -> int:
        done.clear()
        await run_graph(graph, node)
        return len(done)

    async def floor_once(i: int) -> int:
        done.clear()
        tasks: dict[str, asyncio.Task[None]] = {}

        async def after(name: str) -> None:
            for parent in graph.parents[name]:
                await tasks[parent]
            await node(name)

        for name in graph.order:
            tasks[name] = asyncio.create_task(after(name))
        await asyncio.gather(*tasks.values())
        return len(done)

    ours = Contender("ours", ours_once, lambda i: NODES)
    floor = Contender("floor", floor_once, lambda i: NODES)
    await in_turns([floor, ours], size)
    return [cpu_row(f"graph of {NODES} nodes that do nothing", floor, ours, Goal(3), note="the floor: a task a node")]
