"""The tool port: something that a model may call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

Effect = Literal["pure", "idempotent", "effect"]
"""What a call does to the world: nothing; the same however often it is made; something each time."""


class State(Protocol):
    """Named JSON values that last as long as the session, or the run where there is no session."""

    async def get(self, key: str) -> Any:
        """The value, or None."""
        ...

    async def set(self, key: str, value: Any) -> None: ...

    async def delete(self, key: str) -> bool:
        """Whether there was one."""
        ...

    async def list(self) -> dict[str, Any]:
        """All values by key."""
        ...


@dataclass(slots=True)
class ToolContext:
    """What a tool may know of the run that calls it."""

    execution_id: str
    trace_id: str
    workspace_id: str
    agent_id: str
    call_id: str
    session_id: str
    user_id: str
    state: State
    now: Callable[[], float]
    """Seconds since the epoch, from the engine's clock."""
    idempotency_key: str = ""
    """Of this call, the same however often it is made: a run that goes on after a crash repeats its calls with it."""


@runtime_checkable
class Tool(Protocol):
    """A tool.  `parameters` is a JSON Schema of type object; its arguments are checked by `call`."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def parameters(self) -> Mapping[str, Any]: ...

    @property
    def effect(self) -> Effect: ...

    def call(self, arguments: dict[str, Any], ctx: ToolContext) -> Awaitable[Any]:
        """Run the tool; the result is JSON data or a string.

        Raises:
            ToolArgsInvalidError: the arguments break the schema.
            ToolError: it failed in a way that the model should hear of.
        """
        ...
