"""The threads on which blocking functions run."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import threading
from typing import Any

import pytest

from promptrails_engine.tools.threads import WorkerThreads


def ours(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


async def test_threads_are_reused_and_go_away() -> None:
    workers = WorkerThreads("reuse", limit=4, idle_s=0.05)
    idents = {await workers.run(threading.get_ident) for _ in range(50)}
    assert len(idents) <= 2  # one, unless a pause let it go
    for thread in ours("reuse"):
        thread.join(10)
    assert ours("reuse") == []
    assert await workers.run(lambda: "again") == "again"


async def test_never_more_than_the_limit() -> None:
    workers = WorkerThreads("limit", limit=3)
    gate = threading.Event()
    tasks = [asyncio.create_task(workers.run(lambda: gate.wait(10))) for _ in range(20)]
    await asyncio.sleep(0)
    assert len(ours("limit")) == 3
    gate.set()
    assert await asyncio.gather(*tasks) == [True] * 20
    assert len(ours("limit")) == 3


async def test_a_blocked_call_never_holds_up_another_while_threads_are_left() -> None:
    workers = WorkerThreads("busy", limit=2)
    gate = threading.Event()
    blocked = asyncio.create_task(workers.run(lambda: gate.wait(10)))
    for number in range(200):
        assert await workers.run(functools.partial(abs, number)) == number
    gate.set()
    assert await blocked


async def test_exceptions_and_odd_ends_reach_the_caller() -> None:
    workers = WorkerThreads("odd", limit=1)

    def fail(error: BaseException) -> Any:
        raise error

    for error in (ValueError("x"), SystemExit(3), asyncio.CancelledError()):
        with pytest.raises(type(error)):
            await workers.run(functools.partial(fail, error))
    assert await workers.run(lambda: 1) == 1


async def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    workers = WorkerThreads("none", limit=1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            await workers.run(lambda: 1)
    assert await workers.run(lambda: 2) == 2


def test_the_loop_may_end_before_the_call() -> None:
    gate, done = threading.Event(), threading.Event()
    workers = WorkerThreads("late", limit=1)

    def work() -> None:
        gate.wait(10)
        done.set()

    async def leave() -> None:
        task = asyncio.create_task(workers.run(work))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    gate.set()
    assert asyncio.run(workers.run(lambda: "next")) == "next"


CHILD = """
import asyncio, os, threading
from promptrails_engine.tools.threads import WorkerThreads
workers = WorkerThreads("fork", 1)
assert asyncio.run(workers.run(lambda: 1)) == 1
pid = os.fork()
if pid == 0:
    os._exit(asyncio.run(workers.run(lambda: 7)))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""

HANG = """
import asyncio, threading
from promptrails_engine.tools.threads import WorkerThreads
async def main():
    started = threading.Event()
    task = asyncio.create_task(WorkerThreads("hang", 1).run(lambda: (started.set(), threading.Event().wait())))
    while not started.is_set():
        await asyncio.sleep(0.001)
asyncio.run(main())
print("left")
"""


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_a_forked_child_has_threads_of_its_own() -> None:
    assert python(CHILD) == "7"


def test_a_call_that_hangs_does_not_keep_the_process() -> None:
    assert python(HANG) == "left"


def test_the_package_loads_nothing_before_it_is_used() -> None:
    code = """
import sys
import promptrails_engine.tools as tools
print([name for name in sys.modules if name.startswith("promptrails_engine.tools.")], "docstring_parser" in sys.modules)
print(tools.tool.__name__)
"""
    assert python(code).split("\n") == ["[] False", "tool"]
