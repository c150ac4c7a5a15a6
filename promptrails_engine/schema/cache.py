"""A small cache for immutable things, bounded by count and by size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Keeps the most recently used values; safe to share between threads.

    max_entries: how many values; max_size: sum of the sizes given to `put`, in whatever unit the caller counts.
    """

    def __init__(self, *, max_entries: int, max_size: int) -> None:
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._max_entries = max_entries
        self._max_size = max_size
        self._size = 0
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """The value, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: K, value: V, size: int) -> V:
        """The value that is kept for this key: the first one put, so that all callers share one."""
        with self._lock:
            present = self._entries.get(key)
            if present is not None:
                return present[0]
            if size > self._max_size:
                return value
            self._entries[key] = (value, size)
            self._size += size
            while len(self._entries) > self._max_entries or self._size > self._max_size:
                _, (_, dropped) = self._entries.popitem(last=False)
                self._size -= dropped
            return value

    def __len__(self) -> int:
        return len(self._entries)
