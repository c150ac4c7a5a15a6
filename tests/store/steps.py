"""Calls of a store that hypothesis draws, made of two stores and compared."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.ports.journal import ApprovalRow, Claims, Decided
from promptrails_engine.ports.store import ExecutionRow, Store
from promptrails_engine.store import MemoryStore, SqlStore

Action = Callable[[Store], Awaitable[Any]]


@dataclass(frozen=True)
class Step:
    """A call of a store; of those with the same `once`, only the first is made."""

    action: Action = field(repr=False)
    what: str
    once: str = ""


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def step(make: Callable[..., Any], *strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    calls = ",".join(name for name in make.__code__.co_names if "_" in name)
    return st.tuples(*strategies).map(lambda drawn: Step(lambda store: make(store, *drawn), f"{calls}{drawn}"))


def timeless(value: Any) -> Any:
    """The answer without the times that the stores read from their own clocks."""
    if isinstance(value, ExecutionRow):
        by_store = value.error_code == "cancelled"
        at, duration = (0.0, 0) if by_store else (value.completed_at, value.duration_ms)
        asked = None if value.cancel_requested_at is None else 0.0
        return replace(value, completed_at=at, duration_ms=duration, cancel_requested_at=asked)
    if isinstance(value, ApprovalRow):
        return replace(value, decided_at=None if value.decided_at is None else 0.0)
    if isinstance(value, Claims):
        return [timeless(row) for row in value.rows], value.lapsed
    if isinstance(value, Decided):
        return timeless(value.row), value.won
    if isinstance(value, list | tuple):
        return [timeless(one) for one in value]
    return value


async def answer(store: Store, step: Step) -> Any:
    try:
        return timeless(await step.action(store))
    except PromptRailsError as error:
        return type(error), error.code


async def compared(steps: Sequence[Step]) -> None:
    """Ask the store in memory and the one in SQLite the same, and expect the same answers."""
    with tempfile.TemporaryDirectory() as folder:
        one: Store = MemoryStore()
        other: Store = SqlStore(Path(folder) / "app.db", durability="relaxed")
        await other.open()
        try:
            done: set[str] = set()
            for number, step in enumerate(steps):
                if step.once in done:
                    continue
                done |= {step.once} - {""}
                first, second = await answer(one, step), await answer(other, step)
                assert first == second, f"step {number}: {step.what}"
        finally:
            await other.close()
