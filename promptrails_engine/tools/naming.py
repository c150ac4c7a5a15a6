"""Rules that hold for every tool, wherever it comes from."""

from __future__ import annotations

import re
from typing import get_args

from promptrails_engine.errors import DefinitionError
from promptrails_engine.ports.tool import Effect, Tool

EFFECTS: tuple[Effect, ...] = get_args(Effect)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_name(name: object) -> None:
    """Raises DefinitionError unless `name` is one that every provider takes."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{name!r} cannot be a tool's name: use 1 to 64 letters, digits, '_' or '-' (for a function: name=...)."
        )


def check_effect(name: str, effect: object) -> None:
    """Raises DefinitionError unless `effect` is one of the three classes."""
    if effect not in EFFECTS:
        raise DefinitionError(f"Tool '{name}' has the effect {effect!r}; use one of {', '.join(EFFECTS)}.")


def check_tool(tool: Tool) -> None:
    """Raises DefinitionError if a tool's name, description, schema or effect cannot be used."""
    name: object = tool.name
    description: object = tool.description
    check_name(name)
    check_effect(tool.name, tool.effect)
    if not isinstance(description, str):  # pyright: ignore[reportUnnecessaryIsInstance] -- adapters may be untyped
        raise DefinitionError(f"Tool '{tool.name}' has a description that is no text: {type(description).__name__}.")
    if tool.parameters.get("type") != "object":
        raise DefinitionError(f"Tool '{tool.name}' has parameters that are no JSON Schema of type 'object'.")
