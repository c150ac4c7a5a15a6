"""Prompts and agents: configs, versions, what they consist of and how they differ.

Comparing versions, and limits of an engine, are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptrails_engine.definitions.diff import diff_versions as diff_versions
    from promptrails_engine.definitions.settings import checked_rate_limits as checked_rate_limits

_HOMES = {"checked_rate_limits": "settings", "diff_versions": "diff"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
