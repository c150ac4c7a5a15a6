"""What the engine writes of runs that go on, beside them, does not get in their way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptrails_engine import (
    AsyncEngine,
    CompositeAgentConfig,
    CompositeStep,
    ToolContext,
    WorkflowAgentConfig,
    WorkflowNode,
    tool,
)
from promptrails_engine.events import Event
from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.store import SqlStore


class HeldUp(SqlStore):
    """Takes its time for the first write of progress, until another execution has ended."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.holds, self.other_has_ended, self.all_written = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.held = ""

    async def write_progress(
        self, row: ExecutionRow, entries: Sequence[JournalEntry], spans: Sequence[Span], events: Sequence[Event]
    ) -> None:
        if row.parent_execution_id is not None and not self.held:
            self.held = row.id
            self.holds.set()
            await self.other_has_ended.wait()
        await super().write_progress(row, entries, spans, events)

    async def finish_execution(self, row: ExecutionRow, *args: Any) -> None:
        await super().finish_execution(row, *args)
        if row.id != self.held:
            self.other_has_ended.set()

    async def cancel_requests(self, owner: str) -> list[str]:
        if self.other_has_ended.is_set():  # the next round, and so the one before is over
            self.all_written.set()
        return await super().cancel_requests(owner)


async def test_what_ends_while_others_are_written_is_not_taken_for_lost(tmp_path: Path) -> None:
    store = HeldUp(tmp_path / "app.db")

    @tool(effect="pure")
    async def look(ctx: ToolContext) -> str:
        """Wait until one of the runs is being written; that one waits for the end of the other."""
        await store.holds.wait()
        if ctx.execution_id == store.held:
            await store.other_has_ended.wait()
        return "seen"

    @tool(effect="pure")
    async def wait() -> str:
        """Wait until all have been written."""
        await store.all_written.wait()
        return "written"

    async with AsyncEngine(store, tools=[look, wait], background=0, lease_s=1.0) as engine:
        ids: list[str] = []
        for name in ("look", "wait"):
            config = WorkflowAgentConfig([WorkflowNode("only", node_type="tool", tool=name)])
            ids.append((await engine.agents.create(name, config=config, tools=[name])).id)
        looks, waits = ids
        steps = [CompositeStep("one", looks), CompositeStep("two", looks), CompositeStep("last", waits, ["one", "two"])]
        await engine.agents.create("All", config=CompositeAgentConfig(steps))
        result = await engine.agents.stream("All", {}).result()
        assert result.status == "completed"
