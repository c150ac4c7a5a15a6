"""The providers of one engine by name: those given to it, and those that were found since."""

from __future__ import annotations

from collections.abc import Iterable

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.provider import Provider


class Providers:
    """Providers in use, under the names by which models call for them."""

    def __init__(self, given: Iterable[Provider] = ()) -> None:
        """Raises ConfigurationError for two of one name."""
        self._by_name: dict[str, Provider] = {}
        for provider in given:
            if provider.name in self._by_name:
                raise ConfigurationError(f"two providers are named '{provider.name}'; give one of them another name")
            self._by_name[provider.name] = provider

    def get(self, name: str) -> Provider | None:
        return self._by_name.get(name)

    def keep(self, name: str, provider: Provider) -> Provider:
        """The provider, from now on in use under this name."""
        self._by_name[name] = provider
        return provider

    def all(self) -> list[Provider]:
        """Those in use so far."""
        return list(self._by_name.values())
