"""Tools: functions that a model may call, a registry of them, and the built-in ones.  Loaded at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
