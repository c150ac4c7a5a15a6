"""A PostgreSQL server of the tests' own: a new cluster in a temporary directory, on loopback and a socket."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

_START_S = 60.0


class PostgresServer:
    """Started by `start`; `url` leads to its one database.  Durability is off: it lives as long as the tests."""

    def __init__(self) -> None:
        self._bin = _binaries()
        self._user = _unprivileged_user()
        self._home = Path(tempfile.mkdtemp(prefix="pr-pg-", dir="/tmp"))
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(self._home, account.pw_uid, account.pw_gid)
        self.port = _free_port()
        self.password = secrets.token_urlsafe(12)
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://prompts:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make the cluster, and return when it answers."""
        secret = self._home / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)
        made = self._run(
            "initdb", "-D", self._data, "-U", "prompts", "-A", "scram-sha-256", f"--pwfile={secret}",
            "--no-sync", "-E", "UTF8", "--locale=C.UTF-8",
        )  # fmt: skip
        assert made.returncode == 0, f"initdb failed: {made.stdout.decode()}"
        self.launch()

    def launch(self) -> None:
        """Start the server on its cluster."""
        options = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self._home,
            "fsync": "off", "full_page_writes": "off", "max_connections": 60, "shared_buffers": "16MB",
        }  # fmt: skip
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        log = (self._home / "log").open("ab")
        self._server = subprocess.Popen(
            [self._bin / "postgres", "-D", self._data, *settings], stdout=log, stderr=log, **self._identity()
        )
        log.close()
        self._await_answer()

    def stop(self, *, how: str = "fast") -> None:
        """Stop the server; `how` is pg_ctl's mode."""
        if self._server is not None:
            self._run("pg_ctl", "-D", self._data, "stop", "-m", how, "-w")
            self._server.wait(30)
            self._server = None

    def remove(self) -> None:
        """Stop the server and delete its files."""
        self.stop(how="immediate")
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _START_S
        while self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port)).returncode:
            assert self._server is not None
            alive = self._server.poll() is None and time.monotonic() < deadline
            assert alive, f"PostgreSQL did not start: {(self._home / 'log').read_text()}"
            time.sleep(0.02)

    def _run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self._bin / program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self._identity(),
        )

    def _identity(self) -> dict[str, Any]:
        # PostgreSQL refuses to run as root.
        home: dict[str, Any] = {"cwd": self._home}
        return {**home, "user": self._user, "group": pwd.getpwnam(self._user).pw_gid} if self._user else home


def _binaries() -> Path:
    candidates = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise AssertionError(
        "These tests need a PostgreSQL server's programs (initdb, postgres), on PATH or under /usr/lib/postgresql; "
        "run `make postgres`, or install your system's postgresql package."
    )


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {account.pw_name for account in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
