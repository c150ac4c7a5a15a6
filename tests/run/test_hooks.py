"""Hooks: who is told what, and that none can slow, fail or fill up what it is told of."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from promptrails_engine import AsyncEngine, ConfigurationError, HookEvent, IdFactory
from promptrails_engine.clock import SystemClock
from promptrails_engine.run.hooks import Hook, Hooks, HookStats
from promptrails_engine.tools.threads import WorkerThreads
from tests.engine.approval_kit import park, waiting

NAME = "approval.decided"


def hooks_of(*hooks: Hook, **more: Any) -> Hooks:
    clock = SystemClock()
    return Hooks({NAME: hooks}, ids=IdFactory(7), clock=clock, in_thread=WorkerThreads("hooks", 8).run, **more)


class Method:
    """An object whose call is a coroutine."""

    def __init__(self) -> None:
        self.told: list[HookEvent] = []

    async def __call__(self, event: HookEvent) -> None:
        self.told.append(event)


async def test_every_kind_of_function_is_called():
    told: list[tuple[str, bool]] = []
    here = threading.get_ident()

    def note(name: str, event: HookEvent) -> None:
        told.append((name, threading.get_ident() == here))

    async def later(name: str, event: HookEvent) -> None:
        await asyncio.sleep(0)
        note(name, event)

    method = Method()
    hooks = hooks_of(
        functools.partial(note, "sync"),
        functools.partial(later, "async"),
        lambda event: later("lambda that returns a coroutine", event),
        method,
    )
    hooks.fire(NAME, {"a": 1})
    assert await hooks.close()
    assert sorted(told) == [("async", True), ("lambda that returns a coroutine", True), ("sync", False)]
    [event] = method.told
    assert (event.event, event.data, len(event.id)) == (NAME, {"a": 1}, 27)
    assert event.created_at.endswith("Z")
    assert event.to_dict() == {"event": NAME, "id": event.id, "created_at": event.created_at, "data": {"a": 1}}
    assert hooks.stats() == HookStats(delivered=4, failed=0, dropped=0)


async def test_only_the_hooks_of_an_event_are_told():
    method = Method()
    hooks = hooks_of(method)
    hooks.fire("execution.awaiting_approval", {})
    assert await hooks.close()
    assert method.told == []


def leave(event: HookEvent) -> None:
    raise SystemExit(3)


def stop(event: HookEvent) -> None:
    raise StopIteration


def cancelled(event: HookEvent) -> None:
    raise asyncio.CancelledError


def broken(event: HookEvent) -> None:
    raise RuntimeError("out of order: api_key=abcdefgh12345678")


async def broken_later(event: HookEvent) -> None:
    raise RuntimeError("out of order")


async def cancelled_later(event: HookEvent) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("hook", [leave, stop, cancelled, broken, broken_later, cancelled_later])
async def test_a_hook_that_fails_is_logged_and_counted(hook: Any, caplog: pytest.LogCaptureFixture):
    method = Method()
    hooks = hooks_of(hook, method)
    hooks.fire(NAME, {})
    assert await hooks.close()
    assert hooks.stats() == HookStats(delivered=1, failed=1, dropped=0)
    assert len(method.told) == 1
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert f"hook {hook.__name__} of '{NAME}' failed" in record.getMessage()
    assert "abcdefgh12345678" not in record.getMessage()


async def test_what_a_hook_was_bound_to_is_not_logged(caplog: pytest.LogCaptureFixture):
    hooks = hooks_of(functools.partial(lambda word, event: 1 / 0, "hidden-word"))
    hooks.fire(NAME, {})
    assert await hooks.close()
    assert "hook partial of" in caplog.text
    assert "hidden-word" not in caplog.text


async def test_what_cannot_be_told_is_counted(caplog: pytest.LogCaptureFixture):
    method = Method()
    hooks = hooks_of(method)
    hooks.fire(NAME, {"lock": threading.Lock()})
    assert await hooks.close()
    assert (hooks.stats(), method.told) == (HookStats(0, 1, 0), [])
    assert "could not be told" in caplog.text


async def test_neither_side_sees_what_the_other_does_to_the_data():
    seen: list[Any] = []
    data: dict[str, Any] = {"payload": {"text": "as it was"}}
    gate = asyncio.Event()

    async def hook(event: HookEvent) -> None:
        await gate.wait()
        seen.append(event.data["payload"]["text"])
        event.data["payload"]["text"] = "changed by the hook"

    hooks = hooks_of(hook)
    hooks.fire(NAME, data)
    data["payload"]["text"] = "changed by the run"
    gate.set()
    assert await hooks.close()
    assert seen == ["as it was"]
    assert data == {"payload": {"text": "changed by the run"}}


async def test_a_hook_sees_the_context_of_what_it_is_told_of():
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []
    gate = asyncio.Event()

    async def hook(event: HookEvent) -> None:
        await gate.wait()
        seen.append(f"{event.data['n']} {variable.get()}")

    hooks = hooks_of(hook)
    for n in range(20):  # more than go on at once
        contextvars.copy_context().run(lambda n=n: (variable.set(f"of {n}"), hooks.fire(NAME, {"n": n})))
    gate.set()
    assert await hooks.close()
    assert sorted(seen) == sorted(f"{n} of {n}" for n in range(20))


async def test_few_go_on_at_once_a_bounded_number_waits_and_the_rest_is_dropped(caplog: pytest.LogCaptureFixture):
    begun = 0
    gate = asyncio.Event()

    async def hook(event: HookEvent) -> None:
        nonlocal begun
        begun += 1
        await gate.wait()

    hooks = hooks_of(hook)
    for _ in range(1000):
        hooks.fire(NAME, {})
    for _ in range(5):
        await asyncio.sleep(0)
    assert (begun, hooks.stats().dropped) == (16, 0)
    for _ in range(100):
        hooks.fire(NAME, {})
    assert hooks.stats().dropped == 84
    assert [record.getMessage() for record in caplog.records] == [
        f"hooks of '{NAME}' are not told: 1000 deliveries wait already"
    ]
    gate.set()
    assert await hooks.close()
    assert hooks.stats() == HookStats(delivered=1016, failed=0, dropped=84)


async def test_a_hook_that_hangs_is_given_up(caplog: pytest.LogCaptureFixture):
    async def stuck(event: HookEvent) -> None:
        await asyncio.Event().wait()

    hooks = hooks_of(stuck, most_s=0.01)
    hooks.fire(NAME, {})
    assert await hooks.close()
    assert hooks.stats() == HookStats(delivered=0, failed=1, dropped=0)
    assert "TimeoutError" in caplog.text


async def test_closing_waits_so_long_and_no_longer(caplog: pytest.LogCaptureFixture):
    gate = threading.Event()

    async def stuck(event: HookEvent) -> None:
        await asyncio.Event().wait()

    hooks = hooks_of(stuck, lambda event: gate.wait(60))
    for _ in range(10):
        hooks.fire(NAME, {})
    assert not await hooks.close(0.01)
    assert hooks.stats() == HookStats(delivered=0, failed=0, dropped=20)
    gate.set()
    assert "hook deliveries were not made" in caplog.text
    hooks.fire(NAME, {})
    assert hooks.stats().dropped == 22
    assert await hooks.close()


def test_what_a_loop_left_behind_does_not_stop_the_next_one():
    method = Method()
    hooks = hooks_of(method, lambda event: None)

    async def fire() -> None:
        for _ in range(30):
            hooks.fire(NAME, {})

    asyncio.run(fire())  # ends before most were told

    async def again() -> bool:
        hooks.fire(NAME, {"second": True})
        return await hooks.close()

    assert asyncio.run(again())
    assert method.told[-1].data == {"second": True}
    stats = hooks.stats()
    assert stats.delivered + stats.dropped == 62
    assert stats.dropped > 0


# ------------------------------------------------------------------ as an argument of the engine


@pytest.mark.parametrize(
    ("hooks", "said"),
    [
        ({"approval.decide": []}, "'approval.decide'; there are: execution.awaiting_approval, approval.decided"),
        ({NAME: print}, r"must be a list of functions or webhooks, such as \[print\]"),
        ({NAME: "https://example.com"}, "must be a list"),
        ({NAME: None}, "must be a list"),
        ({NAME: ["https://example.com"]}, "an object of type str, which cannot be called"),
    ],
)
def test_hooks_that_cannot_work_are_refused(hooks: Any, said: str):
    with pytest.raises(ConfigurationError, match=said):
        AsyncEngine(hooks=hooks)


async def test_a_decision_does_not_wait_for_its_hooks_and_closing_does():
    gate = asyncio.Event()
    told: list[str] = []

    async def slow(event: HookEvent) -> None:
        await gate.wait()
        told.append(event.data["approval_id"])

    hooks: dict[str, Iterable[Hook]] = {NAME: iter([broken, slow])}
    async with waiting(hooks=hooks) as (_, store, approvals, woken):
        [row] = await park(store)
        assert (await approvals.decide(row.id, "approved")).status == "approved"
        assert (told, woken.roots) == ([], [row.root_execution_id])
        asyncio.get_running_loop().call_later(0.01, gate.set)
    assert told == [row.id]
