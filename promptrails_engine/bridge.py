"""The bridge: one thread with an event loop, over which sync code uses the async engine.

It works wherever the caller stands: in a script, a pool of threads, a notebook, or below somebody else's running loop,
for it never uses the caller's loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

from promptrails_engine.errors import EngineClosedError, EngineUsageError

P = ParamSpec("P")
R = TypeVar("R")


class Bridge:
    """Owns the loop and its thread; both start at the first call, and again in a forked child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def call(self, function: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the coroutine function returns, run on the loop in the caller's context.

        An interrupt of the waiting thread cancels it.

        Raises:
            EngineUsageError: called on the engine's own loop, which would wait for itself.
            EngineClosedError: after `close`.
        """
        loop = self._running_loop()
        future: Future[R] = Future()
        tasks: list[asyncio.Task[None]] = []

        async def work() -> None:
            try:
                result = await function(*args, **kwargs)
            except asyncio.CancelledError:
                future.set_exception(EngineClosedError("the engine was closed while this call was going on"))
                raise
            except BaseException as error:
                future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                future.set_result(result)

        def start() -> None:
            tasks.append(loop.create_task(work()))

        loop.call_soon_threadsafe(start, context=contextvars.copy_context())
        try:
            return future.result()
        except KeyboardInterrupt:
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
            raise

    def close(self) -> None:
        """Stop the loop and its thread.  May be called twice."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            if loop is None or thread is None or self._pid != os.getpid():
                return
        if thread is threading.current_thread():
            raise EngineUsageError("the engine cannot be closed from its own loop")
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None or self._pid != os.getpid():
            if self._loop is not None:
                self._lock = threading.Lock()  # a forked child: a thread that is not there may hold the old one
            loop = self._start()
        if self._thread is threading.current_thread():
            raise EngineUsageError(
                "a sync call from a tool, provider or callback that runs on the engine's own loop would wait for "
                "itself for ever; make the function a plain `def` (it then runs on a thread of its own), or await "
                "an AsyncEngine"
            )
        return loop

    def _start(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise EngineClosedError("the engine is closed; make a new one")
            if self._loop is not None and self._pid == os.getpid():
                return self._loop
            loop = asyncio.new_event_loop()
            ready = threading.Event()
            thread = threading.Thread(target=_serve, args=(loop, ready), name="promptrails-engine", daemon=True)
            thread.start()
            ready.wait()
            self._loop, self._thread, self._pid = loop, thread, os.getpid()
            return loop


def _serve(loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    loop.call_soon(ready.set)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
