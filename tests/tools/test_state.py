"""The state manager."""

from __future__ import annotations

from typing import Any

import pytest

from promptrails_engine.errors import ToolArgsInvalidError, ToolError
from promptrails_engine.ports.tool import State, ToolContext
from promptrails_engine.testing.contexts import MemoryState, tool_context
from promptrails_engine.tools.builtin import builtin


@pytest.fixture
def ctx() -> ToolContext:
    return tool_context()


async def call(ctx: ToolContext, **arguments: Any) -> Any:
    return await builtin("state").call(arguments, ctx)


async def test_set_get_list_delete(ctx: ToolContext) -> None:
    assert await call(ctx, action="get", key="a") is None
    assert await call(ctx, action="set", key="a", value={"n": [1, None, "x"]}) == {"stored": True}
    assert await call(ctx, action="set", key="b", value=2) == {"stored": True}
    assert await call(ctx, action="get", key="a") == {"n": [1, None, "x"]}
    assert await call(ctx, action="list") == {"a": {"n": [1, None, "x"]}, "b": 2}
    assert await call(ctx, action="delete", key="a") == {"deleted": True}
    assert await call(ctx, action="delete", key="a") == {"deleted": False}
    assert await call(ctx, action="list") == {"b": 2}


async def test_each_context_has_its_own_values(ctx: ToolContext) -> None:
    await call(ctx, action="set", key="a", value=1)
    assert await call(tool_context(), action="get", key="a") is None


@pytest.mark.parametrize("action", ["get", "set", "delete"])
async def test_a_key_is_needed(ctx: ToolContext, action: str) -> None:
    with pytest.raises(ToolError, match="needs a key"):
        await call(ctx, action=action)


@pytest.mark.parametrize(
    "arguments",
    [
        {"action": "drop", "key": "a"},
        {"action": "get", "key": ""},
        {"action": "get", "key": "x" * 257},
        {"action": "get", "key": 1},
        {"key": "a"},
        {"action": "set", "key": "a", "value": object()},
    ],
)
async def test_bad_arguments(ctx: ToolContext, arguments: dict[str, Any]) -> None:
    with pytest.raises(ToolArgsInvalidError):
        await call(ctx, **arguments)


async def test_a_value_may_not_be_too_large(ctx: ToolContext) -> None:
    await call(ctx, action="set", key="a", value="x" * 65_534)
    with pytest.raises(ToolError, match="65536 bytes"):
        await call(ctx, action="set", key="a", value="x" * 65_535)
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ToolError):
        await call(ctx, action="set", key="a", value=deep)
    assert await call(ctx, action="get", key="a") == "x" * 65_534


async def test_the_state_in_memory_is_a_state_and_copies() -> None:
    state: State = MemoryState()
    value = [1]
    await state.set("a", value)
    value.append(2)
    (await state.get("a")).append(3)
    (await state.list())["a"].append(4)
    assert await state.get("a") == [1]
