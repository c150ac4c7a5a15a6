"""A process that sleeps past its lease while another takes its run over: what it may still do is nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import FencedError, SimpleAgentConfig, WorkflowAgentConfig, WorkflowNode
from promptrails_engine.store.sql.store import SqlStore
from tests.durability.forks import until
from tests.engine.crash_kit import engine_on


class Held:
    """Answers once it may."""

    def __init__(self) -> None:
        self.asked, self.may = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: Any) -> str:
        self.asked.set()
        await self.may.wait()
        return "said"


async def lapse(path: Path, engine: Any) -> None:
    """Have the engine's lease lapse, as its process would find it after a long sleep."""
    runner = engine._parts.runner
    lease = runner.lease
    runner._tending.cancel()  # it sleeps
    other = SqlStore(str(path))
    await other.open()
    await other.end_lease(lease.owner)
    await other.close()
    lease._renewed = float("-inf")


async def test_a_child_is_not_begun_by_who_has_lost_the_run(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    sleeper, heir = Held(), Held()
    async with engine_on(path, sleeper) as first, engine_on(path, heir) as second:
        for name in ("before", "below"):
            await first.prompts.create(name, user_prompt="Say")
        small = await first.agents.create("small", config=SimpleAgentConfig("below"))
        nodes = [
            WorkflowNode("before", prompt_id="before"),
            WorkflowNode("below", ["before"], node_type="agent", agent_id=small.id),
        ]
        agent = await first.agents.create("work", config=WorkflowAgentConfig(nodes))
        running = asyncio.ensure_future(first.agents.execute(agent.id, {}))
        await sleeper.asked.wait()

        async def is_on_record() -> bool:
            return bool((await second.executions.list()).meta.total)

        await until(is_on_record, "the run is on record, for which a plain call does not wait")
        await lapse(path, first)
        [root] = (await second.recover()).resumed
        await heir.asked.wait()  # it has the run, and is not yet where the child begins
        sleeper.may.set()
        with pytest.raises(FencedError):
            await running
        assert (await second.executions.list(parent_execution_id=root)).meta.total == 0
        heir.may.set()
        result = await second.executions.stream(root).result()
        assert result.status == "completed", result.error
        assert [child.status for child in await second.executions.list(parent_execution_id=root)] == ["completed"]
