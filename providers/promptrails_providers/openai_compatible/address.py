"""From a base URL to the address of a call."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.secrets import Secret


@dataclass(frozen=True, slots=True)
class Address:
    """url: where calls go, without credentials; shown: the same without query, fit for messages.

    basic: the value of an Authorization header, where the base URL held credentials; password: the secret part of
    it; query: the query, which may hold a key; secure: https; loopback: this machine, which no proxy stands before.
    """

    url: str
    shown: str
    secure: bool
    loopback: bool
    basic: Secret | None = None
    password: Secret | None = None
    query: Secret | None = None


def parse_address(base_url: str) -> Address:
    """The address of `<base_url>/chat/completions`.

    Raises:
        ConfigurationError: no http or https URL with a host.
    """
    address = _parse(base_url)
    if address is None:
        raise ConfigurationError(
            "The base URL of a provider must look like https://host/v1: a scheme of http or https, a host, a path."
        )
    return address


@lru_cache(maxsize=64)
def _parse(base_url: str) -> Address | None:
    try:
        parts = urlsplit(base_url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or not base_url.isprintable():
        return None
    place = f"[{host}]" if ":" in host else host
    place = place if port is None else f"{place}:{port}"
    path = parts.path.rstrip("/") + "/chat/completions"
    return Address(
        url=urlunsplit((parts.scheme, place, path, parts.query, "")),
        shown=urlunsplit((parts.scheme, place, path, "", "")),
        secure=parts.scheme == "https",
        loopback=_is_loopback(host),
        basic=_basic(parts),
        password=Secret(unquote(parts.password)) if parts.password else None,
        query=Secret(parts.query) if parts.query else None,
    )


def _basic(parts: SplitResult) -> Secret | None:
    if not parts.username:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Secret("Basic " + base64.b64encode(pair.encode()).decode())


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
