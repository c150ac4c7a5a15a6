"""Who serves a model name: providers given to the engine, then those found by entry point, then litellm."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from promptrails_engine.catalog.providers import Providers
from promptrails_engine.errors import ModelNotServedError
from promptrails_engine.models.registry import ModelRegistry
from promptrails_engine.ports.provider import ModelCapabilities, Provider
from promptrails_engine.run.binding import ModelBinding

ENTRY_POINT_GROUP = "promptrails_engine.providers"
_DEFAULT = "litellm"


class ModelDirectory:
    """Model names and their providers; a provider is made when its first model is asked for, and kept."""

    def __init__(self, providers: Providers, registry: ModelRegistry, default_model: str | None) -> None:
        self._providers = providers
        self._registry = registry
        self._default_model = default_model

    def bind(self, ref: str | None) -> ModelBinding:
        """The model behind a registered id or a `provider/model` name; the engine's default where none is named.

        Raises:
            ModelNotServedError: nobody serves it, or there is no model to use.
            MissingExtraError: its provider needs a package that is not installed.
        """
        ref = ref or self._default_model
        if ref is None:
            raise ModelNotServedError(
                "no model is named: give the prompt a model (llm_model_id='provider/model') or the engine a default "
                "with Engine(model='provider/model')"
            )
        name = self._registry.name_of(ref)
        prefix, slash, model = name.partition("/")
        if not slash or not prefix or not model:
            raise ModelNotServedError(
                f"'{ref}' is neither a registered model nor a name of the form provider/model, such as openai/gpt-4o"
            )
        provider = self._provider(prefix)
        if provider is None:
            provider, model = self._default_provider(name), name
        capabilities = self._capabilities(provider, model, ref)
        return ModelBinding(ref, model, provider, capabilities, self._registry.ceiling(ref))

    def _capabilities(self, provider: Provider, model: str, ref: str) -> ModelCapabilities:
        said = provider.capabilities(model)
        limits = self._registry.limits(ref)
        return ModelCapabilities(
            said.tools,
            said.json_schema,
            said.context_window or limits.context_window,
            said.max_output_tokens or limits.max_output_tokens,
        )

    def _provider(self, prefix: str) -> Provider | None:
        provider = self._providers.get(prefix)
        if provider is None:
            entry = _entry_points().get(prefix)
            if entry is not None:
                provider = self._providers.keep(prefix, _load(entry))
        return provider

    def _default_provider(self, name: str) -> Provider:
        provider = self._provider(_DEFAULT)
        if provider is None:
            raise ModelNotServedError(
                f"nobody serves '{name}': pass a provider with Engine(providers=[...]) or install one that registers "
                f"the entry point '{name.partition('/')[0]}' in the group '{ENTRY_POINT_GROUP}'"
            )
        return provider


@cache
def _entry_points() -> dict[str, EntryPoint]:
    """By name; looked up once a process, for it costs milliseconds."""
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def _load(entry: EntryPoint) -> Provider:
    factory: Callable[[str], Provider] = entry.load()
    return factory(entry.name)
