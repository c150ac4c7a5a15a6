"""The guard of `tests/conftest.py` itself."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.network_guard import NetworkGuard, NetworkRefusedError, is_local


@pytest.mark.parametrize(
    ("host", "local"),
    [
        (None, True),
        ("", True),
        ("localhost", True),
        (b"LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("2001:db8::1", False),
        ("fe80::1%eth0", False),
        ("model.example", False),
        ("localhost.example", False),
    ],
)
def test_only_this_machine_is_local(host: str | bytes | None, local: bool) -> None:
    assert is_local(host) is local


def test_a_connection_elsewhere_is_refused_and_remembered(network_guard: NetworkGuard) -> None:
    with socket.socket() as sock, pytest.raises(NetworkRefusedError, match=r"192\.0\.2\.1"):
        sock.connect(("192.0.2.1", 80))
    with pytest.raises(NetworkRefusedError, match=r"model\.example"):
        socket.getaddrinfo("model.example", 443)
    assert network_guard.refused == ["192.0.2.1", "model.example"]
    network_guard.refused.clear()


async def test_asyncio_is_guarded_too(network_guard: NetworkGuard) -> None:
    with pytest.raises(NetworkRefusedError):
        await asyncio.open_connection("192.0.2.1", 80)
    with pytest.raises(NetworkRefusedError):
        await asyncio.open_connection("model.example", 443)
    network_guard.refused.clear()


async def test_this_machine_is_reached(network_guard: NetworkGuard) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
        writer.write(b"here\n")
        assert await reader.readline() == b"here\n"
        writer.close()
        await writer.wait_closed()
    assert network_guard.refused == []


def test_a_hidden_refusal_fails_the_test(pytester: pytest.Pytester, repo_root: Path) -> None:
    pytester.makeconftest((repo_root / "tests/conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile("""
        import contextlib, socket

        def test_hides_it():
            with contextlib.suppress(Exception):
                socket.getaddrinfo("model.example", 443)
    """)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--import-mode=importlib")
    result.stdout.fnmatch_lines(["*the test tried to reach other machines*model.example*"])
    assert result.ret != 0


def test_a_python_started_by_a_test_is_guarded(repo_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import socket; socket.getaddrinfo('model.example', 443)"],
        env=os.environ | {"PYTHONPATH": str(repo_root / "tests/subprocess_guard")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "NetworkRefusedError" in done.stderr
