"""Token counts as servers report them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptrails_engine.events import TokenUsage
from promptrails_providers.openai_compatible.wire_json import as_object

MAX_TOKENS = 100_000_000
"""Ten times the largest context window on offer; a higher count is a fault of the server."""


def parse_usage(raw: Mapping[str, Any]) -> TokenUsage | None:
    """The counts that can be believed, or None where neither the prompt nor the answer has one.

    A count that is negative, fractional, NaN, no number or over `MAX_TOKENS` is unknown.
    """
    prompt = _count(raw.get("prompt_tokens"))
    completion = _count(raw.get("completion_tokens"))
    if prompt is None and completion is None:
        return None
    prompt_details = as_object(raw.get("prompt_tokens_details")) or {}
    completion_details = as_object(raw.get("completion_tokens_details")) or {}
    total = _count(raw.get("total_tokens"))
    if total is None and prompt is not None and completion is not None:
        total = prompt + completion
    return TokenUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        cached_tokens=_first(prompt_details.get("cached_tokens"), raw.get("prompt_cache_hit_tokens")),
        cache_creation_tokens=_first(
            prompt_details.get("cache_write_tokens"), prompt_details.get("cache_creation_tokens")
        ),
        reasoning_tokens=_first(completion_details.get("reasoning_tokens"), raw.get("reasoning_tokens")),
    )


def _first(*values: object) -> int | None:
    return next((count for value in values if (count := _count(value)) is not None), None)


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= MAX_TOKENS or value != int(value):  # NaN fails the first comparison
        return None
    return int(value)
