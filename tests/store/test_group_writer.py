"""The writer thread: order, groups, room in the queue, failures, several loops, and its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from promptrails_engine.errors import ConflictError, StoreError, StoreUnavailableError
from promptrails_engine.store.sql import writer as writer_module
from promptrails_engine.store.sql.writer import GroupWriter, Outcome


class Committed:
    """A commit that remembers its groups, and waits while it is held."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.released = False
        self.entered = threading.Event()
        self._go = threading.Event()
        self._go.set()

    def commit(self, writes: list[str]) -> Sequence[Outcome]:
        self.entered.set()
        assert self._go.wait(30)
        self.groups.append(list(writes))
        return [self._outcome(write) for write in writes]

    def release(self) -> None:
        self.released = True

    @property
    def order(self) -> list[str]:
        return [write for group in self.groups for write in group]

    @contextmanager
    def held(self) -> Iterator[None]:
        self._go.clear()
        try:
            yield
        finally:
            self._go.set()

    def _outcome(self, write: str) -> Outcome:
        return Outcome(error=ConflictError(write)) if write.startswith("bad") else Outcome(write.upper())


def made() -> tuple[GroupWriter[str], Committed]:
    committed = Committed()
    return GroupWriter(committed.commit, committed.release), committed


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # what it waits for happens on a thread
            await asyncio.sleep(0.001)


async def test_concurrent_writes_share_a_group_and_keep_their_order() -> None:
    writer, committed = made()
    with committed.held():
        first = asyncio.create_task(writer.submit("first"))
        await until(committed.entered.is_set)
        rest = [asyncio.create_task(writer.submit(f"w{i}")) for i in range(100)]
        await asyncio.sleep(0)
    assert await asyncio.gather(first, *rest) == ["FIRST", *(f"W{i}" for i in range(100))]
    assert committed.groups == [["first"], [f"w{i}" for i in range(100)]]
    await writer.close()
    assert committed.released


async def test_a_failed_write_fails_its_own_caller() -> None:
    writer, _ = made()
    results = await asyncio.gather(*(writer.submit(w) for w in ("a", "bad", "c")), return_exceptions=True)
    assert results[0] == "A"
    assert isinstance(results[1], ConflictError)
    assert results[2] == "C"
    await writer.close()


async def test_the_thread_outlives_a_commit_that_raises() -> None:
    calls: list[list[str]] = []

    def commit(writes: list[str]) -> Sequence[Outcome]:
        calls.append(writes)
        if len(calls) == 1:
            raise ZeroDivisionError
        return [Outcome() for _ in writes]

    writer: GroupWriter[str] = GroupWriter(commit, lambda: None)
    with pytest.raises(StoreUnavailableError, match="ZeroDivisionError"):
        await writer.submit("a")
    await writer.submit("b")
    await writer.close()


async def test_a_rest_is_said_once_after_the_last_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "IDLE_S", 0.01)
    rests: list[int] = []
    committed = Committed()

    def idle() -> None:
        rests.append(len(committed.order))
        raise ZeroDivisionError  # which the thread outlives

    writer: GroupWriter[str] = GroupWriter(committed.commit, committed.release, idle)
    for number in (1, 2):
        await writer.submit(f"w{number}")
        await until(lambda number=number: rests == list(range(1, number + 1)))
        await asyncio.sleep(0.05)
    assert rests == [1, 2]
    await writer.close()


async def test_a_posted_write_goes_before_what_follows_it() -> None:
    writer, committed = made()
    assert writer.post("begin", 1)
    await writer.submit("end", 1)
    assert committed.order == ["begin", "end"]
    await writer.close()


async def test_a_posted_write_waits_for_company_while_it_is_young(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LINGER_S", 0.05)
    writer, committed = made()
    for i in range(40):  # longer than it would linger alone
        assert writer.post(f"begin{i}", 1)
        monkeypatch.setattr(writer._posted[0], "posted_at", float("inf"))
        await asyncio.sleep(0.005)
        await writer.submit(f"end{i}", 1)
    assert committed.groups == [[f"begin{i}", f"end{i}"] for i in range(40)]
    await writer.close()


async def test_a_posted_write_goes_out_by_itself() -> None:
    writer, committed = made()
    for name in ("a", "b"):
        assert writer.post(name, 1)
        await until(lambda name=name: committed.order[-1:] == [name])
    await writer.close()


async def test_settling_waits_for_what_was_posted_also_while_it_is_being_written() -> None:
    writer, committed = made()
    await writer.settle()
    assert committed.groups == []
    with committed.held():
        writer.post("a", 1)
        await until(committed.entered.is_set)
        settled = asyncio.create_task(writer.settle())
        await asyncio.sleep(0.01)
        assert not settled.done()
    await settled
    assert committed.order == ["a"]
    await writer.close()


@pytest.mark.parametrize(("name", "bound", "size"), [("MAX_QUEUED", 10, 1), ("MAX_QUEUED_SIZE", 100, 10)])
async def test_a_full_queue_makes_callers_wait(
    monkeypatch: pytest.MonkeyPatch, name: str, bound: int, size: int
) -> None:
    monkeypatch.setattr(writer_module, name, bound)
    writer, committed = made()
    with committed.held():
        tasks = [asyncio.create_task(writer.submit(f"w{i}", size)) for i in range(50)]
        await until(committed.entered.is_set)
        await asyncio.sleep(0.01)
        assert writer._count == 10
        assert not writer.post("posted", size)
        tasks[20].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [r for i, r in enumerate(results) if i != 20] == [f"W{i}" for i in range(50) if i != 20]
    assert sorted(committed.order) == sorted(f"w{i}" for i in range(50) if i != 20)
    assert writer._count == writer._size == 0
    await writer.close()


async def test_one_write_over_the_bound_still_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "MAX_QUEUED_SIZE", 100)
    writer, _ = made()
    assert await asyncio.gather(writer.submit("a", 1000), writer.submit("b", 1000)) == ["A", "B"]
    await writer.close()


async def test_a_cancelled_caller_leaves_the_others_alone() -> None:
    writer, committed = made()
    with committed.held():
        tasks = [asyncio.create_task(writer.submit(f"w{i}")) for i in range(10)]
        await until(committed.entered.is_set)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[1::2] == [f"W{i}" for i in range(1, 10, 2)]
    assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
    assert committed.order == [f"w{i}" for i in range(10)]
    await writer.close()


async def test_closing_writes_what_is_queued_and_refuses_the_rest() -> None:
    writer, committed = made()
    with committed.held():
        tasks = [asyncio.create_task(writer.submit(f"w{i}")) for i in range(5)]
        await asyncio.sleep(0)
        writer.post("posted", 1)
        closing = asyncio.create_task(writer.close())
        await until(committed.entered.is_set)
    await closing
    assert [await task for task in tasks] == [f"W{i}" for i in range(5)]
    assert sorted(committed.order) == ["posted", *(f"w{i}" for i in range(5))]
    await writer.close()
    with pytest.raises(StoreError, match="closed"):
        await writer.submit("late")
    with pytest.raises(StoreError, match="closed"):
        writer.post("late", 1)


def test_callers_of_several_loops_are_served_and_a_dead_loop_is_no_harm() -> None:
    writer, committed = made()
    results: dict[int, list[str]] = {}

    async def many(n: int) -> None:
        results[n] = await asyncio.gather(*(writer.submit(f"{n}-{i}") for i in range(50)))

    threads = [threading.Thread(target=asyncio.run, args=[many(n)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == {n: [f"{n}-{i}" for i in range(50)] for n in range(4)}

    loop = asyncio.new_event_loop()
    with committed.held():
        abandoned = loop.create_task(writer.submit("abandoned"))
        loop.call_later(0.05, loop.stop)
        loop.run_forever()
        abandoned.cancel()
        loop.run_until_complete(asyncio.gather(abandoned, return_exceptions=True))
        loop.close()
    asyncio.run(many(9))
    assert "abandoned" in committed.order
    asyncio.run(writer.close())
