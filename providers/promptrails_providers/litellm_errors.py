"""Errors of the tree for a call that failed inside litellm.

What was seen on the wire (`CallFacts`) decides, because litellm's classes mislead: it reports a refused connection as
an internal error of the server, an overflow as a bad request and a spent account as a rate limit.  Its exception counts
only for providers that it serves through a client of its own, where nothing was seen.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, cast

from promptrails_engine.errors import (
    AuthError,
    BadRequestError,
    PromptRailsError,
    ProviderProtocolError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    ResponseTooLargeError,
    StreamInterruptedError,
)
from promptrails_providers.litellm_transport import AnswerTooLargeError, CallFacts
from promptrails_providers.openai_compatible.http_errors import Call, refusal, reported_error
from promptrails_providers.openai_compatible.transport_errors import explain
from promptrails_providers.openai_compatible.wire_json import MalformedAnswerError, as_list, as_object, parse_json

_ERROR_FROM = 300
_CHAIN_LIMIT = 12
_LIBRARIES = ("litellm", "openai", "httpx", "httpcore", "aiohttp", "botocore", "google", "json", "builtins")
_TRANSPORT_NAMES = frozenset(
    {
        "APIConnectionError",
        "APITimeoutError",
        "ClientConnectorError",
        "ClientError",
        "ClientOSError",
        "ClientPayloadError",
        "ConnectError",
        "ConnectTimeout",
        "ConnectionRefusedError",
        "ConnectionResetError",
        "NetworkError",
        "ReadError",
        "ReadTimeout",
        "RemoteProtocolError",
        "ServerDisconnectedError",
        "TransferEncodingError",
    }
)
_CREDIT_WORDINGS = re.compile(r"(?i)credit balance is too low|purchase credits|billing details to continue")
_NO_KEY = re.compile(r"(?i)missing (?:\w+ )?(?:api key|credentials)|api_key client option must be set")
_UNSUPPORTED = re.compile(r"does not support (parameters: \[[^\]]{0,300}\])")
_SECONDS = re.compile(r"^(\d{1,6}(?:\.\d{1,9})?)s$")


def explain_failure(
    call: Call, facts: CallFacts, error: Exception, *, delivered: bool, connect_timeout_s: float
) -> PromptRailsError:
    """The error for an exception that came out of litellm; it does not refer to that one, which may hold the key."""
    if facts.key_missing:
        return _missing_key(call)
    if isinstance(error, AnswerTooLargeError) or isinstance(facts.failure, AnswerTooLargeError):
        return too_large(call)
    if facts.failure is not None:
        return explain(call, facts.failure, delivered=delivered, connect_timeout_s=connect_timeout_s)
    if facts.status is not None and facts.status >= _ERROR_FROM:
        return _refused(call, facts.status, facts.headers, facts.error_body)
    if facts.status is not None:
        return _amid_answer(call, facts, error, delivered=delivered)
    return _unseen(call, error, delivered=delivered)


def explain_end(call: Call, facts: CallFacts, *, answered: bool, delivered: bool) -> PromptRailsError:
    """The error for an answer that ended without a finish reason, or with an event that cannot be read."""
    reported = _reported(call, facts)
    if reported is not None:
        return reported
    if delivered or (answered and facts.events != 0 and not facts.malformed):
        how = "held an event that cannot be read" if facts.malformed else "broke off without a finish reason"
        return StreamInterruptedError(
            f"The answer of model '{call.model}' at '{call.provider}' {how}.", details=call.details()
        )
    shown = call.quote(facts.head.decode("utf-8", "replace"), 200)
    return ProviderProtocolError(
        f"'{call.provider}' answered model '{call.model}' with something that is no answer"
        f"{': ' + shown if shown else ', and empty'}. Check the address and the model's name.",
        details=call.details(),
    )


def too_large(call: Call) -> ResponseTooLargeError:
    """The error for an answer over the limits."""
    return ResponseTooLargeError(
        f"The answer of model '{call.model}' at '{call.provider}' passed the size limits and was not read on.",
        details=call.details(),
    )


# ------------------------------------------------------------------ by what was seen


def _missing_key(call: Call) -> AuthError:
    return AuthError(f"No API key for '{call.provider}': {call.key_hint}.", details=call.details())


def _refused(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> PromptRailsError:
    error = refusal(call, status, headers, body, time.time())
    if isinstance(error, QuotaExceededError) and b"RESOURCE_EXHAUSTED" in body:
        # Google words a passing limit on requests per minute as a spent quota; it says when to come back.
        wait = _retry_delay(body)
        if wait is not None:
            return RateLimitError(error.message, retry_after_s=wait, details=error.details)
    if isinstance(error, RateLimitError) and error.retry_after_s is None:
        error.retry_after_s = _retry_delay(body)
    if isinstance(error, BadRequestError) and _CREDIT_WORDINGS.search(error.message):
        return QuotaExceededError(error.message, status, details=error.details)
    return error


def _retry_delay(body: bytes) -> float | None:
    """Seconds of the `RetryInfo` in a Google error (google.rpc.RetryInfo), or None."""
    try:
        value = parse_json(body)
    except MalformedAnswerError:
        return None
    items = as_list(value)
    outer = as_object(items[0] if items else value) or {}
    for detail in as_list((as_object(outer.get("error")) or {}).get("details")) or ():
        match = _SECONDS.match(str((as_object(detail) or {}).get("retryDelay", "")))
        if match:
            return float(match.group(1))
    return None


def _amid_answer(call: Call, facts: CallFacts, error: Exception, *, delivered: bool) -> PromptRailsError:
    """An answer of status 2xx that turned out to be none, or to end in an error event."""
    reported = _reported(call, facts) or _reported_by(call, error)
    if reported is not None:
        return reported
    text = call.quote(str(error)) or type(error).__name__
    if delivered:
        return StreamInterruptedError(
            f"The answer of model '{call.model}' at '{call.provider}' broke off with a malformed or failed "
            f"event: {text}",
            details=call.details(),
        )
    return ProviderProtocolError(
        f"'{call.provider}' answered model '{call.model}' with something that is no answer: {text}",
        details=call.details(),
    )


def _reported(call: Call, facts: CallFacts) -> PromptRailsError | None:
    """The error that the server put into an answer of status 2xx: an event, or the body itself."""
    found = facts.reported
    if found is None and facts.head.lstrip()[:1] in (b"{", b"["):
        try:
            value = parse_json(facts.head)
        except MalformedAnswerError:
            return None
        items = as_list(value)
        outer = as_object(items[0] if items else value)
        found = outer if outer and outer.get("error") else None
    return reported_error(call, found) if found else None


def _reported_by(call: Call, error: Exception) -> PromptRailsError | None:
    """The error that an exception holds as a body, or in its text."""
    for link in _chain(error):
        for found in (getattr(link, "body", None), *_json_in(str(link))):
            reported = reported_error(call, found) if found else None
            if reported is not None:
                return reported
    return None


# ------------------------------------------------------------------ by litellm's exception alone


def _unseen(call: Call, error: Exception, *, delivered: bool) -> PromptRailsError:
    links = list(_chain(error))
    status = next((found for link in links if (found := _status(link)) is not None), None)
    if any(type(link).__name__ in _TRANSPORT_NAMES and _status(link) in (None, 500) for link in links[1:]):
        status = None
    if delivered:
        return _amid_answer(call, CallFacts(), error, delivered=True)
    if _NO_KEY.search(str(error)):
        return _missing_key(call)
    unsupported = _UNSUPPORTED.search(str(error))
    if unsupported:
        return BadRequestError(
            f"The model '{call.model}' at '{call.provider}' does not take {unsupported.group(1)}. Remove that from the "
            "prompt version.",
            details=call.details(),
        )
    if status is not None and status >= _ERROR_FROM:
        headers = next((kept for kept in map(_headers, links) if kept), dict[str, str]())
        text = str(links[0])
        body = next((piece for piece in _json_texts(text)), text)
        return _refused(call, status, headers, body.encode("utf-8", "replace"))
    return ProviderUnavailableError(
        f"The call of model '{call.model}' at '{call.provider}' failed: {call.quote(str(error))}",
        details=call.details(),
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(_CHAIN_LIMIT):
        if link is None or type(link).__module__.split(".")[0] not in _LIBRARIES:
            return
        yield link
        link = link.__cause__ or link.__context__


def _status(link: BaseException) -> int | None:
    status = getattr(link, "status_code", None)
    return status if isinstance(status, int) and not isinstance(status, bool) else None


def _headers(link: BaseException) -> dict[str, str]:
    """The headers of the answer, where litellm keeps them."""
    found: Any = getattr(link, "litellm_response_headers", None)
    if found is None:
        found = getattr(getattr(link, "response", None), "headers", None)
    try:
        return {str(name).lower(): str(value) for name, value in dict(found or {}).items()}
    except (TypeError, ValueError):
        return {}


def _json_in(text: str) -> list[object]:
    """The JSON objects in an exception's text."""
    out: list[object] = []
    for piece in _json_texts(text):
        try:
            value = as_object(parse_json(piece.encode("utf-8", "replace")))
        except MalformedAnswerError:
            continue
        if value is not None:
            out.append(cast("object", value))
    return out


def _json_texts(text: str) -> list[str]:
    start, end = text.find("{"), text.rfind("}")
    return [text[start : end + 1]] if 0 <= start < end else []
