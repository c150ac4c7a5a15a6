"""Writes that fall into one group, or are repeated, at will."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from promptrails_engine.store import SqlStore


class Gate:
    """Holds up the writer's thread, so that what is asked for meanwhile becomes one group."""

    def __init__(self, store: SqlStore) -> None:
        assert store._session is not None
        self.committer = store._session._committer
        self.groups: list[int] = []
        self.repeats = False
        """Whether each transaction is run once more, as after an outcome that stayed unknown."""
        self._open = threading.Event()
        self._open.set()
        self._transaction = self.committer._transaction
        self.committer._transaction = self._held  # type: ignore[method-assign]  # on this object alone

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def _held(self, writes: list[Any], *, again: bool, apart: bool = False) -> Any:
        assert self._open.wait(30)
        self.groups.append(len(writes))
        outcomes = self._transaction(writes, again=again, apart=apart)
        return self._transaction(writes, again=True, apart=apart) if self.repeats else outcomes


async def grouped(gate: Gate, *calls: Any) -> list[Any]:
    """The results of calls that fell into one group."""
    gate.close()
    first = asyncio.create_task(calls[0])
    await asyncio.sleep(0.05)
    rest = [asyncio.create_task(call) for call in calls[1:]]
    await asyncio.sleep(0.05)
    gate.open()
    return await asyncio.gather(first, *rest, return_exceptions=True)
