"""Engines that stop as if their process had died: what they have written stays, and they write no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from promptrails_engine import AsyncEngine, ExecutionResult, FencedError, StoreError
from promptrails_engine.store.sql.store import SqlStore
from promptrails_engine.testing import ScriptedProvider
from tests.stores import AroundWrites


class MortalStore(AroundWrites, SqlStore):
    """Refuses to be written to once it is dead."""

    dead = False

    async def before(self, write: str, *args: Any) -> None:
        if self.dead:
            raise StoreError("the process of this store has died")


class Script:
    """Replies by a function of the request; the call with the number `die_at` is never answered."""

    def __init__(self, replies: Any, die_at: int = 0) -> None:
        self._replies = replies
        self._die_at = die_at
        self.calls = 0
        self.dying = asyncio.Event()

    async def __call__(self, request: Any) -> Any:
        self.calls += 1
        if self.calls == self._die_at:
            self.dying.set()
            await asyncio.Event().wait()
        return self._replies(request)


def engine_on(path: Path | MortalStore, replies: Any, **more: Any) -> AsyncEngine:
    """An engine that takes up nothing by itself."""
    store = path if isinstance(path, MortalStore) else str(path)
    provider = replies if isinstance(replies, ScriptedProvider) else ScriptedProvider(replies)
    return AsyncEngine(store, **{"providers": [provider], "model": "scripted/m", "background": 0, **more})


@asynccontextmanager
async def mortal(path: Path, replies: Any, **more: Any) -> AsyncIterator[AsyncEngine]:
    """An engine that `die` may stop."""
    engine = engine_on(MortalStore(str(path)), replies, **more)
    try:
        yield engine
    finally:
        await engine.aclose(grace_s=0)


async def die(engine: AsyncEngine, path: Path) -> None:
    """Stop an engine as if its process had died, and its lease had lapsed; what it had sent to the store is there."""
    runner, store = engine._parts.runner, engine._store
    assert isinstance(store, MortalStore)
    assert runner.lease is not None
    for ctx in list(runner._live.values()):
        await ctx.journal.settle()
    store.dead = True
    await engine.aclose(grace_s=0)
    other = SqlStore(str(path))
    await other.open()
    await other.end_lease(runner.lease.owner)
    await other.close()


async def flushed(engine: AsyncEngine) -> None:
    """Have all that was said so far written, as it is every so often."""
    for ctx in list(engine._parts.runner._live.values()):
        with suppress(FencedError):  # of a child that is just ending
            await ctx.journal.flush()


async def recovered(engine: AsyncEngine, execution_id: str, written: Iterable[str] = ()) -> ExecutionResult:
    """The end of an execution that the engine takes over; effects in doubt have happened if they are `written`."""
    recovery = await engine.recover()
    assert [*recovery.resumed, *recovery.in_doubt] == [execution_id]
    for doubt in await engine.executions.doubts(execution_id):
        line = f"{doubt.tool} {doubt.arguments['what']}"
        decision: Any = ("value", line.replace(" ", " did ", 1)) if line in written else ("retry", None)
        await engine.executions.resolve(doubt.execution_id, doubt.step, *decision)
    return await engine.executions.stream(execution_id).result()
