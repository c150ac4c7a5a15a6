"""Attempts at one model: with full jitter, honouring Retry-After, never after somebody has seen content."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from promptrails_engine.errors import RateLimitError
from promptrails_engine.run.failures import may_retry

R = TypeVar("R")

_BASE_S = 0.5
_CAP_S = 20.0
_MOST_ATTEMPTS = 20


async def attempt_again(
    attempt: Callable[[], Awaitable[R]],
    first: Exception,
    *,
    attempts: int,
    restartable: Callable[[], bool],
    excused: Callable[[BaseException], bool],
    random: Callable[[], float],
) -> R:
    """What `attempt` returns, tried up to `attempts` times more after it failed with `first`.

    An attempt whose failure is excused does not count, as long as there are not too many of them.

    Waits 0.5 s x 2^n with full jitter, 20 s at most, or what the provider asked for.

    Raises:
        the last attempt's error, or the first one which must not be retried.
    """

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, RateLimitError) and error.retry_after_s is not None:
            return error.retry_after_s
        most: float = min(_CAP_S, _BASE_S * 2.0 ** (state.attempt_number - 1))
        return most * random()

    def again(error: BaseException) -> bool:
        return may_retry(error) and restartable()

    counted = 0

    def spent(state: RetryCallState) -> bool:
        nonlocal counted
        error = state.outcome.exception() if state.outcome is not None else None
        if error is None or not excused(error):
            counted += 1
        return counted > attempts or state.attempt_number >= _MOST_ATTEMPTS

    failed = [first]

    async def call() -> R:
        if failed:
            raise failed.pop()
        return await attempt()

    retrying = AsyncRetrying(stop=spent, wait=wait, retry=retry_if_exception(again), reraise=True)
    return await retrying(call)
