"""Time that tests own: a clock that is put forward, one that stands still, and a loop without any but its timers."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


def put_forward(loop: asyncio.AbstractEventLoop) -> Callable[[float], None]:
    """Moves the clock of this loop by so many seconds; timers that are due then come at once."""
    ahead = 0.0
    real: Callable[[], float] = loop.time

    def move(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    loop.time = lambda: real() + ahead  # type: ignore[method-assign]
    return move


class HeldClock:
    """The clock of this loop, which stands still between `stop` and `go_on`: no timer comes, whatever takes long."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._real: Callable[[], float] = loop.time
        self._lost = 0.0
        self._since: float | None = None
        loop.time = self._time  # type: ignore[method-assign]

    def _time(self) -> float:
        return (self._real() if self._since is None else self._since) - self._lost

    def stop(self) -> None:
        if self._since is None:
            self._since = self._real()

    def go_on(self) -> None:
        if self._since is not None:
            self._lost += self._real() - self._since
            self._since = None


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in which nothing takes time: when all wait, the clock jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__(_Jumping(self))
        self._moment = 1000.0

    def time(self) -> float:
        return self._moment

    def jump(self, seconds: float) -> None:
        self._moment += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Done here and now: what a thread takes is no time either."""
        done: Future[Any] = Future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return asyncio.wrap_future(done, loop=self)


class _Jumping(selectors.DefaultSelector):  # type: ignore[valid-type,misc]
    """Instead of waiting for a timer, moves the clock to it."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("everybody waits for nothing: no timer is set")
        ready = super().select(0)
        if not ready and timeout > 0:
            self._loop.jump(timeout)
        return ready


def in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, run on a loop of its own that waits for nothing."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
