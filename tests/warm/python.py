"""Processes that run Python with everything loaded: each costs milliseconds, where a new interpreter takes a second."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
GUARD = ROOT / "tests/subprocess_guard"
PATHS = [ROOT, ROOT / "providers", ROOT / "scanners", GUARD]
SERVER = Path(__file__).with_name("server.py")
MODULES = (
    "promptrails_engine.*",
    "tests.durability.kills",
    "tests.durability.handover",
    "tests.warm.schema",
    "alembic.command",
    "dbos",
    "jsonschema_rs",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
)
"""What is loaded before the first process is forked."""
PACKAGES = (
    "alembic.command",
    "dbos",
    "httpx",
    "jinja2",
    "jsonschema",
    "jsonschema_rs",
    "networkx",
    "numpy",
    "presidio_analyzer",
    "pydantic",
    "rich.console",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "sqlalchemy.ext.asyncio",
    "tenacity",
    "typer",
    "yaml",
)
"""What is loaded where this project is not: packages of others that take long to import."""

RUN_FILE = "import runpy, sys; sys.path.remove(''); runpy.run_path(sys.argv[0], run_name='__main__')"


class Child:
    """A process; it is used as a `subprocess.Popen` with pipes of text is."""

    def __init__(self, args: Sequence[str], report: IO[bytes], pipes: Sequence[IO[str]]) -> None:
        self.args = list(args)
        self.stdin, self.stdout, self.stderr = pipes
        self.returncode: int | None = None
        self._report = report
        self.pid = int(report.readline())

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        if self.returncode is None and select.select([self._report], [], [], 0)[0]:
            self._read_end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            self._read_end()
        assert self.returncode is not None
        return self.returncode

    def _read_end(self) -> None:
        self.returncode = int(self._report.readline())
        self._report.close()

    def communicate(self, given: str | None = None, timeout: float | None = None) -> tuple[str, str]:
        """What it wrote to stdout and to stderr, to its end."""
        deadline = None if timeout is None else time.monotonic() + timeout
        found = ["", ""]

        def read(place: int, pipe: IO[str]) -> None:
            found[place] = "" if pipe.closed else pipe.read()
            pipe.close()

        readers = [
            threading.Thread(target=read, args=(place, pipe), daemon=True)
            for place, pipe in enumerate((self.stdout, self.stderr))
        ]
        for reader in readers:
            reader.start()
        self._give(given)
        for reader in readers:
            reader.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        self.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return found[0], found[1]

    def _give(self, given: str | None) -> None:
        try:
            if given:
                self.stdin.write(given)
            self.stdin.close()
        except BrokenPipeError:
            pass

    def send_signal(self, number: int) -> None:
        """Send it, to a process that runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for pipe in (self.stdout, self.stderr):
            pipe.close()
        self._give(None)
        self.wait()


@cache
def warm_python() -> WarmPython:
    """The one of this test process that has loaded this project and what it uses."""
    return WarmPython(MODULES, PATHS)


@cache
def warm_packages() -> WarmPython:
    """The one that has loaded what this project uses: a process imports the project itself, as it is installed."""
    return WarmPython(PACKAGES, [GUARD])


def close_all() -> None:
    """End the interpreters that fork, those that were started."""
    for started in (warm_python, warm_packages):
        if started.cache_info().currsize:
            started().close()


class WarmPython:
    """Starts processes from one interpreter that has loaded what takes long."""

    def __init__(self, modules: Sequence[str], paths: Sequence[Path]) -> None:
        ours, theirs = socket.socketpair()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self._socket = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, SERVER, str(theirs.fileno()), *modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,  # pipes all three, as those of the processes are
                pass_fds=[theirs.fileno()],
                env={**inherited, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONIOENCODING": "utf-8"},
            )

    def start(
        self,
        code: str,
        *arguments: object,
        cwd: Path = ROOT,
        env: Mapping[str, str] = os.environ,
        path: Sequence[Path] = (),
        command: str = "-c",
    ) -> Child:
        """A process that runs the code, as `python -c` does; `path` comes first on its `sys.path`."""
        argv = [command, *map(str, arguments)]
        job = {"code": code, "argv": argv, "cwd": str(cwd), "env": dict(env), "path": list(map(str, path))}
        stdin, stdout, stderr, report = (os.pipe() for _ in range(4))
        theirs = [stdin[0], stdout[1], stderr[1], report[1]]
        line = json.dumps(job).encode() + b"\n"
        try:
            socket.send_fds(self._socket, [line[:1]], theirs)
            self._socket.sendall(line[1:])
        except OSError as error:
            raise AssertionError(self._said()) from error
        finally:
            for fd in theirs:
                os.close(fd)
        pipes = [os.fdopen(stdin[1], "w", encoding="utf-8")]
        pipes += [os.fdopen(fd, encoding="utf-8") for fd in (stdout[0], stderr[0])]
        told = os.fdopen(report[0], "rb")
        try:
            return Child(argv, told, pipes)
        except ValueError as error:
            raise AssertionError(self._said()) from error

    def _said(self) -> str:
        _, said = self._process.communicate()
        return f"the interpreter that forks is gone: {said.decode()}"

    def run(
        self, code: str, *arguments: object, timeout: float = 60, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """How such a process ended; `options` are those of `start`."""
        child = self.start(code, *arguments, **options)
        try:
            out, err = child.communicate(timeout=timeout)
        finally:
            child.kill()
        return subprocess.CompletedProcess(child.args, child.wait(), out, err)

    def run_file(
        self, file: Path, *arguments: object, timeout: float = 60, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """How a process ended that ran the file, as `python FILE` does."""
        return self.run(RUN_FILE, *arguments, timeout=timeout, command=str(file), path=[file.parent], **options)

    def close(self) -> None:
        """End the interpreter; processes that it started go on."""
        self._socket.close()
        self._process.communicate()
