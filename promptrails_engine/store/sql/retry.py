"""Repeats a transaction that failed for a reason that passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from promptrails_engine.store.sql.failures import is_transient

T = TypeVar("T")
ATTEMPTS = 8
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 2.0


def with_retries(first: Callable[[], T], again: Callable[[], T]) -> T:
    """What `first` returns, or after a passing failure what one of up to ATTEMPTS - 1 calls of `again` returns."""
    try:
        return first()
    except Exception as error:
        if not is_transient(error):
            raise
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS - 1),
        wait=wait_random_exponential(multiplier=_FIRST_WAIT_S, max=_LONGEST_WAIT_S),
        retry=retry_if_exception(is_transient),
        reraise=True,
    )
    return retrying(again)
