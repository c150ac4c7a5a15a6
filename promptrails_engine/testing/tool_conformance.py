"""The tests that every tool must pass.

Subclass it in a test module and run it with pytest (or call the `test_*` methods):

    class TestMyTool(ToolConformance):
        def make(self) -> Tool:
            return my_tool

        def arguments(self) -> dict[str, Any]:
            return {"city": "Ankara"}
"""

from __future__ import annotations

import asyncio
import copy
import json
from abc import ABC, abstractmethod
from typing import Any

from jsonschema import Draft202012Validator

from promptrails_engine.errors import ToolArgsInvalidError
from promptrails_engine.ports.tool import Tool, ToolContext
from promptrails_engine.testing.contexts import tool_context
from promptrails_engine.tools.naming import check_tool

_UNKNOWN_KEY = "no_such_argument"
_CALLS_AT_ONCE = 8


class ToolConformance(ABC):
    """What the port promises: a usable schema, checked arguments, JSON results, independent calls."""

    @abstractmethod
    def make(self) -> Tool:
        """A tool, ready to be called."""

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Arguments that it takes, and with which a call may be made several times."""

    def bad_arguments(self) -> list[dict[str, Any]]:
        """Arguments that it must refuse: by default, those without each required one, and one of a wrong type."""
        good, schema = self.arguments(), self.make().parameters
        cases = [{key: value for key, value in good.items() if key != name} for name in schema.get("required", [])]
        cases.extend(
            {**good, name: wrong}
            for name, described in schema.get("properties", {}).items()
            if (wrong := _WRONG.get(described.get("type", ""))) is not None
        )
        return cases

    def context(self) -> ToolContext:
        """The context of each call."""
        return tool_context()

    def call(self, arguments: dict[str, Any]) -> Any:
        """The result of one call, on an event loop of its own."""
        return asyncio.run(_call(self.make(), arguments, self.context()))

    # -------------------------------------------------------------- the tests

    def test_name_description_and_effect_can_be_used(self) -> None:
        tool = self.make()
        check_tool(tool)
        assert tool.description.strip(), "without a description a model cannot know what the tool is for"

    def test_the_parameters_are_a_json_schema_of_an_object(self) -> None:
        schema = json.loads(json.dumps(dict(self.make().parameters), allow_nan=False))
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert set(schema.get("required", [])) <= set(schema.get("properties", {})), "required, but not described"

    def test_the_schema_admits_good_arguments(self) -> None:
        schema = dict(self.make().parameters)
        broken = [error.message for error in Draft202012Validator(schema).iter_errors(self.arguments())]  # pyright: ignore[reportUnknownMemberType] -- partly typed stubs
        assert broken == []

    def test_the_schema_stays_the_same(self) -> None:
        before = json.dumps(dict(self.make().parameters), sort_keys=True)
        self.call(self.arguments())
        assert json.dumps(dict(self.make().parameters), sort_keys=True) == before

    def test_the_result_is_json_data(self) -> None:
        result = self.call(self.arguments())
        assert json.loads(json.dumps(result, allow_nan=False)) == result

    def test_the_arguments_are_left_as_they_were(self) -> None:
        given = self.arguments()
        before = copy.deepcopy(given)
        self.call(given)
        assert given == before

    def test_bad_arguments_are_refused(self) -> None:
        for arguments in self.bad_arguments():
            self._refused(arguments)

    def test_unknown_arguments_are_refused(self) -> None:
        error = self._refused({**self.arguments(), _UNKNOWN_KEY: 1})
        assert _UNKNOWN_KEY in error.message, "the model must be told which argument is not known"

    def test_values_are_not_repeated_in_refusals(self) -> None:
        error = self._refused({**self.arguments(), _UNKNOWN_KEY: "canary-3f1b"})
        assert "canary-3f1b" not in f"{error} {error.details} {error.__cause__}"

    def test_calls_may_be_made_at_once(self) -> None:
        tool = self.make()

        async def together() -> list[Any]:
            calls = (_call(tool, self.arguments(), self.context()) for _ in range(_CALLS_AT_ONCE))
            return await asyncio.gather(*calls)

        for result in asyncio.run(together()):
            json.dumps(result, allow_nan=False)

    def test_it_works_on_one_event_loop_after_another(self) -> None:
        tool = self.make()
        for _ in range(2):
            asyncio.run(_call(tool, self.arguments(), self.context()))

    def _refused(self, arguments: dict[str, Any]) -> ToolArgsInvalidError:
        try:
            self.call(arguments)
        except ToolArgsInvalidError as error:
            return error
        raise AssertionError(f"took arguments that break its schema: {sorted(arguments)}")


_WRONG: dict[str, Any] = {
    "string": [1],
    "integer": "not a number",
    "number": "not a number",
    "boolean": "not a boolean",
    "array": "not an array",
    "object": "not an object",
}


async def _call(tool: Tool, arguments: dict[str, Any], ctx: ToolContext) -> Any:
    return await tool.call(arguments, ctx)
