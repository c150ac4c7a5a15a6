"""Two faces of one class: every resource is written once, with `async` methods, and typed for both engines.

A `Resource[Async]` hands out its methods as they are; a `Resource[Sync]` hands out the same ones run over the bridge,
with the same parameters and the bare result.  The types say so through `__get__`, so an IDE sees both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")


class Async:
    """Marks the face of `AsyncEngine`."""


class Sync:
    """Marks the face of `Engine`."""


M_co = TypeVar("M_co", bound=Async | Sync, covariant=True)


class Caller(Protocol):
    """Runs a coroutine function on the engine's loop and waits for it."""

    def call(self, function: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> R: ...


class Resource(Generic[M_co]):
    """Base of all resources.  `bridge` is there on the sync face only."""

    def __init__(self, bridge: Caller | None) -> None:
        self._bridge = bridge


class method(Generic[P, R]):
    """An async method of a resource, in both faces."""

    def __init__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]) -> None:
        self._function = function
        functools.update_wrapper(self, function)  # type: ignore[arg-type]  # for help() and inspect.signature

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, obj: None, owner: Any = None) -> method[P, R]: ...
    @overload
    def __get__(self, obj: Resource[Async], owner: Any = None) -> Callable[P, Coroutine[Any, Any, R]]: ...
    @overload
    def __get__(self, obj: Resource[Sync], owner: Any = None) -> Callable[P, R]: ...
    def __get__(self, obj: Any, owner: Any = None) -> Any:
        if obj is None:
            return self
        bound = self._function.__get__(obj)
        bridge: Caller | None = obj._bridge
        if bridge is not None:
            bound = functools.update_wrapper(functools.partial(bridge.call, bound), self._function)
        # The next look-up finds it on the instance itself: a descriptor without __set__ gives way.
        obj.__dict__[self._name] = bound
        return bound
