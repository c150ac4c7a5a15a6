"""Sums over token counts."""

from __future__ import annotations

from collections.abc import Mapping


def total_tokens(usage: Mapping[str, int]) -> int:
    """All tokens of a run: as reported, else prompt and completion together."""
    total = usage.get("total_tokens")
    return total if total is not None else usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
