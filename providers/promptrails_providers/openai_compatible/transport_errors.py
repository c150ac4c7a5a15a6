"""Errors of the tree for connections that failed and bodies that could not be decoded."""

from __future__ import annotations

from promptrails_engine.errors import (
    PromptRailsError,
    ProviderProtocolError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ResponseTooLargeError,
    StreamInterruptedError,
)
from promptrails_providers.openai_compatible.clients import load_httpx
from promptrails_providers.openai_compatible.http_errors import Call
from promptrails_providers.openai_compatible.inflate import MAX_RATIO, BadEncodingError, CompressionRatioError


def explain(call: Call, error: Exception, *, delivered: bool, connect_timeout_s: float) -> PromptRailsError:
    """The error for one that httpx or the decoders raised; `delivered` says that deltas were given out before.

    It does not refer to the one given, whose request holds the key.
    """
    if isinstance(error, CompressionRatioError):
        return ResponseTooLargeError(
            f"'{call.provider}' sent an answer of model '{call.model}' that swells over {MAX_RATIO} times when "
            "decompressed; it was not read on.",
            details=call.details(),
        )
    if isinstance(error, BadEncodingError):
        cls: type[PromptRailsError] = StreamInterruptedError if delivered else ProviderProtocolError
        text = f"'{call.provider}' answered model '{call.model}' with {call.quote(str(error))}. Check the base URL."
        return cls(text, details=call.details())
    if isinstance(error, load_httpx().ConnectTimeout):
        return ProviderTimeoutError(
            f"'{call.provider}' at {call.url} took over {connect_timeout_s:g} s to connect. Check the base URL, the "
            "network and the proxy settings, or raise the connect timeout.",
            phase="connect",
        )
    return _broken(call, error, delivered=delivered)


def _broken(call: Call, error: Exception, *, delivered: bool) -> PromptRailsError:
    reason = call.quote(str(error)) or "no reason given"
    kind = type(error).__name__
    if delivered:
        return StreamInterruptedError(
            f"The connection to '{call.provider}' broke amid the answer of model '{call.model}' ({kind}: {reason}).",
            details=call.details(),
        )
    return ProviderUnavailableError(
        f"'{call.provider}' cannot be reached at {call.url}, or closed the connection before an answer "
        f"({kind}: {reason}). Check that the server runs, the base URL and the proxy settings.",
        details=call.details(),
    )
