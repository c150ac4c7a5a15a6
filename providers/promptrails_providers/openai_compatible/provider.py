"""The provider itself: one streamed HTTP call for each request."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from promptrails_engine._version import __version__
from promptrails_engine.errors import AuthError, ConfigurationError, PromptRailsError
from promptrails_engine.ports.provider import Account, Delta, ModelCapabilities, ModelRequest
from promptrails_engine.secrets import Secret
from promptrails_providers.account_digest import account_digest
from promptrails_providers.openai_compatible.address import Address, parse_address
from promptrails_providers.openai_compatible.clients import LoopClients, Route, load_httpx
from promptrails_providers.openai_compatible.endpoints import ENDPOINTS, Endpoint, custom
from promptrails_providers.openai_compatible.http_errors import Call, refusal
from promptrails_providers.openai_compatible.inflate import (
    BadEncodingError,
    CompressionRatioError,
    make_inflater,
)
from promptrails_providers.openai_compatible.rate_headers import rate_limits_of
from promptrails_providers.openai_compatible.reader import AnswerReader
from promptrails_providers.openai_compatible.request_body import encode_request
from promptrails_providers.openai_compatible.transport_errors import explain

if TYPE_CHECKING:
    import httpx

MAX_CONNECTIONS = 100
"""In one event loop; a larger pool makes every call slower."""
MAX_ERROR_BODY = 64 * 1024
DRAIN_S = 0.1
"""How long the end of the body is waited for after the end mark, to keep the connection for the next call."""
_OK = 200


class OpenAICompatibleProvider:
    """Calls `<base URL>/chat/completions` of any server that speaks OpenAI's format.

    A name of the table (`ENDPOINTS`) brings its base URL, key variable and departures from the format; another name
    needs `base_url`, and `endpoint` where the server departs from it.  httpx is loaded at the first call.  Proxies of
    the environment are used, except to reach this machine; redirects are refused.
    """

    def __init__(
        self,
        name: str,
        base_url: str | None = None,
        api_key: str | Secret | None = None,
        *,
        capabilities: ModelCapabilities | None = None,
        endpoint: Endpoint | None = None,
        headers: Mapping[str, str] | None = None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        """Keep the settings; nothing is opened.

        api_key: else the key is read at each call from the environment variables of the endpoint; capabilities: of
        every model, instead of those of the endpoint; headers: sent with every call, their values treated as secret.

        Raises:
            ConfigurationError: the name is not in the table and no base URL is given; it is no URL; a header cannot
                be sent.
        """
        row = endpoint or ENDPOINTS.get(name) or (custom(name, base_url) if base_url else None)
        if row is None:
            raise ConfigurationError(
                f"'{name}' is not a known server. Give its base_url, or use one of: {', '.join(sorted(ENDPOINTS))}"
            )
        self._name = name
        self._endpoint = row
        self._base_url = base_url
        self._key = Secret(api_key) if isinstance(api_key, str) else api_key
        self._capabilities = capabilities or ModelCapabilities(tools=row.tools, json_schema=row.json_schema)
        self._headers = {key: Secret(_sendable(key, value)) for key, value in (headers or {}).items()}
        self._connections = max_connections
        self._clients = LoopClients(max_connections)
        self._shown = parse_address(base_url or row.base_url).shown

    @property
    def name(self) -> str:
        """The prefix of the model names that it serves."""
        return self._name

    def __repr__(self) -> str:
        return f"OpenAICompatibleProvider(name={self._name!r}, url={self._shown!r})"

    def capabilities(self, model: str) -> ModelCapabilities:
        """What the models of this server can do; they are not told apart."""
        return self._capabilities

    def account(self, model: str) -> Account:
        """The credential of the next call, and the address that it goes to."""
        row = self._endpoint
        key = self._key.reveal() if self._key is not None else _from_environment(row.key_env)
        base_url = self._base_url or _from_environment(row.base_url_env) or row.base_url
        headers = [f"{name}: {value.reveal()}" for name, value in self._headers.items()]
        return Account(account_digest(key or "", base_url, *headers), self._connections)

    async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        """Call the model; the port lists the errors.

        Raises:
            AuthError: no key is given and its environment variable is not set.
            ConfigurationError: the base URL or a proxy of the environment cannot be used.
            MissingExtraError: httpx is not installed.
        """
        address = self._address()
        key = self._find_key()
        body = encode_request(request, self._endpoint)
        client = await self._clients.get(Route(secure=address.secure, environment=not address.loopback))
        call = self._describe(request.model, address, key)
        message = self._message(client, address, key, body, request.connect_timeout_s)
        reader = AnswerReader(call, self._endpoint.reasoning_fields)
        failure: PromptRailsError | None = None
        try:
            response = await client.send(message, stream=True)
            async with aclosing(response):
                limits = rate_limits_of(response.headers, time.time())
                if limits is not None:
                    yield limits
                failure = await _refusal(call, response)
                if failure is None:
                    async with aclosing(_pieces(response, reader)) as pieces:
                        async for piece in pieces:
                            for delta in reader.feed(piece):
                                yield delta
        except (load_httpx().HTTPError, CompressionRatioError, BadEncodingError) as exc:
            if not reader.complete:
                failure = explain(call, exc, delivered=reader.delivered, connect_timeout_s=request.connect_timeout_s)
        if failure is None:
            for delta in reader.end():
                yield delta
            failure = reader.failure
        if failure is not None:  # raised out here, so that it drags no httpx error along, which holds the key
            raise failure

    async def aclose(self) -> None:
        """Close the connections of the running event loop; a later call opens new ones."""
        await self._clients.aclose()

    # -------------------------------------------------------------- what a call needs

    def _address(self) -> Address:
        row = self._endpoint
        return parse_address(self._base_url or _from_environment(row.base_url_env) or row.base_url)

    def _find_key(self) -> Secret | None:
        names = self._endpoint.key_env
        value = self._key.reveal() if self._key is not None else _from_environment(names)
        where = f"set the environment variable {names[0]}" if names else "give one"
        if value and value.strip():
            if value.strip().isascii() and value.strip().isprintable():
                return Secret(value.strip())
            raise AuthError(
                f"The API key for '{self._name}' holds characters that no key has, such as a line break; {where} anew."
            )
        if self._endpoint.key_required and "authorization" not in {key.lower() for key in self._headers}:
            raise AuthError(f"No API key for '{self._name}': {where}, or give api_key to the provider.")
        return None

    def _describe(self, model: str, address: Address, key: Secret | None) -> Call:
        candidates = (key, address.password, address.basic, address.query, *self._headers.values())
        names = self._endpoint.key_env
        return Call(
            provider=self._name,
            model=model,
            url=address.shown,
            key_hint=f"check the key in {names[0]}" if names and self._key is None else "check the api_key",
            secrets=tuple(secret for secret in candidates if secret is not None),
        )

    def _message(
        self, client: httpx.AsyncClient, address: Address, key: Secret | None, body: bytes, connect_timeout_s: float
    ) -> httpx.Request:
        headers = {
            "accept": "text/event-stream, application/json",
            "accept-encoding": "identity",  # compression would hold tokens back, and costs more than it saves
            "content-type": "application/json",
            "user-agent": f"promptrails-engine/{__version__}",
        }
        if key is not None:
            headers["authorization"] = f"Bearer {key.reveal()}"
        elif address.basic is not None:
            headers["authorization"] = address.basic.reveal()
        headers.update((name.lower(), value) for name, value in self._endpoint.headers.items())
        headers.update((name.lower(), value.reveal()) for name, value in self._headers.items())
        timeout = load_httpx().Timeout(None, connect=connect_timeout_s)
        return client.build_request("POST", address.url, content=body, headers=headers, timeout=timeout)


def create(name: str) -> OpenAICompatibleProvider:
    """The provider for a prefix of the table, with its key and base URL from the environment.

    Raises:
        ConfigurationError: the prefix is not in the table.
    """
    return OpenAICompatibleProvider(name)


# ------------------------------------------------------------------ reading


async def _pieces(response: httpx.Response, reader: AnswerReader) -> AsyncGenerator[bytes, None]:
    """The decoded body until the reader has what it wants; its end is then read too, where it comes at once.

    A connection whose body was left unread cannot be kept for the next call.
    """
    async with aclosing(_decoded(response)) as body:
        async for piece in body:
            yield piece
            if reader.failure is not None:
                return
            if reader.done:
                break
        await _drain(body)


async def _drain(body: AsyncIterator[bytes]) -> None:
    try:
        async with asyncio.timeout(DRAIN_S):
            async for _ in body:
                pass
    except TimeoutError:
        pass


async def _decoded(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The body, decompressed in bounded pieces."""
    inflater = make_inflater(response.headers.get("content-encoding", ""))
    async for raw in response.aiter_raw():
        if inflater is None:
            yield raw
        else:
            for piece in inflater.feed(raw):
                yield piece


async def _refusal(call: Call, response: httpx.Response) -> PromptRailsError | None:
    """The error of a response that is no answer."""
    if response.status_code == _OK:
        return None
    body = bytearray()
    async with aclosing(_decoded(response)) as pieces:
        try:
            async for piece in pieces:
                body += piece
                if len(body) > MAX_ERROR_BODY:
                    break
        except (load_httpx().HTTPError, CompressionRatioError, BadEncodingError):
            pass  # the status and what came of the body are enough
    return refusal(call, response.status_code, response.headers, bytes(body[:MAX_ERROR_BODY]), time.time())


def _from_environment(names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name, "").strip())), None)


def _sendable(name: str, value: str) -> str:
    if not (name and name.isascii() and name.isprintable() and value.isascii() and value.isprintable()):
        raise ConfigurationError(f"The header {name!r} cannot be sent: names and values are printable ASCII.")
    return value
