"""The built-in tools, by the names under which definitions ask for them."""

from __future__ import annotations

from promptrails_engine.errors import DefinitionError
from promptrails_engine.ports.tool import Tool
from promptrails_engine.tools.builtin.calculator import calculator
from promptrails_engine.tools.builtin.dates import current_date, current_time, date_math
from promptrails_engine.tools.builtin.state import state

_TOOLS: tuple[Tool, ...] = (calculator, current_time, current_date, date_math, state)
_BY_NAME: dict[str, Tool] = {**{tool.name: tool for tool in _TOOLS}, "math": calculator}


def builtin_tools() -> tuple[Tool, ...]:
    """All built-in tools."""
    return _TOOLS


def find(name: str) -> Tool | None:
    """The built-in tool of this name, or None."""
    return _BY_NAME.get(name)


def builtin(name: str) -> Tool:
    """The built-in tool of this name; `math` is another name of the calculator.

    Raises:
        DefinitionError: there is none; the message lists those that there are.
    """
    found = _BY_NAME.get(name)
    if found is None:
        raise DefinitionError(f"No built-in tool is named {name!r}. There are: {', '.join(_BY_NAME)}.")
    return found
