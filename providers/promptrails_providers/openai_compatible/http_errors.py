"""Errors of the tree for what a server answered instead of an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptrails_engine.errors import (
    AuthError,
    BadRequestError,
    ContentFilteredError,
    ContextOverflowError,
    ModelNotFoundError,
    PromptRailsError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    RedirectRefusedError,
)
from promptrails_engine.secrets import Secret, mask
from promptrails_providers.openai_compatible.reported import Reported, is_overflow, read_body, read_object
from promptrails_providers.openai_compatible.retry_after import retry_after_s

MAX_PROVIDER_TEXT = 500
MAX_PAGE_TEXT = 200
_MASKED_AT_MOST = 8192


@dataclass(frozen=True, slots=True)
class Call:
    """Which call an error speaks of; `url` has no query and no credentials."""

    provider: str
    model: str
    url: str
    key_hint: str = "check the key"
    secrets: tuple[Secret, ...] = ()

    def quote(self, text: str, limit: int = MAX_PROVIDER_TEXT) -> str:
        """The server's text on one line, masked and cut to `limit` characters."""
        line = " ".join(mask(text[:_MASKED_AT_MOST], self.secrets).split())
        return line if len(line) <= limit else line[: limit - 1] + "…"

    def details(self, **more: object) -> dict[str, Any]:
        """The details of an error, without what is None."""
        base = {"provider": self.provider, "model": self.model}
        return base | {key: value for key, value in more.items() if value is not None}


def refusal(call: Call, status: int, headers: Mapping[str, str], body: bytes, now: float) -> PromptRailsError:
    """The error for a response that is not of status 200; `now` is Unix time in seconds."""
    if 300 <= status < 400:
        return RedirectRefusedError(
            f"{call.url} answered with a redirect (HTTP {status}), which was not followed, because it would carry the "
            f"prompt to another address. Set the base URL of '{call.provider}' to the final address.",
            details=call.details(status=status),
        )
    return _classify(call, status, read_body(body), retry_after_s(headers, now))


def reported_error(call: Call, value: object) -> PromptRailsError | None:
    """The error for an error object inside an answer of status 200, or None where it cannot be told which."""
    reported = read_object(value)
    status = reported.status or next((_STATUS_OF_CODE[c] for c in reported.codes if c in _STATUS_OF_CODE), None)
    if status is None and not (is_overflow(reported) or reported.codes & (_QUOTA_CODES | _FILTER_CODES | _MODEL_CODES)):
        return None
    return _classify(call, status or 400, reported, None)


# ------------------------------------------------------------------ classes by status, code and wording

_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_balance",
        "insufficient_credits",
        "insufficient_funds",
        "credit_limit_reached",
    }
)
_QUOTA_WORDINGS = re.compile(
    r"(?i)exceeded your current quota|insufficient (?:balance|credits?|funds|quota)|check your plan and billing"
    r"|out of credits|credit balance is too low|spending limit"
)
_FILTER_CODES = frozenset(
    {"content_filter", "content_policy_violation", "moderation_blocked", "responsibleaipolicyviolation"}
)
_MODEL_CODES = frozenset(
    {"model_not_found", "unknown_model", "invalid_model", "model_not_available", "model_not_exist"}
)
_STATUS_OF_CODE: Mapping[str, int] = {
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "too_many_requests": 429,
    "overloaded": 529,
    "overloaded_error": 529,
    "engine_overloaded": 503,
    "server_error": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "internalservererror": 500,
    "service_unavailable": 503,
    "timeout": 504,
    "timeout_error": 504,
}
_AUTH = frozenset({401, 403})
_TRANSIENT = frozenset({408, 409, 421, 423, 425, 499})
_NOT_FOR_PAGES = frozenset({401, 402, 413, 429})
"""Statuses that mean the same when a gateway answers them with an HTML page."""


def _classify(call: Call, status: int, reported: Reported, wait: float | None) -> PromptRailsError:
    if status == 413 or (status not in _AUTH | {404, 429} and is_overflow(reported)):
        return _overflow(call, status, reported)
    if status == 402 or reported.codes & _QUOTA_CODES or (status == 429 and _QUOTA_WORDINGS.search(reported.message)):
        return _answered(call, QuotaExceededError, status, reported, "the account at the provider needs credit")
    if reported.codes & _FILTER_CODES:
        return _answered(call, ContentFilteredError, status, reported, "the prompt was refused, change its content")
    if status == 429:
        text = _sentence(call, status, reported, "wait, or lower the concurrency")
        return RateLimitError(text, retry_after_s=wait, details=_details(call, status, reported))
    if status >= 500 or status in _TRANSIENT or (reported.is_html and status not in _NOT_FOR_PAGES):
        error = _answered(call, ProviderUnavailableError, status, reported, "try again later, or name a fallback model")
        if wait is not None:
            error.details["retry_after_s"] = wait
        return error
    if status == 404 or reported.codes & _MODEL_CODES:
        return _answered(
            call, ModelNotFoundError, status, reported, f"check the model's name, and that {call.url} is right"
        )
    if status in _AUTH:
        return _answered(call, AuthError, status, reported, call.key_hint)
    return _answered(call, BadRequestError, status, reported, "correct the prompt's parameters, tools or schema")


def _answered(
    call: Call, cls: type[PromptRailsError], status: int, reported: Reported, advice: str
) -> PromptRailsError:
    return cls(_sentence(call, status, reported, advice), status, details=_details(call, status, reported))


def _sentence(call: Call, status: int, reported: Reported, advice: str) -> str:
    text = call.quote(reported.message, MAX_PAGE_TEXT if reported.is_html else MAX_PROVIDER_TEXT)
    said = f": {text}" if text else ", and nothing more"
    return f"'{call.provider}' answered HTTP {status} for model '{call.model}'{said} ({advice})"


def _details(call: Call, status: int, reported: Reported) -> dict[str, Any]:
    codes = [call.quote(code, 80) for code in sorted(reported.codes)]
    return call.details(status=status, provider_codes=codes or None)


def _overflow(call: Call, status: int, reported: Reported) -> ContextOverflowError:
    text = _sentence(call, status, reported, "shorten the prompt, or use a model with a larger context window")
    details = call.details(status=status, context_window=reported.context_window, prompt_tokens=reported.prompt_tokens)
    return ContextOverflowError(text, details=details)
