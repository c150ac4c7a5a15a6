"""The one module that imports litellm.  Import it off the event loop: it takes seconds.

The environment variable is set first, because litellm otherwise downloads its price map when it is imported.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from promptrails_engine.errors import ModelNotServedError
from promptrails_engine.ports.provider import Message, ModelRequest
from promptrails_engine.require import require
from promptrails_engine.secrets import Secret
from promptrails_providers.litellm_chunks import ChunkReader
from promptrails_providers.litellm_request import completion_arguments
from promptrails_providers.litellm_transport import CallFacts, CallTransport

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
_WAS_LOADED = "litellm" in sys.modules

_EXTRA = "litellm"
_FEATURE = "LiteLLMProvider"
_litellm: Any = require("litellm", extra=_EXTRA, feature=_FEATURE)
_handler: Any = require("litellm.llms.custom_httpx.http_handler", extra=_EXTRA, feature=_FEATURE)
_helpers: Any = require("litellm.litellm_core_utils.core_helpers", extra=_EXTRA, feature=_FEATURE)
_types: Any = require("litellm.types.utils", extra=_EXTRA, feature=_FEATURE)
_openai: Any = require("openai", extra=_EXTRA, feature=_FEATURE)

OWN_CLIENTS = frozenset({"azure", "azure_text"})
"""Providers for which litellm takes only a client class of its own; their calls are not seen by `CallTransport`."""
_OPENAI_KEY_PROVIDERS = frozenset({"openai", "custom_openai", "text-completion-openai"})
_OPENAI_URL = "https://api.openai.com/v1"
CONTROL_NAMES: frozenset[str] = frozenset(_types.all_litellm_params)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes.  key and base_url are as given, None for those of litellm's environment variables."""

    model: str
    """The full name, `provider/model`."""
    key: Secret | None
    base_url: str | None


class _NoKey:
    """Stands for the SDK's client where there is no key: whoever touches it learns so."""

    def __init__(self, facts: CallFacts) -> None:
        self._facts = facts

    def __getattr__(self, name: str) -> Any:
        self._facts.key_missing = True
        raise AttributeError("no API key")


async def open_stream(target: Target, request: ModelRequest, transport: CallTransport) -> ChunkReader:
    """The reader of a stream whose headers have arrived.

    Raises:
        BadRequestError: an option of the request is not a parameter of a model.
        ModelNotServedError: litellm does not know the prefix of the name.
        Exception: whatever litellm raises.
    """
    arguments = completion_arguments(request, CONTROL_NAMES)
    client = _client(target, transport)
    stream = await _litellm.acompletion(
        **arguments,
        model=target.model,
        api_key=_reveal(target.key),
        api_base=target.base_url,
        client=client,
        stream=True,
        stream_options={"include_usage": True},
        timeout=httpx.Timeout(None, connect=request.connect_timeout_s),
        num_retries=0,
        max_retries=0,  # either alone is not enough for every provider
        _skip_mcp_handler=True,  # without it, calls with tools need the package mcp
    )
    return ChunkReader(stream, _helpers.map_finish_reason, transport.facts)


def _client(target: Target, transport: CallTransport) -> Any:
    """A client over `transport` that both of litellm's ways to call accept, or None for litellm's own.

    One way uses its `AsyncHTTPHandler`, the other the `chat.completions` of an OpenAI client; which provider goes which
    way changes between releases.
    """
    provider, key, base_url = _resolve(target)
    if provider in OWN_CLIENTS:
        return None
    handler = _handler.AsyncHTTPHandler(transport=transport, follow_redirects=False)
    handler.client = handler.client  # given to it, so it does not close it when collected
    if provider in _OPENAI_KEY_PROVIDERS:
        key = key or _first(os.environ, "OPENAI_API_KEY")
        base_url = base_url or _first(os.environ, "OPENAI_BASE_URL", "OPENAI_API_BASE") or _OPENAI_URL
    if not key:
        handler.chat = handler.completions = _NoKey(transport.facts)
        return handler
    sdk = _openai.AsyncOpenAI(api_key=key, base_url=base_url, http_client=handler.client, max_retries=0)
    handler.chat, handler.completions = sdk.chat, sdk.completions
    handler.api_key, handler._base_url = sdk.api_key, sdk._base_url
    return handler


def _resolve(target: Target) -> tuple[str, str | None, str | None]:
    """Provider, key and address as litellm finds them, the latter two from its variables where none are given."""
    try:
        _, provider, key, base_url = _litellm.get_llm_provider(
            model=target.model, api_base=target.base_url, api_key=_reveal(target.key)
        )
        return str(provider), key or _reveal(target.key), base_url or target.base_url
    except _litellm.BadRequestError:
        pass
    raise ModelNotServedError(f"litellm does not know the provider of the model '{target.model}'.")


def _reveal(key: Secret | None) -> str | None:
    return key.reveal() if key is not None else None


def _first(environment: Mapping[str, str], *names: str) -> str | None:
    return next((value for name in names if (value := environment.get(name))), None)


# ------------------------------------------------------------------ once for each process


def _quieten() -> None:
    """Take away what litellm would print; its loggers go on to the application's."""
    _litellm.suppress_debug_info = True
    if _WAS_LOADED:
        return  # the application imported it, so its settings are the application's
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)


_CANNED = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    b'"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}\n\n'
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},'
    b'"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


async def _rehearse() -> None:
    """One call through each way against a canned answer: litellm imports some 500 modules at its first call."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=_CANNED)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as pool:
        for model in ("openai/m", "groq/m", "anthropic/m", "gemini/m"):
            target = Target(model=model, key=Secret("rehearsal"), base_url="http://127.0.0.1:9/v1")
            request = ModelRequest(model="m", messages=[Message("user", "a")])
            try:
                reader = await open_stream(target, request, CallTransport(pool, 1.0))
                async for _ in reader.read():
                    pass
            except Exception as exc:  # the answer suits only one of the formats; what counts is what it imported
                logging.getLogger(__name__).debug("rehearsal of %s: %s", model, type(exc).__name__)


_quieten()
asyncio.run(_rehearse())
