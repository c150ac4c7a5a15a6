"""Posts the body of a webhook: attempts, their time, and what counts as taken.  Loads httpx and tenacity."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from urllib.request import getproxies, proxy_bypass

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from promptrails_engine._version import __version__
from promptrails_engine.errors import WebhookError
from promptrails_engine.secrets import Secret, mask

_MOST_WAIT_S = 10.0
_JITTER = wait_random_exponential(multiplier=0.5, max=_MOST_WAIT_S)
_AGENT = f"promptrails-engine/{__version__}"


async def post(
    url: Secret, body: bytes, headers: Mapping[str, str], *, called: str, timeout_s: float, attempts: int
) -> None:
    """Post the body until somebody takes it.

    Waits 0.5 s x 2^n between attempts with full jitter, or what the receiver asks for; 10 s at most.

    Args:
        called: what messages call the receiver.
        timeout_s: seconds for each attempt.
        attempts: how many there are.

    Raises:
        WebhookError: the last attempt's; or the first one's after which there is no use in another.
    """

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.details.get("retry_after_s") if isinstance(error, WebhookError) else None
        return _JITTER(state) if asked is None else min(float(asked), _MOST_WAIT_S)

    def again(error: BaseException) -> bool:
        return isinstance(error, WebhookError) and error.retryable

    async def attempt() -> None:
        try:
            async with asyncio.timeout(timeout_s):
                reply = await _send(transport, url.reveal(), body, headers)
        except TimeoutError:
            raise _failed(called, f"no answer within {timeout_s:g} s", retryable=True) from None
        except httpx.TransportError as error:
            # Not `from error`, which holds the request and with it the URL.
            raise _failed(called, _said(error, url), retryable=True) from None
        _check(called, reply)

    transport = await asyncio.to_thread(_transport, url.reveal(), called)  # reads the certificates that are trusted
    async with transport:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(attempts), wait=wait, retry=retry_if_exception(again), reraise=True
        )
        await retrying(attempt)


def _transport(url: str, called: str) -> httpx.AsyncHTTPTransport:
    """A transport and no client: clients log whole URLs."""
    try:
        parts = httpx.URL(url)
        proxies = {} if proxy_bypass(parts.host) else getproxies()
        secure = parts.scheme == "https"
        # A context without certificates trusts no server; plain http needs none, and loading them is slow.
        context = httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    except (httpx.InvalidURL, ValueError):  # a name that IDNA does not allow
        raise _failed(called, "its URL is not valid; correct it") from None
    except OSError as error:
        raise _failed(called, f"the trusted certificates cannot be read ({error}); look at SSL_CERT_FILE") from None
    try:
        return httpx.AsyncHTTPTransport(verify=context, proxy=proxies.get(parts.scheme) or proxies.get("all"))
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        kind = type(error).__name__
    raise _failed(
        called,
        f"the proxy that the environment names cannot be used ({kind}); correct it, or except the host in NO_PROXY",
    )


async def _send(
    transport: httpx.AsyncHTTPTransport, url: str, body: bytes, headers: Mapping[str, str]
) -> httpx.Response:
    """The head of the answer; its body is of no interest."""
    request = httpx.Request("POST", url, content=body, headers={"User-Agent": _AGENT, "Accept": "*/*", **headers})
    reply = await transport.handle_async_request(request)
    await reply.aclose()
    return reply


def _check(called: str, reply: httpx.Response) -> None:
    if reply.is_success:
        return
    again = reply.status_code == 429 or reply.is_server_error
    asked = reply.headers.get("Retry-After", "")
    raise _failed(
        called,
        f"it answered with status {reply.status_code}",
        retryable=again,
        retry_after_s=int(asked) if again and asked.isdecimal() and len(asked) < 10 else None,
    )


def _failed(called: str, what: str, *, retryable: bool = False, retry_after_s: int | None = None) -> WebhookError:
    asked = {} if retry_after_s is None else {"retry_after_s": retry_after_s}
    error = WebhookError(f"the webhook at {called} did not take an event: {what}", details=asked)
    error.retryable = retryable
    return error


def _said(error: httpx.TransportError, url: Secret) -> str:
    text = mask(str(error), [url])
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
