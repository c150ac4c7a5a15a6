"""Webhooks: events posted to a URL as JSON, signed so that the receiver can tell who sent them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import math
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from promptrails_engine import run
from promptrails_engine.errors import ConfigurationError
from promptrails_engine.secrets import Secret

if TYPE_CHECKING:
    from promptrails_engine.run.hooks import HookEvent

SIGNATURE_HEADER = "X-Webhook-Signature"

_MOST_ATTEMPTS = 10
_MOST_TIMEOUT_S = 300.0
_SCHEME = "sha256="


class Webhook:
    """A hook that posts events to a URL, as `{"event", "id", "created_at", "data"}` in JSON.

    Answers of 2xx are success; after 429, 5xx and failures of the connection it is tried again, with the same body.
    Redirects are not followed.  The receiver should take the same `id` only once.
    """

    def __init__(
        self, url: str, *, secret: str | Secret | None = None, timeout_s: float = 10.0, attempts: int = 3
    ) -> None:
        """Make a webhook.

        Args:
            url: where to; it may itself be a secret, and only its host is ever shown.
            secret: signs the body: the header `X-Webhook-Signature` is `sha256=` and the HMAC-SHA256 in hexadecimal,
                which `verify_signature` checks.  Without one there is no such header.
            timeout_s: seconds that one attempt may take.
            attempts: how often it is tried in all.

        Raises:
            ConfigurationError: an argument cannot be used.
        """
        parts = _checked_url(url)
        if isinstance(secret, str):
            secret = Secret(secret)
        if secret is not None and not secret.reveal():
            raise ConfigurationError(
                "the secret of a webhook is empty; leave it out, or set the variable it comes from"
            )
        if not math.isfinite(timeout_s) or not 0 < timeout_s <= _MOST_TIMEOUT_S:
            raise ConfigurationError(
                f"timeout_s of a webhook must be above 0 and at most {_MOST_TIMEOUT_S:.0f} seconds"
            )
        if not 1 <= attempts <= _MOST_ATTEMPTS:
            raise ConfigurationError(f"attempts of a webhook must be 1 to {_MOST_ATTEMPTS}")
        self._url = Secret(url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._secret = secret
        self._timeout_s = timeout_s
        self._attempts = attempts

    async def __call__(self, event: HookEvent) -> None:
        """Post the event.

        Raises:
            WebhookError: all attempts have failed.
        """
        body = json.dumps(event.to_dict(), separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        if self._secret is not None:
            headers[SIGNATURE_HEADER] = signature(body, self._secret.reveal())
        post = await asyncio.to_thread(lambda: run.post)  # the first loads httpx
        await post(self._url, body, headers, called=self._origin, timeout_s=self._timeout_s, attempts=self._attempts)

    def __repr__(self) -> str:
        return f"Webhook('{self._origin}/...')"


def signature(body: bytes, secret: str) -> str:
    """The value of `X-Webhook-Signature` for a body."""
    return _SCHEME + hmac.new(secret.encode("utf-8", "surrogatepass"), body, hashlib.sha256).hexdigest()


def verify_signature(body: bytes, header: str, secret: str) -> bool:
    """Whether `header`, the value of `X-Webhook-Signature`, was made of exactly these bytes with this secret.

    Takes the same time wherever they differ.  With an empty secret or header it is False.
    """
    if not secret or not header:
        return False
    return hmac.compare_digest(signature(body, secret).encode(), header.strip().encode("utf-8", "surrogatepass"))


def _checked_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable or not url.isascii() or any(char.isspace() or not char.isprintable() for char in url):
        raise ConfigurationError("the URL of a webhook must be an absolute one of http or https, in ASCII")
    if "@" in parts.netloc:
        raise ConfigurationError(
            "the URL of a webhook must hold no user and password, which would not be sent; sign with secret=... instead"
        )
    return parts
