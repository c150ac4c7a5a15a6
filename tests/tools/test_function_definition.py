"""Functions as tools: what the model is told, and which functions cannot be tools."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from promptrails_engine.errors import DefinitionError, ToolArgsInvalidError
from promptrails_engine.ports.tool import Tool, ToolContext
from promptrails_engine.testing.contexts import tool_context
from promptrails_engine.tools import FunctionTool, as_tool, tool


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


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


def test_a_name_where_the_function_belongs() -> None:
    with pytest.raises(DefinitionError, match=r"@tool\(name="):
        tool("name")  # type: ignore[call-overload]  # the case under test
