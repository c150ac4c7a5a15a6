"""Functions as tools: what happens when they raise or are cancelled."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from promptrails_engine.errors import ToolError
from promptrails_engine.ports.tool import Tool
from promptrails_engine.testing.contexts import tool_context
from promptrails_engine.tools import FunctionTool, as_tool, tool


async def run(subject: Tool, **arguments: Any) -> Any:
    return await subject.call(arguments, tool_context())


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("bad city"), "ValueError: bad city"),
        (KeyError("x"), "KeyError: 'x'"),
        (TimeoutError(), "TimeoutError"),
        (StopIteration(3), "StopIteration"),
        (SystemExit(2), "SystemExit: 2"),
        (Unprintable(), "Unprintable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("is_async", [True, False])
async def test_exceptions_become_tool_errors(error: BaseException, text: str, is_async: bool) -> None:
    async def fail_async() -> None:
        raise error

    def fail_sync() -> None:
        raise error

    if isinstance(error, StopIteration) and is_async:
        text = "RuntimeError"  # as Python has it
    with pytest.raises(ToolError) as caught:
        await run(FunctionTool(fail_async if is_async else fail_sync, name="fail"))
    assert caught.value.message.startswith(f"Tool 'fail' failed: {text}")
    assert caught.value.code == "tool_failed"
    cause = caught.value.__cause__
    assert cause is error or (cause is not None and cause.__cause__ is error)


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_tool_error_passes_unchanged(is_async: bool) -> None:
    mine = ToolError("no such city", details={"city": "x"})

    async def fail_async() -> None:
        raise mine

    def fail_sync() -> None:
        raise mine

    with pytest.raises(ToolError) as caught:
        await run(as_tool(fail_async if is_async else fail_sync))
    assert caught.value is mine


async def test_long_messages_are_cut() -> None:
    @tool
    async def fail() -> None:
        raise ValueError("x" * 1_000_000)

    with pytest.raises(ToolError) as caught:
        await run(fail)
    assert len(caught.value.message) < 2100


async def test_cancelling_the_call_cancels_the_function() -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    @tool
    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    task = asyncio.create_task(run(wait))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()


async def test_a_cancellation_inside_is_a_failure_of_the_tool() -> None:
    @tool
    async def wait() -> None:
        inner = asyncio.get_running_loop().create_future()
        inner.cancel()
        await inner

    with pytest.raises(ToolError, match="CancelledError"):
        await run(wait)


async def test_cancelling_a_waiting_sync_call_takes_it_out_of_the_line() -> None:
    release, started = threading.Event(), threading.Event()
    calls: list[str] = []

    @tool(max_threads=1)
    def work(name: str) -> str:
        calls.append(name)
        started.set()
        release.wait(10)
        return name

    first = asyncio.create_task(run(work, name="first"))
    await asyncio.to_thread(started.wait, 10)
    second = asyncio.create_task(run(work, name="second"))
    third = asyncio.create_task(run(work, name="third"))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    release.set()
    assert await first == "first"
    assert await third == "third"
    assert calls == ["first", "third"]


async def test_cancelling_a_running_sync_call_returns_at_once() -> None:
    release, started = threading.Event(), threading.Event()

    @tool
    def work() -> None:
        started.set()
        release.wait(10)

    task = asyncio.create_task(run(work))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
