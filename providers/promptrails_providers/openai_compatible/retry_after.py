"""How long a server asks to wait, in either form of the header and in milliseconds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait as asked for at the Unix time `now`, or None where the headers say nothing usable.

    A figure that is negative, past, infinite or unreadable is not usable (RFC 9110, section 10.2.3).
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    return seconds if seconds is not None else _until(value, now)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(value: str | None, now: float) -> float | None:
    try:
        wait = parsedate_to_datetime(value or "").timestamp() - now
    except (ValueError, OverflowError, TypeError):
        return None
    return wait if wait >= 0 else None
