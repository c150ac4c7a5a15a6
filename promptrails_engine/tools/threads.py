"""Runs blocking functions off the event loop, on few threads."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, TypeVar

_T = TypeVar("_T")
_Job = tuple[Future[Any], Callable[[], Any]]


class WorkerThreads:
    """At most `limit` daemon threads, made when there is work and gone after `idle_s` seconds without.

    Unlike the loop's default executor it is not shared, so that a function that hangs starves nobody else, and its
    threads do not keep the process alive.  Calls beyond the limit wait in line.
    """

    def __init__(self, name: str, limit: int, idle_s: float = 10.0) -> None:
        self._name = name
        self._limit = limit
        self._idle_s = idle_s
        self._reset()

    async def run(self, function: Callable[[], _T]) -> _T:
        """What the function returns.  It sees a copy of the caller's context variables.

        Cancelling the caller takes a waiting call out of the line; a running one goes on, and its result is dropped.
        """
        future: Future[_T] = Future()
        context = copy_context()
        self._submit((future, lambda: context.run(function)))
        return await asyncio.wrap_future(future)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._unfinished = 0
        self._threads = 0

    def _submit(self, job: _Job) -> None:
        if self._pid != os.getpid():  # threads do not survive a fork
            self._reset()
        with self._lock:
            self._jobs.put(job)
            self._unfinished += 1
            if self._unfinished <= self._threads or self._threads == self._limit:
                return
            self._threads += 1
            try:
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
            except RuntimeError:  # the system has no thread to give
                self._threads -= 1
                if self._threads == 0:
                    job[0].cancel()
                    raise

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            self._run_job(*job)
            del job  # an idle thread holds on to nothing

    def _run_job(self, future: Future[Any], function: Callable[[], Any]) -> None:
        result: Any = None
        failure: BaseException | None = None
        if future.set_running_or_notify_cancel():
            try:
                result = function()
            except BaseException as error:
                failure = error
        with self._lock:
            self._unfinished -= 1
        if future.cancelled():
            return
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure)
            failure = None  # it refers to this frame

    def _next_job(self) -> _Job | None:
        while True:
            try:
                return self._jobs.get(timeout=self._idle_s)
            except queue.Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._threads -= 1
                        return None
