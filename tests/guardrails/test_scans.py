"""Scanners that take long, hang or are not needed any more: they keep nobody else from being scanned."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from promptrails_engine import Limits
from promptrails_engine.ports.scanner import Verdict
from promptrails_engine.run.guards import Guard
from promptrails_engine.run.scans import Scans
from promptrails_engine.testing import Reply
from tests.guardrails.kit import Numbers, NumbersScanner, guard, guarded, spans_of

CLEAN = Verdict(False, 0.0)


class Stopping:
    """A scanner that waits for a text `stop` until it is freed."""

    meta = Numbers.META

    def __init__(self) -> None:
        self.free = threading.Event()
        self.stuck = threading.Semaphore(0)
        self.threads: set[threading.Thread] = set()

    def scan(self, text: str) -> Verdict:
        self.threads.add(threading.current_thread())
        if text.startswith("stop"):
            self.stuck.release()
            self.free.wait(60)
        return CLEAN

    def settled(self, text: str) -> int | None:
        return None


def post(scanner: Any, timeout_s: float = 30.0) -> Guard:
    return Guard("numbers", scanner, "input", "block", True, timeout_s)


async def test_stuck_threads_are_replaced() -> None:
    scanner, scans = Stopping(), Scans()
    try:
        for _ in range(12):  # more than there are threads
            with pytest.raises(TimeoutError):
                await scans.scan(post(scanner, 0.05), ["stop"])
        assert await asyncio.wait_for(scans.scan(post(scanner), ["go on"]), 20) == [CLEAN]
    finally:
        scanner.free.set()
        scans.close()
    for thread in scanner.threads:
        await asyncio.to_thread(thread.join, 20)
        assert not thread.is_alive()


async def test_texts_that_wait_for_slow_ones_get_a_thread_of_their_own() -> None:
    scanner, scans = Stopping(), Scans()
    slow = [asyncio.ensure_future(scans.scan(post(scanner), ["stop"])) for _ in range(8)]
    try:
        assert await asyncio.wait_for(scans.scan(post(scanner), ["go on"]), 20) == [CLEAN]
        assert not any(task.done() for task in slow)
    finally:
        scanner.free.set()
        assert await asyncio.gather(*slow) == [[CLEAN]] * 8
        scans.close()


async def test_a_scan_that_is_cancelled_gives_its_thread_up() -> None:
    scanner, scans = Stopping(), Scans()
    try:
        for _ in range(6):
            task = asyncio.ensure_future(scans.scan(post(scanner), ["stop"]))
            await asyncio.to_thread(scanner.stuck.acquire)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await asyncio.wait_for(scans.scan(post(scanner), ["go on"]), 20) == [CLEAN]
    finally:
        scanner.free.set()
        scans.close()


async def test_a_run_that_is_cancelled_while_it_is_scanned_ends_as_cancelled() -> None:
    numbers = Numbers()
    entered = threading.Event()

    class Slow(NumbersScanner):
        def scan(self, text: str) -> Verdict:
            entered.set()
            return super().scan(text)

    numbers.kind = Slow  # type: ignore[misc]
    async with guarded([guard("input", "block", hangs=True)], scanner=numbers) as (engine, agent, provider):
        task = asyncio.ensure_future(engine.agents.execute(agent.id, {"text": "x"}))
        await asyncio.to_thread(entered.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert provider.requests == []


async def test_the_guards_of_a_direction_have_a_time_together() -> None:
    names = ("one", "two", "three")
    guards = [guard("input", "log", hangs=True, name=name, sort_order=at) for at, name in enumerate(names)]
    async with guarded([*guards, guard("input", "block", name="last", sort_order=9)]) as (engine, agent, _):
        result = await engine.agents.execute(agent.id, {"text": "5"}, limits=Limits(guards_s=0.2))
        assert result.error_code == "guardrail_blocked"
        assert result.error == "the input was blocked by the guard 'last': its scanner failed (timeout)"
        errors = [span.attributes["error"] for span in await spans_of(engine, result.trace_id)]
        assert errors == ["timeout"] * 4


async def test_what_a_scanner_throws_that_is_no_error_is_one() -> None:
    class Throws(NumbersScanner):
        def scan(self, text: str) -> Verdict:
            raise SystemExit(text)

    numbers = Numbers()
    numbers.kind = Throws  # type: ignore[misc]
    async with guarded([guard("input", "block")], scanner=numbers) as (engine, agent, _):
        for _ in range(8):
            result = await engine.agents.execute(agent.id, {"text": "555"})
            assert "its scanner failed" in result.error
            assert "555" not in result.error


async def test_an_engine_works_in_one_loop_after_another() -> None:
    scans, scanner = Scans(), Stopping()

    def elsewhere() -> None:
        asyncio.run(scans.scan(post(scanner), ["a"]))

    for _ in range(3):
        await asyncio.to_thread(elsewhere)
    assert await scans.scan(post(scanner), ["b"]) == [CLEAN]
    scans.close()


@pytest.mark.parametrize("times", [1, 2])
async def test_the_work_on_a_stream_grows_with_its_length_and_no_faster(times: int) -> None:
    read = 0

    class Counts(NumbersScanner):
        def scan(self, text: str) -> Verdict:
            nonlocal read
            read += len(text)
            return super().scan(text)

        def settled(self, text: str) -> int | None:
            nonlocal read
            read += len(text)
            return 0 if not text.endswith("\n") else len(text)

    numbers = Numbers()
    numbers.kind = Counts  # type: ignore[misc]
    size = 20_000 * times
    reply = Reply("x" * size, chunks=["x" * 4] * (size // 4))
    async with guarded([guard("output")], lambda request: reply, scanner=numbers) as (engine, agent, _):
        stream = engine.agents.stream(agent.id, {"text": "x"})
        heard = "".join([event.content async for event in stream if event.type == "content"])  # type: ignore[union-attr]
        assert heard == "x" * size
        assert read < 12 * size
