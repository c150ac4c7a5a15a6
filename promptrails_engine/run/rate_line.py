"""Who waits for a model: agents take turns, and within an agent the first to come is the first to go."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiter(Generic[T]):
    """One call that waits: its `turn`, the agent on whose behalf, and the tokens that it takes."""

    __slots__ = ("agent", "tokens", "turn")

    def __init__(self, agent: str, tokens: int, turn: asyncio.Future[T]) -> None:
        self.agent = agent
        self.tokens = tokens
        self.turn = turn


class Line(Generic[T]):
    """A line in fair order.  Leaving it takes no time, wherever one stands."""

    __slots__ = ("_agents",)

    def __init__(self) -> None:
        self._agents: OrderedDict[str, OrderedDict[Waiter[T], None]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._agents)

    def join(self, waiter: Waiter[T]) -> None:
        self._agents.setdefault(waiter.agent, OrderedDict())[waiter] = None

    def first(self) -> Waiter[T] | None:
        """Whose turn it is."""
        for waiters in self._agents.values():
            return next(iter(waiters))
        return None

    def serve(self, waiter: Waiter[T]) -> None:
        """Take the first one out; its agent is the last now."""
        self.leave(waiter)
        if waiter.agent in self._agents:
            self._agents.move_to_end(waiter.agent)

    def leave(self, waiter: Waiter[T]) -> None:
        """Take one out, if it is there."""
        waiters = self._agents.get(waiter.agent)
        if waiters is not None and waiter in waiters:
            del waiters[waiter]
            if not waiters:
                del self._agents[waiter.agent]

    def clear(self) -> list[Waiter[T]]:
        """Take all out."""
        everyone = [waiter for waiters in self._agents.values() for waiter in waiters]
        self._agents.clear()
        return everyone
