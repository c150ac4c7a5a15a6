"""The tools of one engine or run, by name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import promptrails_engine.tools as toolbox
from promptrails_engine.errors import DefinitionError
from promptrails_engine.ports.provider import ToolSpec
from promptrails_engine.ports.tool import Tool
from promptrails_engine.tools.naming import check_tool


class _Entry(NamedTuple):
    tool: Tool
    spec: ToolSpec
    digest: str


class ToolRegistry:
    """Tools by exact name; what is derived from them is worked out once.

    A name that no tool was given for is looked up in `others`: that is how the built-in ones are there and cost
    nothing until one is used.
    """

    def __init__(
        self,
        tools: Iterable[Tool | Callable[..., Any]] = (),
        others: Callable[[str], Tool | None] | None = None,
        other_names: Sequence[str] = (),
    ) -> None:
        """Raises DefinitionError for two tools of one name, or one that cannot be used."""
        self._others = others
        self._other_names = tuple(other_names)
        self._entries: dict[str, _Entry] = {}
        for obj in tools:
            tool = toolbox.as_tool(obj)
            check_tool(tool)
            if tool.name in self._entries:
                raise DefinitionError(f"Two tools are named '{tool.name}': give one of them another name.")
            self._entries[tool.name] = _entry(tool)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order in which the tools were given."""
        return tuple(self._entries)

    def get(self, name: str) -> Tool | None:
        """The tool of exactly this name, or None."""
        entry = self._entries.get(name)
        if entry is None and self._others is not None:
            found = self._others(name)
            if found is not None:
                entry = self._entries[name] = _entry(found)
        return entry.tool if entry else None

    def select(self, names: Iterable[str]) -> list[Tool]:
        """The tools of these names, in their order.

        Raises:
            DefinitionError: a name is not known; the message lists those that are.
        """
        wanted = {name: self.get(name) for name in names}
        unknown = [name for name, tool in wanted.items() if tool is None]
        if unknown:
            known = list(dict.fromkeys([*self._entries, *self._other_names]))
            raise DefinitionError(
                f"No tool is named {', '.join(map(repr, unknown))}. There are: {', '.join(known) or 'none'}. "
                "Give the engine more with Engine(tools=[...]).",
                details={"unknown": unknown, "known": known},
            )
        return [tool for tool in wanted.values() if tool is not None]

    def spec(self, tool: Tool) -> ToolSpec:
        """The tool as the model sees it."""
        return self._entry(tool).spec

    def digest(self, tool: Tool) -> str:
        """SHA-256, in hexadecimal, of name, description and schema: changes with what the model is told."""
        return self._entry(tool).digest

    def _entry(self, tool: Tool) -> _Entry:
        entry = self._entries.get(tool.name)
        return entry if entry is not None and entry.tool is tool else _entry(tool)


def _entry(tool: Tool) -> _Entry:
    spec = ToolSpec(tool.name, tool.description, tool.parameters)
    try:
        shown = json.dumps(
            {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)},
            sort_keys=True,
            separators=(",", ":"),
        )
    except (TypeError, ValueError) as error:
        raise DefinitionError(f"The parameters of tool '{tool.name}' are no JSON data: {error}") from error
    return _Entry(tool, spec, hashlib.sha256(shown.encode()).hexdigest())
