"""Prompts and agents: configs, versions, what they consist of and how they differ.

Comparing versions, and limits of an engine, are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

if TYPE_CHECKING:
    from promptrails_engine.definitions.diff import diff_versions as diff_versions
    from promptrails_engine.definitions.settings import checked_rate_limits as checked_rate_limits

_HOMES = {"checked_rate_limits": "settings", "diff_versions": "diff"}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
