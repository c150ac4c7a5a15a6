"""HTTP clients: one for each running event loop, because connections belong to the loop that opened them."""

from __future__ import annotations

import asyncio
import ssl
import threading
from dataclasses import dataclass
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.require import require

if TYPE_CHECKING:
    import httpx

KEEPALIVE_S = 30.0


@cache
def load_httpx() -> Any:
    """The httpx module.

    Raises:
        MissingExtraError: it is not installed.
    """
    return require("httpx", extra="all", feature="OpenAICompatibleProvider")


@dataclass(frozen=True, slots=True)
class Route:
    """What a client must be able to do: `secure` for https, `environment` for proxies of the environment."""

    secure: bool
    environment: bool


class LoopClients:
    """Makes clients when they are first needed and closes them; safe to share between threads."""

    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        self._lock = threading.Lock()
        self._clients: dict[tuple[asyncio.AbstractEventLoop, Route], httpx.AsyncClient] = {}

    async def get(self, route: Route) -> httpx.AsyncClient:
        """The client of the running loop.

        Raises:
            MissingExtraError: httpx is not installed.
            ConfigurationError: a proxy of the environment cannot be used.
        """
        key = (asyncio.get_running_loop(), route)
        client = self._clients.get(key)
        if client is not None:
            return client
        # Importing httpx and reading the certificate store take tens of milliseconds each.
        client = await asyncio.to_thread(self._make, route)
        with self._lock:
            for old in [k for k in self._clients if k[0].is_closed()]:
                del self._clients[old]  # its connections went with the loop
            kept = self._clients.setdefault(key, client)
        if kept is not client:
            await client.aclose()
        return kept

    async def aclose(self) -> None:
        """Close the connections of the running loop; those of another loop are closed by a call from there."""
        here = asyncio.get_running_loop()
        with self._lock:
            mine = [self._clients.pop(key) for key in list(self._clients) if key[0] is here]
        for client in mine:
            await client.aclose()

    def _make(self, route: Route) -> httpx.AsyncClient:
        module = load_httpx()
        # A context without certificates trusts no server; plain http needs none, and loading them is slow.
        context = module.create_ssl_context() if route.secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        problem = ""
        try:
            client: httpx.AsyncClient = module.AsyncClient(
                verify=context,
                trust_env=route.environment,
                follow_redirects=False,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # calls share no state
                limits=module.Limits(
                    max_connections=self._max_connections,
                    max_keepalive_connections=self._max_connections,
                    keepalive_expiry=KEEPALIVE_S,
                ),
            )
            return client
        except (ImportError, ValueError, module.InvalidURL) as exc:  # a proxy of an unknown or uninstalled kind
            problem = type(exc).__name__
        raise ConfigurationError(
            f"The proxy that the environment names cannot be used ({problem}). Correct HTTP_PROXY, HTTPS_PROXY or "
            "ALL_PROXY, or except the host in NO_PROXY; SOCKS proxies need: pip install 'httpx[socks]'"
        )
