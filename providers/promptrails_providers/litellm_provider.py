"""Models of every provider that litellm knows, by its names `provider/model`."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from types import ModuleType

from promptrails_engine.errors import MissingExtraError, ModelNotServedError
from promptrails_engine.models.table import model_table
from promptrails_engine.ports.provider import Account, Delta, ModelCapabilities, ModelRequest, Support
from promptrails_engine.require import installed, require
from promptrails_engine.secrets import Secret
from promptrails_providers.account_digest import account_digest
from promptrails_providers.litellm_names import PROVIDER_PREFIXES
from promptrails_providers.openai_compatible.clients import LoopClients, Route
from promptrails_providers.openai_compatible.http_errors import Call

MAX_CONNECTIONS = 200
_EXTRA = "litellm"
_FEATURE = "LiteLLMProvider"
_SECRET_NAMES = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$")
_UNLISTED = ModelCapabilities(tools="native", json_schema="emulated")
"""Of a model that is not in the table: most take tools, but many refuse a schema."""


class LiteLLMProvider:
    """Calls models through litellm (extra `litellm`), which is used as a translator of wire formats alone.

    Retries, redirects, callbacks, its router and its cost tracking are off.  Keys and addresses come from the
    environment variables that litellm names (`ANTHROPIC_API_KEY`, ...), or from the constructor.  litellm is imported
    on a thread at the first call, or by `warm_up`.
    """

    def __init__(
        self,
        *,
        name: str = "litellm",
        api_key: str | Secret | None = None,
        api_base: str | None = None,
        capabilities: ModelCapabilities | None = None,
    ) -> None:
        """Keep the settings; nothing is imported or opened.

        api_key, api_base: for every call, instead of the environment's; capabilities: of every model, instead of those
        in the table of models.
        """
        self._name = name
        self._key = Secret(api_key) if isinstance(api_key, str) else api_key
        self._api_base = api_base
        self._capabilities = capabilities
        self._clients = LoopClients(MAX_CONNECTIONS)

    @property
    def name(self) -> str:
        """The prefix of the model names that it serves."""
        return self._name

    def __repr__(self) -> str:
        return f"LiteLLMProvider(name={self._name!r}, api_base={self._api_base!r})"

    def capabilities(self, model: str) -> ModelCapabilities:
        """What `provider/model` can do, from the table of models; litellm is not imported.

        Raises:
            ModelNotServedError: litellm has no provider of that prefix.
            MissingExtraError: litellm is not installed.
        """
        _check_installed()
        _check_name(model)
        if self._capabilities is not None:
            return self._capabilities
        row = model_table().rows.get(model)
        if row is None:
            return _UNLISTED
        return ModelCapabilities(
            tools=_support(row.supports("tools")),
            json_schema=_support(row.supports("json")),
            context_window=row.context_window,
            max_output_tokens=row.max_output_tokens,
        )

    def account(self, model: str) -> Account:
        """The credential of the next call: the key given, else what the environment holds under litellm's name."""
        key = self._key.reveal() if self._key is not None else os.environ.get(_variable(model.partition("/")[0]), "")
        return Account(account_digest(key, self._api_base or ""), MAX_CONNECTIONS)

    async def warm_up(self) -> None:
        """Import litellm on a thread, with all that a first call needs, so that the first call is as quick as others.

        Raises:
            MissingExtraError: litellm is not installed.
        """
        _check_installed()
        await asyncio.to_thread(_load)

    async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        """Call the model; the port lists the errors.

        Raises:
            ModelNotServedError: litellm has no provider of that prefix.
            MissingExtraError: litellm is not installed.
        """
        _check_name(request.model)
        await self.warm_up()
        module = _load()
        target = module.Target(request.model, self._key, self._api_base)
        pool = await self._clients.get(Route(secure=True, environment=True))
        async with aclosing(module.run_call(target, request, pool, self._describe(request.model))) as deltas:
            async for delta in deltas:
                yield delta

    async def aclose(self) -> None:
        """Close connections; a later call opens new ones."""
        await self._clients.aclose()

    def _describe(self, model: str) -> Call:
        provider, _, rest = model.partition("/")
        hint = "check the api_key" if self._key is not None else f"set {_variable(provider)} or give api_key"
        return Call(
            provider=provider, model=rest, url=f"the address of '{provider}'", key_hint=hint, secrets=self._secrets()
        )

    def _secrets(self) -> tuple[Secret, ...]:
        """The key given and every value in the environment that is named like a credential."""
        found = tuple(Secret(value) for name, value in os.environ.items() if value and _SECRET_NAMES.search(name))
        return found if self._key is None else (self._key, *found)


def create(name: str) -> LiteLLMProvider:
    """The provider under the given name, with keys from the environment."""
    return LiteLLMProvider(name=name)


def _load() -> ModuleType:
    return require("promptrails_providers.litellm_call", extra=_EXTRA, feature=_FEATURE)


def _check_installed() -> None:
    if not installed("litellm"):
        raise MissingExtraError(
            f"{_FEATURE} needs the package 'litellm', which is not installed. "
            f"Install it with: pip install 'promptrails-engine[{_EXTRA}]'",
            details={"module": "litellm", "extra": _EXTRA},
        )


def _check_name(model: str) -> None:
    provider, slash, rest = model.partition("/")
    if not slash or not rest:
        raise ModelNotServedError(f"'{model}' names no provider: write 'provider/model', such as 'openai/gpt-4o'.")
    if provider not in PROVIDER_PREFIXES:
        raise ModelNotServedError(
            f"litellm has no provider '{provider}' (in the model name '{model}'). Check the spelling, or register a "
            f"provider named '{provider}'.",
            details={"model": model},
        )


def _support(native: bool) -> Support:
    return "native" if native else "emulated"


def _variable(provider: str) -> str:
    return f"{provider.upper().replace('-', '_')}_API_KEY"
