"""The state manager: named values that a model keeps for the session."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from promptrails_engine.errors import ToolError
from promptrails_engine.ports.tool import ToolContext
from promptrails_engine.tools.function import tool

MAX_VALUE_BYTES = 64 * 1024


@tool(name="state", effect="idempotent")
async def state(
    action: Literal["get", "set", "delete", "list"],
    ctx: ToolContext,
    key: Annotated[str, Field(min_length=1, max_length=256)] | None = None,
    value: JsonValue = None,
) -> Any:
    """Keep named values for later in this session: get, set or delete one, or list them all.

    Args:
        action: What to do. "get" gives the value, or null if there is none; "delete" tells whether there was one.
        key: Name of the value; not needed for "list".
        value: What to keep, for "set": any JSON value.
    """
    if action == "list":
        return await ctx.state.list()
    if key is None:
        raise ToolError(f"The action '{action}' needs a key.")
    if action == "get":
        return await ctx.state.get(key)
    if action == "delete":
        return {"deleted": await ctx.state.delete(key)}
    if len(json.dumps(value)) > MAX_VALUE_BYTES:
        raise ToolError(f"The value is larger than {MAX_VALUE_BYTES} bytes as JSON: keep something shorter.")
    await ctx.state.set(key, value)
    return {"stored": True}
