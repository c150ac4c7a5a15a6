"""Where a SQLite file may live: in a directory that is there, and not on a network file system."""

from __future__ import annotations

import os
from pathlib import Path

from promptrails_engine.errors import StoreUnavailableError
from promptrails_engine.store.sql.database import Database

MOUNTS = Path("/proc/self/mounts")
UNC = "UNC path"
NETWORK_TYPES = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", UNC,
})  # fmt: skip
"""Their locks do not hold between machines, and their syncs may not reach a disk."""
SHARED_TYPES = frozenset({"9p", "virtiofs", "vboxsf", "prl_fs", "fuse.vmhgfs-fuse", "fuse.grpcfuse", "fakeowner"})
"""Folders that a virtual machine has from its host."""


def check_placement(database: Database) -> None:
    """Say what is wrong with the path of a SQLite file.

    Raises:
        StoreUnavailableError: no such directory, a directory in the place of the file, or a network file system.
    """
    path = database.url.database
    if database.dialect != "sqlite" or not path or path.startswith("file:"):
        return
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise StoreUnavailableError(
            f"The store {database.name} cannot be created: there is no directory {folder!r}. "
            "Create it, or give another path.",
            details={"directory": folder},
        )
    if os.path.isdir(path):
        raise StoreUnavailableError(
            f"The store {database.name} cannot be opened: it is a directory. Give the path of a file in it.",
            details={"directory": path},
        )
    if not _is_writable(folder) or (os.path.exists(path) and not _is_writable(path)):
        raise StoreUnavailableError(
            f"The store {database.name} cannot be used: the file or its directory is read-only: make both writable.",
            details={"path": path},
        )
    kind = file_system_type(os.path.realpath(path))
    if kind in NETWORK_TYPES:
        raise StoreUnavailableError(
            f"The store {database.name} is on a network file system ({kind}), where SQLite can lose or damage data. "
            "Use a local disk, or PostgreSQL.",
            details={"file_system": kind},
        )


def is_shared_by_kernels(database: Database) -> bool:
    """Whether another kernel may have the file open, as far as can be told."""
    return file_system_type(database.path) in SHARED_TYPES


def _is_writable(path: str) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def file_system_type(path: str) -> str | None:
    """The type of the file system that holds the path; None where nobody can tell."""
    if path.startswith("\\\\"):
        return UNC
    try:
        lines = MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return None
    best, kind = "", ""
    for line in lines:
        _device, point, found, *_rest = line.split(" ")
        point = point.replace("\\040", " ").rstrip("/")
        if len(point) >= len(best) and (path == point or path.startswith(point + "/")):
            best, kind = point, found
    return kind or None
