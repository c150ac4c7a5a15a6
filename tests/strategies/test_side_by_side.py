"""Coroutines run at once: who hears of what, and who is cancelled, in whatever order they end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine.run.side_by_side import side_by_side

ORDERS = st.integers(1, 6).flatmap(lambda n: st.tuples(st.permutations(range(n)), st.integers(1, n)))


class Works:
    """As many coroutines as gates; each returns its place once its gate is open, and notes how it ended."""

    def __init__(self, count: int) -> None:
        self.gates = [asyncio.Event() for _ in range(count)]
        self.ended: list[tuple[int, str]] = []
        self.through = [asyncio.Event() for _ in range(count)]

    async def one(self, place: int) -> int:
        try:
            await self.gates[place].wait()
        except asyncio.CancelledError:
            self.ended.append((place, "cancelled"))
            raise
        else:
            self.ended.append((place, "done"))
            return place
        finally:
            self.through[place].set()

    def all(self) -> list[Any]:
        return [self.one(place) for place in range(len(self.gates))]


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type] # there is one


@settings(max_examples=60)
@given(ORDERS)
def test_ends_are_told_in_order_until_it_is_decided_and_then_all_are_gone(case: tuple[list[int], int]) -> None:
    order, enough = case

    async def main() -> None:
        works, told = Works(len(order)), []

        def ended(place: int, outcome: Any) -> bool:
            told.append((place, outcome))
            return len(told) == enough

        run = asyncio.ensure_future(side_by_side(works.all(), ended))
        for place in order:
            works.gates[place].set()
            await works.through[place].wait()
        await run
        assert told == [(place, place) for place in order[:enough]]
        assert {place for place, how in works.ended if how == "done"} >= set(order[:enough])
        assert not others()

    asyncio.run(main())


@settings(max_examples=40)
@given(ORDERS)
def test_a_decision_cancels_all_that_have_not_ended(case: tuple[list[int], int]) -> None:
    order, enough = case

    async def main() -> None:
        works, told = Works(len(order)), []

        def ended(place: int, outcome: Any) -> bool:
            told.append(place)
            return len(told) == enough

        run = asyncio.ensure_future(side_by_side(works.all(), ended))
        for place in order[:enough]:
            works.gates[place].set()
            await works.through[place].wait()
        await run
        assert told == order[:enough]
        assert {place for place, how in works.ended if how == "cancelled"} == set(order[enough:])
        assert not others()

    asyncio.run(main())


async def test_a_caller_that_is_cancelled_gets_its_cancellation_and_leaves_nothing():
    works = Works(3)
    told: list[int] = []
    run = asyncio.ensure_future(side_by_side(works.all(), lambda place, _: bool(told.append(place))))
    works.gates[1].set()
    await works.through[1].wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert told == [1]
    assert sorted(works.ended) == [(0, "cancelled"), (1, "done"), (2, "cancelled")]
    assert not others()


async def test_a_cancellation_in_the_same_moment_as_the_last_end_is_not_lost():
    async def fail() -> int:
        raise ValueError

    run = asyncio.ensure_future(side_by_side([fail()], lambda place, outcome: True))
    await asyncio.sleep(0)  # begun: its task is there
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert run.cancelled()


async def test_one_that_takes_its_time_to_stop_is_waited_for_however_often_the_caller_is_cancelled():
    gate, asked = asyncio.Event(), asyncio.Event()

    async def slow() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            asked.set()
            await gate.wait()
        return 0

    run = asyncio.ensure_future(side_by_side([slow()], lambda place, outcome: False))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # both tasks have begun
    run.cancel()
    await asked.wait()
    run.cancel()
    await asyncio.sleep(0)
    assert not run.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert not others()


async def test_an_end_by_a_cancellation_that_nobody_asked_for_is_told_as_one():
    async def own() -> int:
        raise asyncio.CancelledError

    told: list[Any] = []
    await side_by_side([own()], lambda place, outcome: bool(told.append(outcome)))
    assert [type(outcome) for outcome in told] == [asyncio.CancelledError]
