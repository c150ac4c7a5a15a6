"""How a span tells what ended it."""

from __future__ import annotations

import asyncio

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.parking import Parked

PARKED = "parked"
"""Marks a span that has not ended: it goes on with its run, here or elsewhere."""


def fail_span(span: Span, error: BaseException) -> None:
    """Mark a span as failed by `error`."""
    span.status = "error"
    span.level = "error"
    if isinstance(error, PromptRailsError):
        span.error_type = error.code
        span.error_message = error.message
    elif isinstance(error, Parked):
        span.error_type = PARKED
    elif isinstance(error, asyncio.CancelledError):
        span.error_type = "cancelled"
        span.error_message = "cancelled"
    else:
        span.error_type = "internal"
        span.error_message = f"{type(error).__name__}: {error}"
