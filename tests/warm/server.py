"""A Python that has loaded everything, and forks a process for each script that it is given.

Usage: python server.py SOCKET MODULE...  A request on the socket is a line of JSON, with four file descriptors next to
its first byte: stdin, stdout and stderr of the process, and where to tell its id and then how it ended.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
from types import ModuleType
from typing import Any


def load(names: list[str]) -> None:
    """Import the modules, and what is below those that end in `.*`; what is not installed is left out."""
    for name in names:
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name.removesuffix(".*"))
            if name.endswith(".*"):
                for found in pkgutil.walk_packages(module.__path__, f"{module.__name__}."):
                    if ".migrations." not in found.name:  # alembic runs these
                        importlib.import_module(found.name)


class Server:
    """Serves one client."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._reports: dict[int, int] = {}
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def next_job(self) -> dict[str, Any] | None:
        """What to run, in a process that was forked for it; None, in this one, when the client is gone."""
        while True:
            ready, _, _ = select.select([self._client, self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._tell_ends()
            if self._client in ready:
                first, fds, _, _ = socket.recv_fds(self._client, 1, 4)
                if not first:
                    return None
                with self._client.makefile("rb") as lines:
                    job: dict[str, Any] = json.loads(first + lines.readline())
                if self._forked(fds):
                    return job

    def _forked(self, fds: list[int]) -> bool:
        """Whether this is the new process."""
        pid = os.fork()
        if pid:
            *streams, report = fds
            for stream in streams:
                os.close(stream)
            self._reports[pid] = report
            os.write(report, f"{pid}\n".encode())
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, stream in enumerate(fds[:3]):
            os.dup2(stream, number)
        for fd in (*fds, *self._reports.values(), self._woken, self._wakes):
            os.close(fd)
        self._client.close()
        return True

    def _tell_ends(self) -> None:
        while self._reports:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            report = self._reports.pop(pid)
            with contextlib.suppress(BrokenPipeError):
                os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os.close(report)


def become(job: dict[str, Any]) -> None:
    """Run the script as `python -c` does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell had the tests ignore it
    os.environ.clear()
    os.environ.update(job["env"])
    os.chdir(job["cwd"])
    sys.argv = job["argv"]
    sys.path[:0] = job["path"]
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    end = End()
    atexit.register(end.leave)  # the first to be registered is the last to be called
    with end:
        exec(compile(job["code"], "<string>", "exec"), main.__dict__)


class End:
    """Leaves with the status of the script, without taking apart all modules: that takes longer than most scripts."""

    def __init__(self) -> None:
        self._status: int | None = None

    def __enter__(self) -> End:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, SystemExit):
            code = 0 if error.code is None else error.code
            self._status = code & 0xFF if isinstance(code, int) else 1
        elif not isinstance(error, KeyboardInterrupt):  # which ends the process by its signal
            self._status = 0 if error is None else 1

    def leave(self) -> None:
        """At the end, once all else that was to happen then has happened."""
        if self._status is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self._status)


if __name__ == "__main__":
    sys.path[0] = ""  # as with `python -c`; it was the folder of this file
    load(sys.argv[2:])
    gc.collect()
    gc.freeze()  # the objects of the modules stay where they are, in memory that all processes share
    job = Server(socket.socket(fileno=int(sys.argv[1]))).next_job()
    if job is not None:
        become(job)
