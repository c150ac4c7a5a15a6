"""What to do when a model call fails: try again, try the fallback model, or give up."""

from __future__ import annotations

from promptrails_engine.errors import (
    AuthError,
    ContextOverflowError,
    EmptyOutputError,
    ModelNotFoundError,
    PromptRailsError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from promptrails_engine.run.binding import ModelBinding

_AGAIN = (RateLimitError, ServerError, ProviderTimeoutError)
_ELSEWHERE = (*_AGAIN, ModelNotFoundError, QuotaExceededError, EmptyOutputError)
RETRY_AFTER_CAP_S = 60.0


def may_retry(error: BaseException) -> bool:
    """Whether the same call has a chance in a moment."""
    if isinstance(error, RateLimitError) and error.retry_after_s is not None:
        return error.retry_after_s <= RETRY_AFTER_CAP_S
    return isinstance(error, _AGAIN)


def may_fall_back(error: PromptRailsError, failed: ModelBinding, fallback: ModelBinding) -> bool:
    """Whether another model may answer where this one failed."""
    if isinstance(error, AuthError):
        return fallback.provider is not failed.provider  # the same credential would be refused again
    if isinstance(error, ContextOverflowError):
        small, large = failed.capabilities.context_window, fallback.capabilities.context_window
        return large is not None and (small is None or large > small)
    return isinstance(error, _ELSEWHERE)


def foreign(error: BaseException, binding: ModelBinding) -> PromptRailsError:
    """An exception that is not of the tree: a fault in the provider's adapter."""
    return ProviderError(
        f"the provider of '{binding.name}' raised {type(error).__name__}, which is a fault in its adapter: "
        "adapters raise the errors of promptrails_engine.errors only",
        details={"exception": type(error).__name__},
    )
