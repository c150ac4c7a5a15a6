"""What is left of a server's limits, out of the headers of an answer of any status."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime

from promptrails_engine.ports.provider import RateLimitDelta

_REMAINING_REQUESTS = ("x-ratelimit-remaining-requests", "anthropic-ratelimit-requests-remaining")
_REMAINING_TOKENS = ("x-ratelimit-remaining-tokens", "anthropic-ratelimit-tokens-remaining")
_RESET_REQUESTS = ("x-ratelimit-reset-requests", "anthropic-ratelimit-requests-reset")
_RESET_TOKENS = ("x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset")
_DURATION = re.compile(
    r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m(?!s))?(?:(\d{1,7}(?:\.\d{1,12})?)s)?(?:(\d{1,9})ms)?\Z"
)
_UNITS = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)
_MOST = 1 << 40


def rate_limits_of(headers: Mapping[str, str], now: float) -> RateLimitDelta | None:
    """What the headers say at the Unix time `now`, or None where they say nothing that can be read."""
    said = RateLimitDelta(
        remaining_requests=_count(_first(headers, _REMAINING_REQUESTS)),
        remaining_tokens=_count(_first(headers, _REMAINING_TOKENS)),
        requests_reset_s=_seconds(_first(headers, _RESET_REQUESTS), now),
        tokens_reset_s=_seconds(_first(headers, _RESET_TOKENS), now),
    )
    return None if said.remaining_requests is None and said.remaining_tokens is None else said


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value.strip() for name in names if (value := headers.get(name))), "")


def _count(value: str) -> int | None:
    number = _number(value)
    return None if number is None or not 0 <= number <= _MOST else int(number)


def _seconds(value: str, now: float) -> float | None:
    """A duration such as 6m0s, 120ms or 1.5, or a moment in ISO 8601; one that is past is 0."""
    if not value:
        return None
    number = _number(value)
    if number is not None:
        return number if 0 <= number <= _MOST else None
    parts = _DURATION.match(value)
    if parts is not None:
        return sum(float(part) * unit for part, unit in zip(parts.groups(), _UNITS, strict=True) if part)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - now) if moment.tzinfo is not None else None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
