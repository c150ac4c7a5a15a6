"""Prompts and agents: configs, versions, what they consist of and how they differ.

Comparing versions is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptrails_engine.definitions.diff import diff_versions as diff_versions


def __getattr__(name: str) -> Any:
    if name != "diff_versions":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.diff").diff_versions
