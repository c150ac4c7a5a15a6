"""`worker`: runs what is queued on a store, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Annotated, Any

import typer

from promptrails_engine.cli.exits import UsageError
from promptrails_engine.cli.inputs import DEFAULT_WORKSPACE, ModelOption, NeededStore, WorkspaceOption, need_existing
from promptrails_engine.cli.output import note
from promptrails_engine.cli.tool_files import ToolsOption, tools_in
from promptrails_engine.engine import AsyncEngine
from promptrails_engine.ports.tool import Tool
from promptrails_engine.secrets import mask

_IN_MEMORY = ("", "memory", "memory://", ":memory:", "sqlite://", "sqlite:///:memory:")
_SAID = {"pending": "let go", "awaiting_approval": "waiting for approval", "in_doubt": "in doubt"}


@dataclass(frozen=True, slots=True)
class _Job:
    """What a worker is to do."""

    store: str
    workspace: str
    model: str | None
    tools: Sequence[Tool]
    concurrency: int
    grace_s: float
    lease_s: float
    until_idle: bool


def worker(
    store: NeededStore,
    tools: ToolsOption = None,
    model: ModelOption = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Run so many at once.")] = 8,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    grace_s: Annotated[
        float, typer.Option("--grace", min=0, metavar="SECONDS", help="Let runs reach their next step for so long.")
    ] = 30.0,
    lease_s: Annotated[
        float, typer.Option("--lease", min=1, metavar="SECONDS", help="When it has died, others wait for so long.")
    ] = 30.0,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="End once there is nothing more to do.")] = False,
) -> None:
    """Run what is queued on a store, and what processes that died leave behind, until SIGTERM or SIGINT.

    Then it takes up nothing more, lets its runs reach their next step within the grace time, and lets go of them:
    another worker goes on with them from there.  A second signal ends it at once, with exit code 130 or 143; what it
    ran is taken over once its lease has lapsed.  Runs that fail are no fault of the worker, which ends with 0.
    """
    if store in _IN_MEMORY:
        raise UsageError(
            "a store in memory belongs to one process: give the SQLite file or database URL that others use"
        )
    need_existing(store)
    asyncio.run(_work(_Job(store, workspace, model, tools_in(tools), concurrency, grace_s, lease_s, until_idle)))


async def _work(job: _Job) -> None:
    with _stop_signal() as stop:
        engine = AsyncEngine(
            job.store,
            model=job.model,
            tools=job.tools,
            workspace_id=job.workspace,
            background=0,
            lease_s=job.lease_s,
        )
        async with engine:
            owner = await engine.start_worker(job.concurrency)
            where = f"store {mask(job.store.partition('?')[0])}, workspace {job.workspace}"
            note(f"worker started: {where}, {job.concurrency} at once, owner {owner}")
            try:
                await _until(engine, stop, idle=job.until_idle)
            finally:
                await engine.aclose(job.grace_s)
                note(f"worker ended: {_summary(engine.tally)}")


async def _until(engine: AsyncEngine, stop: asyncio.Event, *, idle: bool) -> None:
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(stop.wait())]
    if idle:
        waits.append(asyncio.ensure_future(engine.idle()))
    ended, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for one in ended:
        one.result()


def _summary(tally: Mapping[str, int]) -> str:
    """How many runs ended how."""
    return ", ".join(f"{count} {_SAID.get(status, status)}" for status, count in sorted(tally.items())) or "no runs"


@contextmanager
def _stop_signal() -> Generator[asyncio.Event]:
    """An event that the first SIGTERM or SIGINT sets; the second ends the process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def heard(number: int, frame: FrameType | None) -> None:
        if asked:
            os._exit(128 + number)
        asked.append(number)
        loop.call_soon_threadsafe(stop.set)

    # Not the loop's own handlers, which do not come through while something holds the loop.
    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
