"""The tools of this library pass the suite that every tool must pass, and bad tools do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from promptrails_engine.errors import ToolArgsInvalidError
from promptrails_engine.ports.tool import Tool, ToolContext
from promptrails_engine.testing.tool_conformance import ToolConformance
from promptrails_engine.tools import tool
from promptrails_engine.tools.builtin import builtin


class TestCalculator(ToolConformance):
    def make(self) -> Tool:
        return builtin("calculator")

    def arguments(self) -> dict[str, Any]:
        return {"expression": "1 + 1"}


class TestCurrentTime(ToolConformance):
    def make(self) -> Tool:
        return builtin("current_time")

    def arguments(self) -> dict[str, Any]:
        return {"timezone": "Europe/Istanbul"}


class TestCurrentDate(ToolConformance):
    def make(self) -> Tool:
        return builtin("current_date")

    def arguments(self) -> dict[str, Any]:
        return {}


class TestDateMath(ToolConformance):
    def make(self) -> Tool:
        return builtin("date_math")

    def arguments(self) -> dict[str, Any]:
        return {"operation": "add", "start": "2026-01-01", "days": 3}


class TestState(ToolConformance):
    def make(self) -> Tool:
        return builtin("state")

    def arguments(self) -> dict[str, Any]:
        return {"action": "set", "key": "a", "value": [1]}


class TestAsyncFunction(ToolConformance):
    def make(self) -> Tool:
        @tool
        async def repeat(ctx: ToolContext, text: str, times: int = 2) -> list[str]:
            """Repeat a text."""
            return [text] * times

        return repeat

    def arguments(self) -> dict[str, Any]:
        return {"text": "x"}


class TestSyncFunction(ToolConformance):
    def make(self) -> Tool:
        @tool
        def repeat(text: str, times: int = 2) -> list[str]:
            """Repeat a text."""
            return [text] * times

        return repeat

    def arguments(self) -> dict[str, Any]:
        return {"text": "x", "times": 3}


# ------------------------------------------------------------------ the suite finds what is wrong

Body = Callable[[dict[str, Any]], Any]


class Handmade:
    """A tool with one fault, chosen by its body or schema."""

    name = "handmade"
    effect = "pure"

    def __init__(self, body: Body, schema: dict[str, Any] | None = None, description: str = "Handmade.") -> None:
        self._body = body
        self.parameters = schema or {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
        self.description = description

    def call(self, arguments: dict[str, Any], ctx: ToolContext) -> Awaitable[Any]:
        async def run() -> Any:
            return self._body(arguments)

        return run()


def strict(arguments: dict[str, Any]) -> int:
    if set(arguments) != {"a"} or not isinstance(arguments["a"], int):
        raise ToolArgsInvalidError(f"unknown or bad: {sorted(arguments)}")
    return 1


def lenient(arguments: dict[str, Any]) -> int:
    return 1


def mutating(arguments: dict[str, Any]) -> int:
    arguments["more"] = 1
    return 1


def not_json(arguments: dict[str, Any]) -> Any:
    return {1: (2,)}


def echoing(arguments: dict[str, Any]) -> int:
    if set(arguments) != {"a"}:
        raise ToolArgsInvalidError(f"bad: {arguments}")
    return 1


def suite(subject: Any) -> ToolConformance:
    class Suite(ToolConformance):
        def make(self) -> Tool:
            made: Tool = subject
            return made

        def arguments(self) -> dict[str, Any]:
            return {"a": 1}

    return Suite()


def failures(subject: Any) -> set[str]:
    found: set[str] = set()
    tests = suite(subject)
    for name in dir(tests):
        if name.startswith("test_"):
            try:
                getattr(tests, name)()
            except (AssertionError, Exception):
                found.add(name)
    return found


def test_a_good_tool_made_by_hand_passes() -> None:
    assert failures(Handmade(strict)) == set()


@pytest.mark.parametrize(
    ("subject", "finding"),
    [
        (Handmade(lenient), "test_bad_arguments_are_refused"),
        (Handmade(lenient), "test_unknown_arguments_are_refused"),
        (Handmade(mutating), "test_the_arguments_are_left_as_they_were"),
        (Handmade(not_json), "test_the_result_is_json_data"),
        (Handmade(echoing), "test_values_are_not_repeated_in_refusals"),
        (Handmade(strict, description=" "), "test_name_description_and_effect_can_be_used"),
        (Handmade(strict, {"type": "object", "required": ["a"]}), "test_the_parameters_are_a_json_schema_of_an_object"),
        (Handmade(strict, {"type": "object", "properties": 3}), "test_the_parameters_are_a_json_schema_of_an_object"),
        (Handmade(strict, {"type": "object", "maxProperties": 0}), "test_the_schema_admits_good_arguments"),
    ],
)
def test_a_fault_is_found(subject: Handmade, finding: str) -> None:
    assert finding in failures(subject)
