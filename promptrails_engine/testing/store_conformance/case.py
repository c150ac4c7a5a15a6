"""What the store's tests stand on."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from promptrails_engine.ports.store import Store

E = TypeVar("E", bound=BaseException)


class StoreCase(ABC):
    """Opens a store for each test, and closes it."""

    timeout_s: float = 60.0
    """Of each test."""

    @abstractmethod
    def make(self) -> Store:
        """A store, not yet open.  It may hold rows of other workspaces."""

    def run(self, body: Callable[[Store], Awaitable[Any]]) -> None:
        """Run the body with an open store, in an event loop of its own."""

        async def scenario() -> None:
            store = self.make()
            await store.open()
            try:
                await asyncio.wait_for(body(store), self.timeout_s)
            finally:
                await store.close()

        asyncio.run(scenario())

    @asynccontextmanager
    async def beside(self, store: Store) -> AsyncGenerator[Store, None]:
        """A store as another process has it: a second one of the same rows, where it is shared."""
        if not store.shared:
            yield store
            return
        other = self.make()
        await other.open()
        try:
            yield other
        finally:
            await other.close()


async def refused(error: type[E], call: Awaitable[Any]) -> E:
    """The error with which the call was refused."""
    try:
        await call
    except error as raised:
        return raised
    raise AssertionError(f"{error.__name__} was not raised")
