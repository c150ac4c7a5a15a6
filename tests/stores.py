"""Stores for tests: with something that happens before and after their writes of runs."""

from __future__ import annotations

import asyncio
from typing import Any

from promptrails_engine.store import MemoryStore


def _between(name: str) -> Any:
    async def write(self: Any, *args: Any, **kwargs: Any) -> Any:
        await self.before(name, *args)
        result = await getattr(super(AroundWrites, self), name)(*args, **kwargs)
        await self.after(name, result, *args)
        return result

    return write


class AroundWrites:
    """Mixed into a store: says what happens at its writes, by the name of their method."""

    async def before(self, write: str, *args: Any) -> None:
        pass

    async def after(self, write: str, result: Any, *args: Any) -> None:
        pass

    begin_execution = _between("begin_execution")
    write_progress = _between("write_progress")
    suspend_execution = _between("suspend_execution")
    finish_execution = _between("finish_execution")
    claim_executions = _between("claim_executions")
    renew_lease = _between("renew_lease")
    end_lease = _between("end_lease")


class SlowToFinish(AroundWrites, MemoryStore):
    """Writes the end of a run only once `gate` is open."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()

    async def before(self, write: str, *args: Any) -> None:
        if write == "finish_execution":
            self.arrived.set()
            await self.gate.wait()
