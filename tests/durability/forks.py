"""Processes that are forked from one that has loaded everything, so that each of them costs milliseconds.

A test starts a program of this folder with `report_of`; the program forks, and prints what it found as a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from tests.warm.python import warm_python

PATIENCE_S = 60.0


class Process(NamedTuple):
    """A forked process, and where what it returns can be read as JSON."""

    pid: int
    reading: int


class Gate:
    """Opens once all who know of it, that is all processes forked since, have arrived or are gone."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()

    def arrive(self) -> None:
        """Wait for nobody."""
        os.close(self._writing)

    def wait(self) -> None:
        """Arrive, and return when the last one has."""
        self.arrive()
        os.read(self._reading, 1)
        os.close(self._reading)


def forked(work: Callable[[], Coroutine[Any, Any, Any]]) -> Process:
    """A process that does it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Process(pid, reading)
    status = 1
    try:
        os.close(reading)
        result = asyncio.run(work())
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(result).encode())
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def waited(pid: int, reading: int) -> tuple[bool, Any]:
    """Whether it was killed, and what it returned."""
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not killed and status:
        raise SystemExit(f"a process failed with {status}")
    return killed, json.loads(told) if told and not killed else None


def done(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """What it returned, done in a process of its own."""
    return told(forked(work))


def told(process: Process) -> Any:
    """What a process returned that nobody killed."""
    killed, result = waited(*process)
    assert not killed
    return result


def is_stopped(pid: int) -> bool:
    """Whether it has stopped (SIGSTOP), once it has or is gone; who is gone can still be waited for."""
    found = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert found is not None
    return found.si_code == os.CLD_STOPPED


async def until(holds: Callable[[], Coroutine[Any, Any, bool]], what: str, patience_s: float = PATIENCE_S) -> None:
    """Return once it holds."""
    deadline = time.monotonic() + patience_s
    while not await holds():
        assert time.monotonic() < deadline, f"not in {patience_s:g} s: {what}"
        await asyncio.sleep(0.02)


def report_of(program: str, *arguments: object) -> Any:
    """What a program of this folder prints."""
    code = f"import sys\nfrom tests.durability.{program} import main\nmain(*sys.argv[1:])"
    ended = warm_python().run(code, *arguments, timeout=110)
    assert ended.returncode == 0, ended.stderr
    assert "never retrieved" not in ended.stderr, ended.stderr
    return json.loads(ended.stdout)
