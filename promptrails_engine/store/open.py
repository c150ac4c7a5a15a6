"""From what a user names to a store."""

from __future__ import annotations

import os
from typing import Literal

import promptrails_engine.store as stores
from promptrails_engine.ports.store import Store


def open_store(target: str | os.PathLike[str] | None, durability: Literal["full", "relaxed"] = "full") -> Store:
    """The store for None (in memory), a file's path or a URL; not yet connected.

    Raises:
        ConfigurationError: no store for this URL.
        MissingExtraError: a package that the store needs is not installed.
    """
    if target is None:
        return stores.MemoryStore()
    return stores.SqlStore(target, durability=durability)
