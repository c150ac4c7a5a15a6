"""Plans that are made once and kept, as many as fit."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from promptrails_engine.run.plan import Plan

K = TypeVar("K", bound=Hashable)


class KeptPlans(Generic[K]):
    """Plans by key; of more than `most` the one that was used longest ago goes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._plans: OrderedDict[K, Plan] = OrderedDict()
        self._making: dict[K, asyncio.Lock] = {}
        self._cleared = 0

    def get(self, key: K) -> Plan | None:
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
        return plan

    async def made(self, key: K, make: Callable[[], Awaitable[Plan]]) -> Plan:
        """The plan that is kept, or one made now; who asks for it meanwhile waits for that one."""
        lock = self._making.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                plan = self.get(key)
                if plan is None:
                    cleared = self._cleared
                    plan = await make()
                    if cleared == self._cleared:  # else something has changed meanwhile, which it may not know of
                        self._keep(key, plan)
                return plan
        finally:
            if self._making.get(key) is lock and not lock.locked():
                del self._making[key]

    def clear(self) -> None:
        """Make all anew, those too that are being made now."""
        self._plans.clear()
        self._cleared += 1

    def _keep(self, key: K, plan: Plan) -> None:
        self._plans[key] = plan
        if len(self._plans) > self._most:
            self._plans.popitem(last=False)
