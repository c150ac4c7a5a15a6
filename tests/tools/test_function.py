"""Functions as tools: what the model is told, what the function gets, what comes back."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from promptrails_engine.errors import DefinitionError, ToolArgsInvalidError, ToolError
from promptrails_engine.ports.tool import Tool, ToolContext
from promptrails_engine.testing.tool_context import tool_context
from promptrails_engine.tools import FunctionTool, as_tool, tool


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


# ------------------------------------------------------------------ what the model is told


def test_the_schema_comes_from_hints_and_docstring() -> None:
    @tool
    def book(
        city: str,
        nights: Annotated[int, Field(ge=1, le=30)],
        colour: Colour,
        board: Literal["none", "half", "full"] = "none",
        guests: list[str] | None = None,
        note: Annotated[str, Field(description="From the hint.")] = "",
    ) -> str:
        """Book a room.

        It is held for an hour.

        Args:
            city: Where to stay,
                in English.
            nights: How long.
            note: From the docstring.

        Returns:
            The number of the booking.
        """
        return city

    assert book.name == "book"
    assert book.description == "Book a room.\n\nIt is held for an hour."
    schema = book.parameters
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["city", "nights", "colour"]
    assert list(schema["properties"]) == ["city", "nights", "colour", "board", "guests", "note"]
    assert schema["properties"]["city"] == {"type": "string", "description": "Where to stay, in English."}
    assert schema["properties"]["nights"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 30,
        "description": "How long.",
    }
    assert schema["properties"]["board"] == {"type": "string", "enum": ["none", "half", "full"], "default": "none"}
    assert schema["properties"]["guests"]["default"] is None
    assert schema["properties"]["note"]["description"] == "From the hint."
    assert schema["$defs"]["Colour"]["enum"] == ["red", "blue"]


@pytest.mark.parametrize(
    "docstring",
    [
        "Do it.\n\nArgs:\n    a: The first.\n    b (int): The second.\n",
        "Do it.\n\n:param a: The first.\n:param int b: The second.\n:returns: nothing\n",
        "Do it.\n\nParameters\n----------\na : int\n    The first.\nb : int\n    The second.\n",
    ],
    ids=["google", "rest", "numpy"],
)
def test_three_styles_of_docstring(docstring: str) -> None:
    def function(a: int, b: int) -> None: ...

    function.__doc__ = docstring
    subject = FunctionTool(function)
    assert subject.description == "Do it."
    described = {name: entry["description"] for name, entry in subject.parameters["properties"].items()}
    assert described == {"a": "The first.", "b": "The second."}


def test_a_docstring_of_no_style_is_all_description() -> None:
    def function() -> None:
        """Args: this : is : not ::: a section

        :param
        """

    assert FunctionTool(function).description.startswith("Args: this")


def test_no_parameters_and_no_docstring() -> None:
    @tool
    def ping() -> str:
        return "pong"

    assert ping.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert ping.description == ""


def test_given_name_description_and_effect_win() -> None:
    @tool(name="other-name", description="Other.", effect="pure")
    def function() -> None:
        """Mine."""

    assert (function.name, function.description, function.effect) == ("other-name", "Other.", "pure")


def test_a_function_has_effects_unless_it_says_otherwise() -> None:
    @tool
    def function() -> None: ...

    assert function.effect == "effect"


def test_parameters_named_like_attributes_of_models_are_no_problem() -> None:
    @tool
    def function(schema: int, copy: str, model_config: bool, json: float, title: str) -> None: ...

    assert list(function.parameters["properties"]) == ["schema", "copy", "model_config", "json", "title"]
    assert function.parameters["properties"]["title"] == {"type": "string"}


def test_the_context_is_hidden_and_filled_in() -> None:
    @tool
    def who(ctx: ToolContext, greeting: str = "hi", again: Annotated[ToolContext | None, "same"] = None) -> str:
        assert again is ctx
        return f"{greeting} {ctx.user_id}"

    assert list(who.parameters["properties"]) == ["greeting"]
    assert asyncio.run(who.call({"greeting": "ho"}, tool_context(user_id="ada"))) == "ho ada"


async def test_a_model_cannot_fill_the_context_itself() -> None:
    @tool
    def who(ctx: ToolContext) -> str:
        return ctx.user_id

    with pytest.raises(ToolArgsInvalidError, match="/ctx: unknown argument"):
        await run(who, ctx={"user_id": "root"})


async def test_what_a_partial_binds_is_hidden() -> None:
    def fetch(path: str, api_key: str) -> str:
        """Fetch a path."""
        return f"{path}:{api_key}"

    subject = FunctionTool(functools.partial(fetch, api_key="canary"))
    assert (subject.name, subject.description) == ("fetch", "Fetch a path.")
    assert "canary" not in str(subject.parameters)
    assert list(subject.parameters["properties"]) == ["path"]
    assert await run(subject, path="/") == "/:canary"
    with pytest.raises(ToolArgsInvalidError):
        await run(subject, path="/", api_key="other")


# ------------------------------------------------------------------ definitions that cannot be used


def _untyped(a: Any, b: int) -> Any: ...


del _untyped.__annotations__["a"]


def _stars(*args: int) -> None: ...
def _double_stars(**kwargs: int) -> None: ...
def _positional(a: int, /) -> None: ...
def _socket(a: int, lock: threading.Event) -> None: ...
def _callback(done: Callable[[], None]) -> None: ...


@pytest.mark.parametrize(
    ("function", "parameter", "reason"),
    [
        (_untyped, "a", "no type hint"),
        (_stars, "args", "list instead"),
        (_double_stars, "kwargs", "name each parameter"),
        (_positional, "a", "remove the '/'"),
        (_socket, "lock", "cannot be described"),
        (_callback, "done", "cannot be described"),
    ],
)
def test_a_bad_parameter_is_named(function: Callable[..., Any], parameter: str, reason: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        tool(function)
    assert f"'{parameter}'" in caught.value.message
    assert function.__name__ in caught.value.message
    assert reason in caught.value.message


def test_a_hint_that_does_not_exist_is_explained() -> None:
    def function(a: Any) -> None: ...

    function.__annotations__["a"] = "Missing"
    with pytest.raises(DefinitionError, match=r"'Missing'.*module level"):
        tool(function)


def test_a_return_hint_that_does_not_exist_does_not_matter() -> None:
    def function(a: int) -> Any: ...

    function.__annotations__["return"] = "Missing"
    assert list(tool(function).parameters["properties"]) == ["a"]


def test_a_method_must_be_bound() -> None:
    class Shop:
        def __init__(self, price: int) -> None:
            self.price = price

        def total(self, count: int) -> int:
            return self.price * count

    with pytest.raises(DefinitionError, match="bound method"):
        as_tool(Shop.total)
    assert asyncio.run(run(as_tool(Shop(3).total), count=4)) == 12


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "naïve", "a.b", "a\n"])
def test_bad_names(name: str) -> None:
    def function() -> None: ...

    with pytest.raises(DefinitionError, match="64 letters"):
        FunctionTool(function, name=name)


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(DefinitionError, match="name="):
        as_tool(lambda: 1)
    assert FunctionTool(lambda: 1, name="one").name == "one"


def test_bad_effect_and_threads() -> None:
    def function() -> None: ...

    with pytest.raises(DefinitionError, match="pure, idempotent, effect"):
        FunctionTool(function, effect="none")  # type: ignore[arg-type]  # the case under test
    with pytest.raises(DefinitionError, match="max_threads"):
        FunctionTool(function, max_threads=0)


@pytest.mark.parametrize("obj", [3, "text", FunctionTool])
def test_what_is_no_tool(obj: Any) -> None:
    with pytest.raises(DefinitionError):
        as_tool(obj)


def test_a_tool_is_left_as_it_is() -> None:
    @tool
    def function() -> None: ...

    assert as_tool(function) is function


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

    with pytest.raises(ToolError, match="no JSON form") as caught:
        await run(give)
    assert caught.value.__cause__ is not None


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


# ------------------------------------------------------------------ failures


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("bad city"), "ValueError: bad city"),
        (KeyError("x"), "KeyError: 'x'"),
        (TimeoutError(), "TimeoutError"),
        (StopIteration(3), "StopIteration"),
        (SystemExit(2), "SystemExit: 2"),
        (Unprintable(), "Unprintable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("is_async", [True, False])
async def test_exceptions_become_tool_errors(error: BaseException, text: str, is_async: bool) -> None:
    async def fail_async() -> None:
        raise error

    def fail_sync() -> None:
        raise error

    if isinstance(error, StopIteration) and is_async:
        text = "RuntimeError"  # as Python has it
    with pytest.raises(ToolError) as caught:
        await run(FunctionTool(fail_async if is_async else fail_sync, name="fail"))
    assert caught.value.message.startswith(f"Tool 'fail' failed: {text}")
    assert caught.value.code == "tool_failed"
    cause = caught.value.__cause__
    assert cause is error or (cause is not None and cause.__cause__ is error)


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_tool_error_passes_unchanged(is_async: bool) -> None:
    mine = ToolError("no such city", details={"city": "x"})

    async def fail_async() -> None:
        raise mine

    def fail_sync() -> None:
        raise mine

    with pytest.raises(ToolError) as caught:
        await run(as_tool(fail_async if is_async else fail_sync))
    assert caught.value is mine


async def test_long_messages_are_cut() -> None:
    @tool
    async def fail() -> None:
        raise ValueError("x" * 1_000_000)

    with pytest.raises(ToolError) as caught:
        await run(fail)
    assert len(caught.value.message) < 2100


async def test_cancelling_the_call_cancels_the_function() -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    @tool
    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    task = asyncio.create_task(run(wait))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()


async def test_a_cancellation_inside_is_a_failure_of_the_tool() -> None:
    @tool
    async def wait() -> None:
        inner = asyncio.get_running_loop().create_future()
        inner.cancel()
        await inner

    with pytest.raises(ToolError, match="CancelledError"):
        await run(wait)


async def test_cancelling_a_waiting_sync_call_takes_it_out_of_the_line() -> None:
    release, started = threading.Event(), threading.Event()
    calls: list[str] = []

    @tool(max_threads=1)
    def work(name: str) -> str:
        calls.append(name)
        started.set()
        release.wait(10)
        return name

    first = asyncio.create_task(run(work, name="first"))
    await asyncio.to_thread(started.wait, 10)
    second = asyncio.create_task(run(work, name="second"))
    third = asyncio.create_task(run(work, name="third"))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    release.set()
    assert await first == "first"
    assert await third == "third"
    assert calls == ["first", "third"]


async def test_cancelling_a_running_sync_call_returns_at_once() -> None:
    release, started = threading.Event(), threading.Event()

    @tool
    def work() -> None:
        started.set()
        release.wait(10)

    task = asyncio.create_task(run(work))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()


def test_a_name_where_the_function_belongs() -> None:
    with pytest.raises(DefinitionError, match=r"@tool\(name="):
        tool("name")  # type: ignore[call-overload]  # the case under test
