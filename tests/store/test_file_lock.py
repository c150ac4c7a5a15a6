"""The lock behind which a SQLite file is written: who waits for whom, and what frees it."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptrails_engine.errors import StoreUnavailableError
from promptrails_engine.store import SqlStore
from promptrails_engine.store.sql import file_lock
from promptrails_engine.store.sql.file_lock import FileLock

HOLD = """
import sys
from promptrails_engine.store.sql.file_lock import FileLock
with FileLock(sys.argv[1], "it"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the lock until it ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, f"{path}-lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate(timeout=60)


async def opened(path: Path) -> SqlStore:
    store = SqlStore(path)
    await store.open()
    return store


def stored(path: Path) -> int:
    """How many values of tool state are committed."""
    connection = sqlite3.connect(path)
    [(number,)] = connection.execute("SELECT count(*) FROM pr_state").fetchall()
    connection.close()
    return int(number)


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def test_a_commit_waits_for_the_lock(path: Path) -> None:
    store = await opened(path)
    with FileLock(f"{path}-lock", "the other"):
        task = asyncio.create_task(store.state_set("ws", "s", "k", 1))
        done, _ = await asyncio.wait([task], timeout=0.1)
        assert not done
        assert stored(path) == 0
        assert await store.definitions_stamp("ws") == 0  # reading needs no lock
    await task
    assert stored(path) == 1
    await store.close()


async def test_a_file_is_opened_and_relaxed_writes_are_synced_behind_the_lock(path: Path) -> None:
    store = SqlStore(path, durability="relaxed")
    lock = FileLock(f"{path}-lock", "the other")
    with lock:
        opening = asyncio.create_task(store.open())
        assert not (await asyncio.wait([opening], timeout=0.1))[0]
        assert size_of(path) == 0
    await opening
    await store.state_set("ws", "s", "k", 1)
    assert store._session is not None
    committer = store._session._committer
    with lock:
        syncing = threading.Thread(target=committer.sync)
        syncing.start()
        syncing.join(0.1)
        assert syncing.is_alive()
    syncing.join(30)
    assert committer._unsynced_since is None
    await store.close()


async def test_a_lock_that_is_held_for_too_long_fails_the_write_and_not_the_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await opened(path)
    monkeypatch.setattr(file_lock, "WAIT_S", 0.05)
    with FileLock(f"{path}-lock", "the other"):
        with pytest.raises(StoreUnavailableError, match=r"has held '.*app.db-lock' for .* Let that process finish"):
            await store.state_set("ws", "s", "k", 1)
        with pytest.raises(StoreUnavailableError, match="has held"):
            await SqlStore(path).open()
    monkeypatch.setattr(file_lock, "WAIT_S", 30.0)
    await store.state_set("ws", "s", "k", 2)
    assert await store.state_get("ws", "s", "k") == 2
    await store.close()


async def test_a_killed_holder_frees_the_lock(path: Path, holder: subprocess.Popen[str]) -> None:
    opening = asyncio.create_task(opened(path))
    assert not (await asyncio.wait([opening], timeout=0.1))[0]
    holder.send_signal(signal.SIGKILL)
    store = await opening
    await store.state_set("ws", "s", "k", 1)
    await store.close()


def test_a_stopped_holder_keeps_the_lock(
    path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(file_lock, "WAIT_S", 0.05)
    with pytest.raises(StoreUnavailableError), FileLock(f"{path}-lock", "mine"):
        pass


def test_threads_exclude_each_other_with_one_lock_and_with_two(tmp_path: Path) -> None:
    path = f"{tmp_path}/x-lock"
    shared = FileLock(path, "shared")
    inside = most = 0

    def work(lock: FileLock) -> None:
        nonlocal inside, most
        for _ in range(50):
            with lock:
                inside += 1
                most = max(most, inside)
                os.stat(path)
                inside -= 1

    threads = [threading.Thread(target=work, args=[lock]) for lock in (shared, shared, FileLock(path, "other"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1


def test_a_removed_file_is_made_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "_LOOK_AGAIN_S", -1.0)
    monkeypatch.setattr(file_lock, "WAIT_S", 0.05)
    one, two = FileLock(f"{path}-lock", "one"), FileLock(f"{path}-lock", "two")
    with one:
        os.unlink(one.path)
    with one, pytest.raises(StoreUnavailableError), two:  # two opened the new file, so one must have it too
        pass


def test_a_forked_child_does_not_keep_its_parents_lock(tmp_path: Path) -> None:
    path = f"{tmp_path}/x-lock"
    parent = FileLock(path, "parent")
    report, answer = os.pipe()
    with parent:
        child = os.fork()
        if child == 0:
            parent.forget()
            os.write(answer, b"x")
            signal.pause()
        assert os.read(report, 1) == b"x"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(file_lock, "WAIT_S", 0.05)
            with pytest.raises(StoreUnavailableError), FileLock(path, "other"):
                pass  # what the child closed is still the parent's
        assert parent._descriptor is not None
        os.close(parent._descriptor)  # as when the parent dies: nothing is said to the kernel
        parent._descriptor = None
        with FileLock(path, "other"):
            pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


async def test_a_lock_that_cannot_be_opened_is_said(path: Path) -> None:
    os.symlink(path.parent / "nowhere" / "x", f"{path}-lock")
    with pytest.raises(StoreUnavailableError, match=r"cannot be locked \(.*app.db-lock.*make that file readable"):
        await opened(path)


async def test_every_name_of_a_file_leads_to_one_lock(path: Path, tmp_path: Path) -> None:
    os.symlink(path, tmp_path / "link.db")
    stores = [SqlStore(tmp_path / "link.db"), SqlStore(f"sqlite:///file:{path}?uri=true"), SqlStore(path)]
    for store in stores:
        await store.open()
    assert [name for name in os.listdir(tmp_path) if name.endswith("-lock")] == ["app.db-lock"]
    await asyncio.gather(*(store.state_set("ws", "s", f"{n}", n) for n, store in enumerate(stores)))
    assert stored(path) == 3
    for store in stores:
        await store.close()
