"""A context to call tools with, outside any run."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

from promptrails_engine.ports.tool import State, ToolContext


class MemoryState:
    """Named values in a dict; values are copied in and out, as a store would."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    async def get(self, key: str) -> Any:
        return copy.deepcopy(self._values.get(key))

    async def set(self, key: str, value: Any) -> None:
        self._values[key] = copy.deepcopy(value)

    async def delete(self, key: str) -> bool:
        return self._values.pop(key, _MISSING) is not _MISSING

    async def list(self) -> dict[str, Any]:
        return copy.deepcopy(self._values)


_MISSING = object()


def tool_context(
    *,
    execution_id: str = "execution",
    trace_id: str = "0" * 31 + "1",
    workspace_id: str = "workspace",
    agent_id: str = "agent",
    call_id: str = "call",
    session_id: str = "session",
    user_id: str = "user",
    state: State | None = None,
    now: Callable[[], float] = time.time,
) -> ToolContext:
    """A ToolContext with the given fields, an empty state in memory and the machine's clock."""
    return ToolContext(
        execution_id=execution_id,
        trace_id=trace_id,
        workspace_id=workspace_id,
        agent_id=agent_id,
        call_id=call_id,
        session_id=session_id,
        user_id=user_id,
        state=MemoryState() if state is None else state,
        now=now,
    )
