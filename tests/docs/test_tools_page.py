"""The table of built-in tools and the numbers on the page of tools are those of the code."""

from __future__ import annotations

import re

from promptrails_engine import Limits
from promptrails_engine.definitions.settings import DEFAULT_LIMITS
from promptrails_engine.run import tool_calls
from promptrails_engine.run.tool_result import RESULT_LIMIT_BYTES
from promptrails_engine.tools import builtin_tools
from promptrails_engine.tools.builtin.catalog import builtin
from promptrails_engine.tools.function import FunctionTool
from tests.repo.documents import ROOT

PAGE = (ROOT / "docs/tools.md").read_text(encoding="utf-8")


def arguments_of(tool: object) -> str:
    """As the table writes them: `name`, or `name=default` with None for null."""
    assert isinstance(tool, FunctionTool)
    required = tool.parameters.get("required", [])
    shown = []
    for name, schema in tool.parameters["properties"].items():
        default = schema.get("default")
        value = f'"{default}"' if isinstance(default, str) else repr(default)
        shown.append(f"`{name}`" if name in required else f"`{name}={value}`")
    return ", ".join(shown)


def test_the_built_in_tools_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (`.+?`) \| ", PAGE, re.MULTILINE)
    assert rows == [(tool.name, arguments_of(tool)) for tool in builtin_tools()]
    assert builtin("math").name == "calculator"


def test_the_numbers_are_those_of_the_code() -> None:
    assert DEFAULT_LIMITS.over(Limits()) == DEFAULT_LIMITS
    text = " ".join(PAGE.split())
    assert f"A prompt step has {DEFAULT_LIMITS.max_rounds} rounds" in text
    assert f"a run has {DEFAULT_LIMITS.max_tool_calls} tool calls" in text
    assert f"is made {DEFAULT_LIMITS.max_repeated_calls} times" in text
    assert f"one answer may ask for {DEFAULT_LIMITS.max_parallel_calls}" in text
    assert f"beyond {RESULT_LIMIT_BYTES // 1024} KiB" in text
    assert tool_calls._AT_ONCE == 8
    assert "eight at a time" in text
