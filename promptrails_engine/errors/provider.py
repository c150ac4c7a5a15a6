"""What a provider answered."""

from __future__ import annotations

from promptrails_engine.errors.base import NotFoundError, PromptRailsError, ServerError, UnauthorizedError


class AuthError(UnauthorizedError):
    """The provider refused the credential."""

    code = "auth"


class ModelNotFoundError(NotFoundError):
    """The provider does not know the model."""


class ProviderUnavailableError(ServerError):
    code = "provider_unavailable"
    status_code = 503


class ProviderProtocolError(ServerError):
    """The answer is not what the protocol says: HTML, cut JSON, no choices."""

    code = "provider_protocol"
    status_code = 502


class StreamInterruptedError(ServerError):
    """The stream broke off before a finish reason arrived."""

    code = "stream_interrupted"
    status_code = 502


class ProviderError(PromptRailsError):
    code = "provider_error"


class BadRequestError(ProviderError):
    code = "bad_request"
    status_code = 400


class ContextOverflowError(ProviderError):
    code = "context_overflow"
    status_code = 400


class ContentFilteredError(ProviderError):
    code = "content_filtered"


class RefusedError(ProviderError):
    """The model declined to answer; the message is its own text."""

    code = "refused"


class RedirectRefusedError(ProviderError):
    """The provider answered with a redirect, which would carry the prompt to another host."""

    code = "redirect_refused"


class ResponseTooLargeError(ProviderError):
    code = "response_too_large"


class ProviderTimeoutError(ProviderError):
    """A deadline passed; `phase` is connect, first, idle or total."""

    code = "timeout"
    status_code = 408
    retryable = True

    def __init__(self, message: str, *, phase: str) -> None:
        super().__init__(message, details={"phase": phase})
        self.phase = phase
