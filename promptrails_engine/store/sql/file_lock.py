"""One lock for all who write to a SQLite file, held over each write transaction with the checkpoint that follows it.

It lies on a file beside the database, never on the database itself: closing a second descriptor of that file would drop
SQLite's own locks.  The kernel frees it when its holder dies, however that happens.  It belongs to an open file and not
to a process, so two stores of one process exclude each other as well.
"""

from __future__ import annotations

import errno
import os
import random
import sys
import threading
import time
from types import TracebackType

from promptrails_engine.errors import StoreUnavailableError

if sys.platform != "win32":
    import fcntl

WAIT_S = 30.0
_FIRST_PAUSE_S = 0.0005
_LONGEST_PAUSE_S = 0.005
_LOOK_AGAIN_S = 0.1
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL})


class FileLock:
    """An exclusive lock between processes and within one; a context manager, for one thread at a time."""

    def __init__(self, path: str, name: str) -> None:
        self.path = path
        self._name = name
        self._thread = threading.Lock()
        self._descriptor: int | None = None
        self._seen_at = 0.0

    def is_supported(self) -> bool:
        """Whether this system and this file system know such locks.

        Raises:
            StoreUnavailableError: the lock's file cannot be opened.
        """
        if sys.platform == "win32":
            return False
        descriptor = self._opened()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in _UNSUPPORTED
        finally:
            os.close(descriptor)
        return True

    def __enter__(self) -> None:
        if not self._thread.acquire(timeout=WAIT_S):
            raise self._late()
        try:
            self._lock()
        except BaseException:
            self.forget()
            self._thread.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._descriptor is not None:
                # Said outright: a process that was forked meanwhile may have a descriptor of the same lock.
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._thread.release()

    def forget(self) -> None:
        """Close the file; in a forked child, so that the parent's lock cannot outlive the parent here."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _lock(self) -> None:
        give_up_at = time.monotonic() + WAIT_S
        pause = _FIRST_PAUSE_S
        while not self._tried():
            if time.monotonic() > give_up_at:
                raise self._late()
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)

    def _tried(self) -> bool:
        if self._descriptor is None:
            self._descriptor = self._opened()
            self._seen_at = 0.0
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        now = time.monotonic()
        if now - self._seen_at > _LOOK_AGAIN_S:
            if os.fstat(self._descriptor).st_nlink == 0:  # somebody removed the file, and others lock a new one
                self.forget()
                return False
            self._seen_at = now
        return True

    def _opened(self) -> int:
        try:
            return os.open(self.path, os.O_RDONLY | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreUnavailableError(
                f"The store {self._name} cannot be locked ({error.strerror}: {self.path!r}): make that file readable, "
                "and its directory writable, for this user.",
                details={"lock": self.path},
            ) from None

    def _late(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"The store {self._name} cannot be written: another process has held {self.path!r} for {WAIT_S:.0f} s. "
            "Let that process finish, or end it, then try again.",
            details={"lock": self.path},
        )
