"""Tools: functions that a model may call, a registry of them, and the built-in ones.  Loaded at first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptrails_engine.tools.builtin.catalog import builtin_tools as builtin_tools
    from promptrails_engine.tools.function import FunctionTool as FunctionTool
    from promptrails_engine.tools.function import as_tool as as_tool
    from promptrails_engine.tools.function import tool as tool
    from promptrails_engine.tools.registry import ToolRegistry as ToolRegistry

_HOMES = {
    "FunctionTool": "function",
    "ToolRegistry": "registry",
    "as_tool": "function",
    "builtin_tools": "builtin.catalog",
    "tool": "function",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
