"""A server on loopback, an environment without keys, attempts without waits, and a PostgreSQL server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from promptrails_engine.run import rate_flow, retry
from tests.clocks import put_forward
from tests.providers.loopback import LoopbackServer


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, base URL or proxy of the machine reaches a test."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL", "_API_BASE")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


class Waits(list[float]):
    """Waits between attempts; `after` is called at the end of each."""

    after: Callable[[], None] | None = None


@pytest.fixture
async def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """The waits between attempts, over which the clock is put forward."""
    seen = Waits()
    move = put_forward(asyncio.get_running_loop())

    async def sleep(seconds: float) -> None:
        seen.append(seconds)
        move(seconds)
        if seen.after is not None:
            seen.after()

    original = retry.AsyncRetrying

    def patched(**kwargs: Any) -> Any:
        return original(sleep=sleep, **kwargs)

    monkeypatch.setattr(retry, "AsyncRetrying", patched)
    monkeypatch.setattr(rate_flow, "_PAUSE_S", 0.0)
    return seen
