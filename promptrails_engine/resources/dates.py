"""Dates and times as callers write them."""

from __future__ import annotations

from promptrails_engine.clock import from_iso
from promptrails_engine.errors import ValidationError

_DAY_S = 86_400
_DATE_CHARS = len("2026-01-31")


def moment(text: str | None, name: str) -> float | None:
    """Seconds since the epoch of an ISO-8601 date or time, in UTC where it names no zone.

    Raises:
        ValidationError: it is none.
    """
    if text is None:
        return None
    try:
        return from_iso(text)
    except (TypeError, ValueError):
        raise ValidationError(f"{name} must be an ISO-8601 date or time such as 2026-01-31, not {text!r}") from None


def day_end(text: str | None, name: str) -> float | None:
    """As `moment`; a date without a time means its last microsecond, so that an inclusive bound holds the day.

    Raises:
        ValidationError: it is none.
    """
    start = moment(text, name)
    if start is None or text is None or len(text) > _DATE_CHARS:
        return start
    return start + _DAY_S - 1e-6
