"""Attempts at a call that wait for nothing in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from promptrails_engine.run import rate_flow, retry
from tests.clocks import put_forward


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
