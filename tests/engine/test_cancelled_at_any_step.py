"""A run that is cancelled at any step of the event loop keeps all that it has said and done on record."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from promptrails_engine import AsyncEngine, WorkflowAgentConfig, WorkflowNode, tool

STEPS = 40


async def test_no_event_of_a_run_is_lost_wherever_its_caller_gives_up(tmp_path: Path) -> None:
    calls = after = 0
    runs: asyncio.Task[object] | None = None

    def give_up(run: asyncio.Task[object], steps: int) -> None:
        """Cancel the run so many steps of the loop from now, if it is still going on."""
        if steps:
            asyncio.get_running_loop().call_soon(give_up, run, steps - 1)
        else:
            run.cancel()

    @tool
    async def write(what: str) -> str:
        """Write it."""
        nonlocal calls
        calls += 1
        assert runs is not None
        if calls % 2 == 0:
            give_up(runs, after)
        return "wrote it"

    node = WorkflowNode(
        "each", node_type="tool", tool="write", input_mapping={"what": "it"}, map_over="input.things", map_concurrency=1
    )
    async with AsyncEngine(tmp_path / "app.db", tools=[write], background=0) as engine:
        await engine.agents.create("It", config=WorkflowAgentConfig([node]), tools=["write"])
        for steps in range(STEPS):
            calls, after = 0, steps
            runs = asyncio.create_task(engine.agents.execute("It", {"things": [1, 2, 3, 4, 5, 6]}))
            with contextlib.suppress(asyncio.CancelledError):
                await runs
        executions = (await engine.executions.list(limit=100)).data
        roots = [run for run in executions if not run.parent_execution_id]
        assert len(roots) == STEPS
        assert "cancelled" in {run.status for run in roots}
        for run in executions:
            said = [event.seq async for event in engine.executions.stream(run.id)]
            assert said == list(range(1, len(said) + 1)), (run.id, said)
