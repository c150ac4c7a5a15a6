"""Functions as tools: what the function gets and what comes back."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from promptrails_engine.errors import ToolArgsInvalidError, ToolError
from promptrails_engine.ports.tool import Tool
from promptrails_engine.testing.contexts import tool_context
from promptrails_engine.tools import FunctionTool, tool


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    """Where someone lives."""

    street: str
    zip: int = Field(ge=0)


@dataclass
class Point:
    x: float
    y: float = 0.0


class Options(TypedDict, total=False):
    deep: bool


async def run(subject: Tool, **arguments: Any) -> Any:
    return await subject.call(arguments, tool_context())


# ------------------------------------------------------------------ calling


def test_the_function_can_be_called_as_before() -> None:
    @tool
    def add(a: int, b: int = 2) -> int:
        """Add."""
        return a + b

    assert add(1) == 3
    assert add(1, b=5) == 6
    assert add.__name__ == "add"
    assert add.__doc__ == "Add."


async def test_an_async_function_runs_on_the_loop() -> None:
    @tool
    async def where() -> bool:
        return threading.current_thread() is thread and asyncio.get_running_loop() is loop

    thread, loop = threading.current_thread(), asyncio.get_running_loop()
    assert await run(where) is True


VAR: contextvars.ContextVar[str] = contextvars.ContextVar("VAR", default="unset")


async def test_a_sync_function_runs_off_the_loop_with_the_context() -> None:
    @tool
    def where() -> list[Any]:
        seen = VAR.get()
        VAR.set("changed in the copy")
        return [threading.current_thread() is not main, seen]

    main = threading.current_thread()
    VAR.set("caller")
    assert await run(where) == [True, "caller"]
    assert VAR.get() == "caller"


async def test_sync_calls_run_side_by_side_up_to_the_limit() -> None:
    gate = threading.Barrier(3, timeout=10)
    running, most = 0, 0
    lock = threading.Lock()

    @tool(max_threads=3)
    def wait() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait()
        with lock:
            running -= 1

    await asyncio.gather(*(run(wait) for _ in range(9)))
    assert most == 3


async def test_arguments_arrive_as_their_types() -> None:
    seen: dict[str, Any] = {}

    @tool
    async def take(
        who: Address, where: Point, options: Options, colour: Colour, day: date, amount: Decimal, pair: tuple[int, str]
    ) -> None:
        seen.update(locals())

    await run(
        take,
        who={"street": "A", "zip": 1},
        where={"x": 1},
        options={"deep": True},
        colour="red",
        day="2026-01-31",
        amount="1.5",
        pair=[1, "x"],
    )
    assert seen["who"] == Address(street="A", zip=1)
    assert seen["where"] == Point(1.0)
    assert seen["options"] == {"deep": True}
    assert seen["colour"] is Colour.RED
    assert seen["day"] == date(2026, 1, 31)
    assert seen["amount"] == Decimal("1.5")
    assert seen["pair"] == (1, "x")


async def test_defaults_of_both_kinds() -> None:
    @tool
    async def take(a: int = 1, b: int = Field(default=2, ge=0), c: Annotated[int, Field(ge=0)] = 3) -> list[int]:
        return [a, b, c]

    assert "required" not in take.parameters
    assert [entry["default"] for entry in take.parameters["properties"].values()] == [1, 2, 3]
    assert await run(take) == [1, 2, 3]
    assert await run(take, b=9) == [1, 9, 3]


async def test_each_broken_rule_has_a_pointer_and_no_value() -> None:
    @tool
    async def take(who: Address, tags: list[int], either: int | bool = 1) -> None: ...

    arguments = {
        "who": {"street": 5, "a/b": 1},
        "tags": [1, "canary"],
        "either": "canary",
        "canary-free": "canary",
        "deep": {"x": "canary"},
    }
    with pytest.raises(ToolArgsInvalidError) as caught:
        await take.call(arguments, tool_context())
    found = {entry["pointer"] for entry in caught.value.details["violations"]}
    assert found == {"/who/street", "/who/zip", "/tags/1", "/either", "/canary-free", "/deep"}
    assert "canary" not in str(caught.value).replace("canary-free", "")
    assert caught.value.__cause__ is None


async def test_pointers_escape_and_long_lists_are_cut() -> None:
    @tool
    async def take() -> None: ...

    with pytest.raises(ToolArgsInvalidError) as caught:
        await take.call({"a/b~c": 1, **{f"k{i}": 1 for i in range(50)}, "x" * 9999: 1}, tool_context())
    assert caught.value.details["violations"][0]["pointer"] == "/a~1b~0c"
    assert "and 32 more" in caught.value.message
    assert len(caught.value.message) < 2000


async def test_the_function_is_not_called_with_bad_arguments() -> None:
    calls: list[int] = []

    @tool
    async def take(a: int) -> None:
        calls.append(a)

    for bad in ({}, {"a": "x"}, {"a": 1, "b": 2}, {"a": float("nan")}):
        with pytest.raises(ToolArgsInvalidError):
            await take.call(bad, tool_context())
    assert calls == []


async def test_a_function_cannot_change_the_callers_list() -> None:
    @tool
    async def take(items: list[int], table: dict[str, int]) -> None:
        items.append(1)
        table["x"] = 1

    arguments: dict[str, Any] = {"items": [], "table": {}}
    await take.call(arguments, tool_context())
    assert arguments == {"items": [], "table": {}}


# ------------------------------------------------------------------ results


async def test_results_become_json_data() -> None:
    results: dict[str, Any] = {
        "text": "a",
        "model": Address(street="A", zip=1),
        "dataclass": Point(1),
        "time": datetime(2026, 1, 1, tzinfo=UTC),
        "nested": [{"day": date(2026, 1, 1)}, (1, 2), {3}],
        "others": [Decimal("1.5"), UUID(int=1), Colour.RED, Path("/a"), b"bytes"],
        "numbers": [10**40, float("nan"), float("inf"), 1.5],
    }

    @tool
    async def give(key: str) -> Any:
        return results[key]

    assert await run(give, key="text") == "a"
    assert await run(give, key="model") == {"street": "A", "zip": 1}
    assert await run(give, key="dataclass") == {"x": 1, "y": 0.0}
    assert await run(give, key="time") == "2026-01-01T00:00:00Z"
    assert await run(give, key="nested") == [{"day": "2026-01-01"}, [1, 2], [3]]
    assert await run(give, key="others") == ["1.5", str(UUID(int=1)), "red", "/a", "bytes"]
    assert await run(give, key="numbers") == [10**40, None, None, 1.5]


async def test_the_result_shares_nothing_with_the_tool() -> None:
    kept = {"rows": [1]}

    @tool
    async def give() -> Any:
        return kept

    (await run(give))["rows"].append(2)
    assert kept == {"rows": [1]}


def _loop() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


def _deep() -> Any:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize("make", [object, _loop, _deep, lambda: b"\xff", lambda: {"x": threading.Lock()}])
async def test_results_without_a_json_form(make: Callable[[], Any]) -> None:
    @tool
    async def give() -> Any:
        return make()

    @tool
    def give_sync() -> Any:
        return make()

    for subject in (give, give_sync):
        with pytest.raises(ToolError, match="no JSON form") as caught:
            await run(subject)
        assert caught.value.__cause__ is not None


async def test_sync_results_become_json_data_as_well() -> None:
    @tool
    def give() -> Any:
        return {"where": Point(1), "colour": Colour.RED}

    assert await run(give) == {"where": {"x": 1, "y": 0.0}, "colour": "red"}


async def test_a_sync_function_may_return_an_awaitable() -> None:
    async def inner() -> int:
        return 5

    @tool
    def outer() -> Any:
        return inner()

    assert await run(outer) == 5


async def test_callable_objects() -> None:
    class Greeter:
        """Greets."""

        async def __call__(self, name: str) -> str:
            return f"hi {name}"

    subject = FunctionTool(Greeter(), name="greet")
    assert subject.description == "Greets."
    assert await run(subject, name="ada") == "hi ada"
