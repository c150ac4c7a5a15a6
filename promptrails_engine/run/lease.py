"""The lease of one engine: while it is renewed, no other process takes over what this one runs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from promptrails_engine.errors import FencedError
from promptrails_engine.ports.store import ExecutionRow, Store

LEASE_S = 30.0
_RENEWED = 1 / 3
"""The part of a lease after which it is renewed."""
_SURE = 0.8
"""The part of a lease, since its renewal, in which nobody can have taken over."""


class Lease:
    """Held by an engine for all its runs, and renewed while there are any.

    Whether it still holds is judged by this process's own monotonic clock, which no other clock can disturb.
    """

    def __init__(self, store: Store, monotonic: Callable[[], float], made: str, seconds: float) -> None:
        self.pid = os.getpid()
        self.owner = f"{socket.gethostname()[:60]}:{self.pid}:{made}"
        self._store = store
        self._monotonic = monotonic
        self._seconds = seconds
        self._renewed: float | None = None
        self.lapses = 0
        """How often it was renewed when it may have lapsed."""
        self._renewing: asyncio.Lock | None = None

    @property
    def is_sure(self) -> bool:
        """Whether it cannot have lapsed."""
        return self._renewed is not None and self._monotonic() - self._renewed < self._seconds * _SURE

    async def hold(self) -> None:
        """Renew it if it is not sure.

        Raises:
            StoreError: it cannot be renewed.
        """
        if self.is_sure:
            return
        self._renewing = self._renewing or asyncio.Lock()
        async with self._renewing:
            if not self.is_sure:
                await self.renew()

    async def renew(self) -> None:
        """Renew it now."""
        asked = self._monotonic()  # it counts from here: the answer may take its time
        await self._store.renew_lease(self.owner, self._seconds)
        self.lapses += not self.is_sure
        self._renewed = asked

    async def check(self, row: ExecutionRow, lapses: int) -> None:
        """Return if the execution is still this owner's; `lapses` is how often the lease had lapsed when it was.

        Raises:
            FencedError: somebody has taken it over.
        """
        if self.is_sure and self.lapses == lapses:
            return
        found = await self._store.get_execution(row.workspace_id, row.id)
        if found is None or found.owner != row.owner:
            raise FencedError("the execution was taken over by another process; look at its record")

    @property
    def is_due(self) -> bool:
        """Whether it is time to renew it."""
        return self._renewed is None or self._monotonic() - self._renewed >= self._seconds * _RENEWED

    async def end(self) -> None:
        """Let others take over at once what is left."""
        if self._renewed is not None:
            self._renewed = None
            await self._store.end_lease(self.owner)
