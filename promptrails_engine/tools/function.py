"""Python functions as tools."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from promptrails_engine.errors import DefinitionError, ToolError
from promptrails_engine.ports.tool import Effect, Tool, ToolContext
from promptrails_engine.run.tool_result import to_json_data
from promptrails_engine.tools.docs import read_docs
from promptrails_engine.tools.naming import check_effect, check_name
from promptrails_engine.tools.signature import described, read_signature
from promptrails_engine.tools.threads import WorkerThreads

P = ParamSpec("P")
R = TypeVar("R")
_LONGEST_MESSAGE = 2000


class FunctionTool(Generic[P, R]):
    """A function with type hints, as a tool; calling the object calls the function as before.

    The JSON Schema comes from the hints, descriptions from the docstring or `Field(description=...)`.  A parameter
    hinted `ToolContext` is filled in and hidden from the model.  An async function runs on the event loop, any other
    on one of at most `max_threads` threads of its own, with the caller's context variables.
    """

    __name__: str

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        effect: Effect = "effect",
        max_threads: int = 8,
    ) -> None:
        """Raises DefinitionError for a name, effect or signature that cannot be used."""
        functools.update_wrapper(self, function, updated=())
        target = described(function)
        docs = read_docs(inspect.getdoc(target))
        self.name: str = name if name is not None else getattr(target, "__name__", type(target).__name__)
        check_name(self.name)
        check_effect(self.name, effect)
        if max_threads < 1:
            raise DefinitionError(f"Tool '{self.name}' has max_threads={max_threads}; it needs at least one.")
        self.description: str = docs.description if description is None else description
        self.effect: Effect = effect
        self._function = function
        self._signature = read_signature(function, docs.parameters)
        self.parameters: dict[str, Any] = self._signature.parameters
        self._is_async = _is_async(function)
        self._threads = WorkerThreads(f"tool-{self.name}", max_threads)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"FunctionTool({self.name!r}, effect={self.effect!r})"

    async def call(self, arguments: dict[str, Any], ctx: ToolContext) -> Any:
        """The function's result as JSON data.

        Raises:
            ToolArgsInvalidError: the arguments break the schema; the function was not called.
            ToolError: the function raised (its exception is the cause), or returned what has no JSON form.
        """
        values = self._signature.validate(arguments, self.name)
        for parameter in self._signature.context:
            values[parameter] = ctx
        try:
            if self._is_async:
                result = await cast("Callable[..., Awaitable[Any]]", self._function)(**values)
            else:
                result = await self._threads.run(functools.partial(self._run, values))
                if not inspect.isawaitable(result):
                    return result
                result = await result
        except ToolError:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise self._failure(error) from error  # something inside was cancelled, not this call
        except (Exception, SystemExit) as error:
            raise self._failure(error) from error
        return to_json_data(result, self.name)

    def _run(self, values: dict[str, Any]) -> Any:
        try:
            result = cast("Callable[..., Any]", self._function)(**values)
            # A large result is converted here, off the loop.
            return result if inspect.isawaitable(result) else to_json_data(result, self.name)
        except ToolError:
            raise
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # futures change or refuse some of them
            raise self._failure(error) from error

    def _failure(self, error: BaseException) -> ToolError:
        try:
            text = str(error)
        except Exception:  # a broken __str__ must not hide the failure
            text = ""
        kind = type(error).__name__
        reason = f"{kind}: {text}" if text else kind
        return ToolError(f"Tool '{self.name}' failed: {reason[:_LONGEST_MESSAGE]}", details={"exception": kind})


@overload
def tool(function: Callable[P, R], /) -> FunctionTool[P, R]: ...


@overload
def tool(
    *, name: str | None = None, description: str | None = None, effect: Effect = "effect", max_threads: int = 8
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "effect",
    max_threads: int = 8,
) -> Any:
    """The function as a tool, still callable as before: `@tool` or `@tool(name=..., effect="pure")`.

    Args:
        function: A function with type hints, async or not.
        name: What the model calls it; the function's own name by default.
        description: What the model is told; the docstring by default.
        effect: What a call does to the world: "pure" (nothing), "idempotent" (the same however often it is made) or
            "effect" (something each time: after a crash it waits for a decision and is never silently repeated).
        max_threads: How many calls of a function that is not async may run at once.

    Raises:
        DefinitionError: the name, the effect or the signature cannot be used.
    """
    if function is None:
        return functools.partial(
            FunctionTool, name=name, description=description, effect=effect, max_threads=max_threads
        )
    if not callable(function):
        raise DefinitionError("tool() takes a function; give a name as @tool(name=...).")
    return FunctionTool(function, name=name, description=description, effect=effect, max_threads=max_threads)


def as_tool(obj: Tool | Callable[..., Any]) -> Tool:
    """The object itself if it is a tool; else the function as one, with effect "effect".

    Raises:
        DefinitionError: it is neither, or its signature cannot be used.
    """
    if isinstance(obj, type):
        raise DefinitionError(f"{obj.__name__} is a class: pass an instance, or a function.")
    if isinstance(obj, Tool):
        return obj
    if callable(obj):
        return FunctionTool(obj)
    raise DefinitionError(f"A {type(obj).__name__} is no tool: pass a function, or an object with the Tool methods.")


def _is_async(function: Callable[..., Any]) -> bool:
    if inspect.iscoroutinefunction(function):
        return True
    return not inspect.isroutine(function) and inspect.iscoroutinefunction(type(function).__call__)
