"""What an engine has claimed is not lost: not when it is closed meanwhile, nor when the store fails for a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from promptrails_engine import (
    AsyncEngine,
    EngineClosedError,
    SimpleAgentConfig,
    StoreUnavailableError,
    WorkflowAgentConfig,
    WorkflowNode,
    tool,
)
from promptrails_engine.ports.journal import Claims, JournalEntry
from promptrails_engine.store import MemoryStore, SqlStore
from promptrails_engine.testing.scripted import ScriptedProvider


class Slow(SqlStore):
    """Answers a claim only when it may."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.claimed, self.may_answer = asyncio.Event(), asyncio.Event()

    async def claim_executions(self, *args: Any, **options: Any) -> Claims:
        claims = await super().claim_executions(*args, **options)
        if claims.rows:
            self.claimed.set()
            await self.may_answer.wait()
        return claims


class Failing(SqlStore):
    """Fails once between a claim and the run."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(path)
        self._errors = [error]

    async def unanswered(self, workspace_id: str, root_ids: Sequence[str]) -> list[tuple[str, str, JournalEntry]]:
        if self._errors:
            raise self._errors.pop()
        return await super().unanswered(workspace_id, root_ids)


def engine_on(store: Any, **more: Any) -> AsyncEngine:
    return AsyncEngine(store, providers=[ScriptedProvider(lambda request: "Yes.")], model="scripted/m", **more)


async def queue(path: Path, count: int = 1) -> list[str]:
    """Ids of runs that nobody has taken up."""
    async with engine_on(path, background=0) as engine:
        await engine.prompts.create("Ask", user_prompt="?")
        await engine.agents.create("Agent", config=SimpleAgentConfig(prompt_id="Ask"))
        return [(await engine.agents.execute("Agent", {}, sync=False)).execution_id for _ in range(count)]


async def test_a_claim_that_is_under_way_when_the_engine_closes_is_given_back(tmp_path: Path) -> None:
    (execution_id,) = await queue(tmp_path / "app.db")
    store = Slow(tmp_path / "app.db")
    engine = engine_on(store)
    await engine.start_worker()
    await store.claimed.wait()
    closing = asyncio.create_task(engine.aclose())
    await asyncio.sleep(0)
    store.may_answer.set()
    await closing
    async with engine_on(tmp_path / "app.db", background=0) as other:
        assert (await other.executions.get(execution_id)).status == "pending"


@pytest.mark.parametrize("error", [StoreUnavailableError("the store is away"), KeyError("a fault")])
async def test_what_was_claimed_runs_once_the_store_is_there_again(tmp_path: Path, error: Exception) -> None:
    (execution_id,) = await queue(tmp_path / "app.db")
    async with engine_on(Failing(tmp_path / "app.db", error)) as engine:
        await engine.start_worker()
        await engine.idle()
        assert (await engine.executions.get(execution_id)).status == "completed"


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
async def test_a_worker_that_runs_one_at_a_time_takes_turns_between_agents(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = str(tmp_path / "app.db") if kind == "sqlite" else request.getfixturevalue("postgres_url")
    workspace = f"ws_{uuid4().hex}"
    order: list[str] = []

    @tool
    async def note(what: str) -> str:
        """Keep what has been run."""
        order.append(what)
        return "noted"

    store = MemoryStore() if kind == "memory" else SqlStore(url, durability="relaxed")
    async with engine_on(store, background=0, workspace_id=workspace, tools=[note]) as engine:
        for name, count in (("A", 30), ("B", 5), ("C", 5)):
            node = WorkflowNode("only", node_type="tool", tool="note", input_mapping={"what": name})
            await engine.agents.create(name, config=WorkflowAgentConfig([node]), tools=["note"])
            await asyncio.gather(*(engine.agents.execute(name, {}, sync=False) for _ in range(count)))
        await engine.start_worker(concurrency=1)
        await engine.idle()
    assert order == ["A", "B", "C"] * 5 + ["A"] * 25


async def test_an_engine_says_when_there_is_nothing_more_to_do_and_what_it_did(tmp_path: Path) -> None:
    await queue(tmp_path / "app.db", 3)
    async with engine_on(tmp_path / "app.db") as engine:
        assert engine.tally == {}
        name = await engine.start_worker(concurrency=1)
        await asyncio.gather(engine.idle(), engine.idle())
        assert engine.tally == {"completed": 3}
        assert len(name.split(":")) == 3


async def test_an_engine_without_places_is_idle_at_once(tmp_path: Path) -> None:
    await queue(tmp_path / "app.db")
    async with engine_on(tmp_path / "app.db", background=0) as engine:
        await engine.idle()
        assert engine.tally == {}


async def test_nobody_waits_for_an_engine_that_was_closed(tmp_path: Path) -> None:
    await queue(tmp_path / "app.db")
    store = Slow(tmp_path / "app.db")
    engine = engine_on(store)
    await engine.start_worker()
    waits = asyncio.create_task(engine.idle())
    await store.claimed.wait()
    closing = asyncio.create_task(engine.aclose())
    with pytest.raises(EngineClosedError):
        await waits
    store.may_answer.set()
    await closing
    with pytest.raises(EngineClosedError):
        await engine.idle()
