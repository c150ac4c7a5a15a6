"""Tables that are read at their first use, once however many threads ask for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import TypeVar

Made = TypeVar("Made")


def once(make: Callable[[], Made]) -> Callable[[], Made]:
    """The function, called a single time: what it gives back is kept, and those who ask meanwhile wait for it."""
    lock = Lock()
    kept: list[Made] = []

    @wraps(make)
    def asked() -> Made:
        if not kept:
            with lock:
                if not kept:
                    kept.append(make())
        return kept[0]

    return asked
