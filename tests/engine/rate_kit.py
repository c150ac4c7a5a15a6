"""A provider with limits, in virtual time: it counts, says what is left, and refuses what is too much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from promptrails_engine import (
    Account,
    AsyncEngine,
    Delta,
    Finish,
    ModelCapabilities,
    ModelRequest,
    RateLimitDelta,
    RateLimitError,
    TextDelta,
    TokenUsage,
    UsageDelta,
)


@dataclass
class Call:
    """One call as the provider saw it."""

    at: float
    text: str
    refused: bool = False
    under_way: int = 0
    """Calls under way when it came, with itself."""


@dataclass
class LimitedModel:
    """Serves `name/...`; what is None is not limited, said or done.

    seconds: that an answer takes, half of them before its first word.
    """

    name: str = "limited"
    requests_a_window: int | None = None
    window_s: float = 60.0
    at_once: int | None = None
    says_left: bool = False
    says_retry_after: bool = False
    seconds: float = 1.0
    tokens: int = 10
    refuses_after_s: float = 0.0
    at_end: Callable[[], object] | None = None
    """Called before the last word of each answer."""
    credential: str | None = "key"
    connections: int | None = 100
    calls: list[Call] = field(default_factory=list[Call])
    under_way: int = 0
    _window_ends: float = 0.0
    _left: int = 0

    def capabilities(self, model: str) -> ModelCapabilities:
        return ModelCapabilities()

    def account(self, model: str) -> Account:
        return Account(self.credential or "", self.connections)

    async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        now = asyncio.get_running_loop().time()
        call = Call(now, request.messages[-1].content)
        self.calls.append(call)
        if self.requests_a_window is not None and now >= self._window_ends:
            self._window_ends, self._left = now + self.window_s, self.requests_a_window
        self.under_way += 1
        call.under_way = self.under_way
        try:
            call.refused = self._refuses()
            if self.says_left:
                yield RateLimitDelta(remaining_requests=max(0, self._left), requests_reset_s=self._window_ends - now)
            if call.refused:
                await asyncio.sleep(self.refuses_after_s)
                raise RateLimitError(
                    "too many", retry_after_s=self._window_ends - now if self.says_retry_after else None
                )
            await asyncio.sleep(self.seconds / 2)
            yield TextDelta("ok")
            await asyncio.sleep(self.seconds / 2)
            if self.at_end is not None:
                self.at_end()
            yield UsageDelta(TokenUsage(self.tokens - 1, 1, self.tokens))
            yield Finish("stop")
        finally:
            self.under_way -= 1

    async def aclose(self) -> None:
        pass

    def _refuses(self) -> bool:
        if self.at_once is not None and self.under_way > self.at_once:
            return True
        if self.requests_a_window is None:
            return False
        self._left -= 1
        return self._left < 0

    @property
    def refusals(self) -> int:
        return sum(call.refused for call in self.calls)

    def most_in(self, seconds: float) -> int:
        """The most calls in any span of so many seconds, its end not counted."""
        times = [call.at for call in self.calls]
        most = first = 0
        for last, at in enumerate(times):
            while times[first] + seconds <= at:
                first += 1
            most = max(most, last - first + 1)
        return most


@asynccontextmanager
async def engine_on(*models: LimitedModel, **options: object):
    async with AsyncEngine(providers=models, model=f"{models[0].name}/m", **options) as engine:  # type: ignore[arg-type]
        yield engine
