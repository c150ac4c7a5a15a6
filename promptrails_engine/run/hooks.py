"""Tells functions and webhooks of the application what happens, so that none can slow, fail or fill up a run."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import inspect
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast, get_args

from promptrails_engine.clock import Clock, iso
from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ids import IdFactory
from promptrails_engine.secrets import mask

HookName = Literal["execution.awaiting_approval", "approval.decided"]

_AT_ONCE = 16
_WAITING = 1000
_MOST_S = 300.0
_CANCEL_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HookEvent:
    """Something that has happened.

    Attributes:
        event: `execution.awaiting_approval` or `approval.decided`.
        id: of this event: the same for all hooks, and for all attempts of a webhook.
        created_at: ISO-8601, in UTC.
        data: JSON data.
    """

    event: str
    id: str
    created_at: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])

    def to_dict(self) -> dict[str, Any]:
        return {"event": self.event, "id": self.id, "created_at": self.created_at, "data": self.data}


Hook = Callable[[HookEvent], object]
"""A function, sync or async, or a `Webhook`."""


class InThread(Protocol):
    """Runs a function in a thread."""

    def __call__(self, function: Callable[[], Any], /) -> Coroutine[Any, Any, Any]: ...


@dataclass(frozen=True, slots=True)
class HookStats:
    """Deliveries, each of one event to one hook.

    Attributes:
        delivered: hooks that returned.
        failed: hooks that raised, or took too long.
        dropped: deliveries that were not made: too many waited, or the engine was closed.
    """

    delivered: int
    failed: int
    dropped: int


@dataclass(frozen=True, slots=True)
class _Delivery:
    hook: Hook
    event: HookEvent
    context: contextvars.Context


class Hooks:
    """The hooks of one engine.

    Deliveries are made in the background on the loop that fires, 16 at once; up to 1000 more wait, and what comes on
    top is dropped and counted.  Events may overtake each other.

    Args:
        hooks: by the name of the event.
        in_thread: runs sync functions.
        most_s: seconds after which a hook is given up.
    """

    def __init__(
        self,
        hooks: Mapping[str, Iterable[Hook]] | None,
        *,
        ids: IdFactory,
        clock: Clock,
        in_thread: InThread,
        most_s: float = _MOST_S,
    ) -> None:
        """Raises ConfigurationError for a name that is not known, or a hook that cannot be called."""
        self._hooks = {name: _checked(name, given) for name, given in (hooks or {}).items()}
        self._ids = ids
        self._clock = clock
        self._in_thread = in_thread
        self._most_s = most_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[_Delivery] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._closed = self._full = False
        self._delivered = self._failed = self._dropped = 0

    def fire(self, name: HookName, data: Mapping[str, Any]) -> None:
        """Tell the hooks of this name, in the background.  Never waits, never raises."""
        hooks = self._hooks.get(name)
        if not hooks:
            return
        try:
            # A copy: what a hook does to it must not reach the run, nor what the run does to it the hook.
            event = HookEvent(name, self._ids.record(), iso(self._clock.now()), copy.deepcopy(dict(data)))
            self._accept([_Delivery(hook, event, contextvars.copy_context()) for hook in hooks])
        except Exception as error:
            self._failed += len(hooks)
            _log.warning("the hooks of '%s' could not be told: %s", name, _said(error))

    def stats(self) -> HookStats:
        """What has become of the deliveries so far; those that wait or go on are not among them."""
        return HookStats(self._delivered, self._failed, self._dropped)

    async def close(self, timeout_s: float = 5.0) -> bool:
        """Whether all deliveries were made within so many seconds; the others are cancelled and count as dropped.

        What is fired from now on is dropped.
        """
        self._closed = True
        loop = asyncio.get_running_loop()
        self._serve(loop)
        deadline = loop.time() + timeout_s
        while self._workers and (left := deadline - loop.time()) > 0:
            await asyncio.wait(self._workers, timeout=left)
        lost = len(self._waiting) + len(self._workers)
        self._dropped += len(self._waiting)
        self._waiting.clear()
        for worker in self._workers:
            worker.cancel()
        if self._workers:
            await asyncio.wait(self._workers, timeout=_CANCEL_S)
        if lost:
            _log.warning("%d hook deliveries were not made before the engine closed", lost)
        return not lost

    # -------------------------------------------------------------- inside

    def _accept(self, deliveries: Sequence[_Delivery]) -> None:
        loop = asyncio.get_running_loop()
        self._serve(loop)
        for delivery in deliveries:
            if self._closed or len(self._waiting) >= _WAITING:
                self._drop(delivery)
            else:
                self._waiting.append(delivery)
                self._full = False
        for _ in range(min(_AT_ONCE - len(self._workers), len(self._waiting))):
            worker = loop.create_task(self._work(loop), context=contextvars.Context())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    def _drop(self, delivery: _Delivery) -> None:
        self._dropped += 1
        if not self._full:  # said once, not once a delivery
            self._full = True
            reason = "the engine is closed" if self._closed else f"{_WAITING} deliveries wait already"
            _log.warning("hooks of '%s' are not told: %s", delivery.event.event, reason)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:  # the first, or one after the old loop is gone, with all that went on there
            self._dropped += len(self._waiting) + len(self._workers)
            self._waiting.clear()
            self._workers.clear()
            self._loop = loop

    async def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            delivery = self._waiting.popleft()
            try:
                await loop.create_task(self._deliver(delivery), context=delivery.context)
            except asyncio.CancelledError:  # by `close`, or because the loop ends
                self._dropped += 1
                raise
        if (task := asyncio.current_task()) is not None:
            self._workers.discard(task)  # at once: what is fired next must not count on this one

    async def _deliver(self, delivery: _Delivery) -> None:
        error: BaseException | None = None
        try:
            async with asyncio.timeout(self._most_s):
                if _is_async(delivery.hook):
                    result = delivery.hook(delivery.event)
                else:
                    result, error = await self._in_thread(lambda: _outcome(delivery))
                if inspect.isawaitable(result):
                    await result
        except asyncio.CancelledError as raised:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            error = raised  # the hook's own doing
        except (Exception, SystemExit) as raised:
            error = raised
        if error is None:
            self._delivered += 1
            return
        self._failed += 1
        _log.warning("hook %s of '%s' failed: %s", _name(delivery.hook), delivery.event.event, _said(error))


def _checked(name: str, given: Iterable[Hook]) -> tuple[Hook, ...]:
    known = get_args(HookName)
    if name not in known:
        raise ConfigurationError(f"hooks has the name {name!r}; there are: {', '.join(known)}")
    value = cast("object", given)
    if callable(value) or isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigurationError(f"hooks[{name!r}] must be a list of functions or webhooks, such as [{_name(given)}]")
    hooks = tuple(given)
    for hook in hooks:
        _check_callable(name, hook)
    return hooks


def _check_callable(name: str, hook: object) -> None:
    if not callable(hook):
        kind = type(hook).__name__
        raise ConfigurationError(f"hooks[{name!r}] holds an object of type {kind}, which cannot be called")


def _is_async(hook: Hook) -> bool:
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__)


def _outcome(delivery: _Delivery) -> tuple[object, BaseException | None]:
    try:
        return delivery.hook(delivery.event), None
    except (Exception, SystemExit, asyncio.CancelledError) as error:  # futures change or refuse some of them
        return None, error


def _name(hook: object) -> str:
    """A name to log; not its repr, which may hold secrets (those of a partial are its arguments)."""
    return str(getattr(hook, "__qualname__", type(hook).__qualname__))


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {mask(str(error))}" if str(error) else type(error).__name__
