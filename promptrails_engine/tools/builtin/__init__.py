"""The built-in tools.  Loaded at first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from promptrails_engine.ports.tool import Tool

if TYPE_CHECKING:
    from promptrails_engine.tools.builtin.catalog import builtin as builtin
    from promptrails_engine.tools.builtin.catalog import builtin_tools as builtin_tools

_NAMES = ("builtin", "builtin_tools")


NAMES = ("calculator", "current_time", "current_date", "date_math", "state", "math")
"""What there is; `math` is another name of the calculator."""


def find(name: str) -> Tool | None:
    """The built-in tool of this name, or None; the tools are loaded when the first is asked for."""
    found: Tool | None = import_module(f"{__name__}.catalog").find(name)
    return found


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.catalog"), name)


def __dir__() -> list[str]:
    return list(_NAMES)
