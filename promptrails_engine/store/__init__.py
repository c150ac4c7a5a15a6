"""Stores: in memory, and in SQL."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptrails_engine.store.memory import MemoryStore as MemoryStore
    from promptrails_engine.store.open import open_store as open_store
    from promptrails_engine.store.sql.store import SqlStore as SqlStore

_HOMES = {"MemoryStore": ".memory", "SqlStore": ".sql.store", "open_store": ".open"}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home, __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
