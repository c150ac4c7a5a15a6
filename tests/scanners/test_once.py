"""Tables are loaded at their first use, once, whoever asks at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from promptrails_scanners.foundation.once import once


def test_threads_that_ask_at_once_wait_for_one() -> None:
    together, loading = Barrier(8), Event()
    made: list[object] = []

    @once
    def table() -> object:
        loading.wait(0.05)  # long enough for the others to ask
        made.append(object())
        return made[-1]

    def ask(_: int) -> object:
        together.wait()
        return table()

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(ask, range(8)))
    assert len(made) == 1
    assert all(one is made[0] for one in got)


def test_what_failed_is_tried_again() -> None:
    tries: list[int] = []

    @once
    def table() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not now")
        return 7

    with pytest.raises(OSError, match="not now"):
        table()
    assert (table(), table(), len(tries)) == (7, 7, 2)
