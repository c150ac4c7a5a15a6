"""Coroutines run at once, until all have ended or enough of them have.

`asyncio.TaskGroup` knows one rule only, that one failure ends all; and where the caller is cancelled in the same moment
as a child fails, it raises the failure alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

R = TypeVar("R")


async def side_by_side(
    works: Sequence[Coroutine[Any, Any, R]], ended: Callable[[int, R | BaseException], bool]
) -> None:
    """Return when each has ended, in a task of its own; there is one at least.

    `ended` is told of the end of each, in the order in which they come; once it returns True the others are cancelled,
    and it hears of no more.  It must not raise.

    Raises:
        CancelledError: the caller was cancelled; then all have been too.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    left = len(works)
    decided = False
    tasks: list[asyncio.Task[R]] = []
    places: dict[asyncio.Task[R], int] = {}

    def stop() -> None:
        nonlocal decided
        decided = True
        for task in tasks:
            task.cancel()

    def note(task: asyncio.Task[R]) -> None:
        nonlocal left
        left -= 1
        result = _result(task)
        try:
            if not decided and ended(places[task], result):
                stop()
        finally:
            if not left and not over.done():
                over.set_result(None)

    for place, work in enumerate(works):
        task = loop.create_task(work)
        places[task] = place
        tasks.append(task)
        task.add_done_callback(note)
    try:
        await over
    except asyncio.CancelledError:
        stop()
        while running := [task for task in tasks if not task.done()]:
            with suppress(asyncio.CancelledError):  # they have been asked already, and the first one goes on below
                await asyncio.wait(running)
        raise


def _result(task: asyncio.Task[R]) -> R | BaseException:
    if task.cancelled():
        return asyncio.CancelledError()
    error = task.exception()
    return task.result() if error is None else error
