"""What an engine was given for its agents to name: data sources, media providers and scanners."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.datasource import DataSource
from promptrails_engine.ports.media import MediaProvider
from promptrails_engine.ports.scanner import ScannerModule


class GivenAdapters:
    """Those of one engine; nothing is asked of them yet but their names."""

    def __init__(
        self,
        data_sources: Iterable[DataSource] = (),
        media: Iterable[MediaProvider] = (),
        scanners: Iterable[ScannerModule] = (),
    ) -> None:
        """Raises ConfigurationError for two of one name, or for what is none."""
        self.data_sources: dict[str, DataSource] = _by_name(data_sources, DataSource, "data source")
        self.media: dict[str, MediaProvider] = _by_name(media, MediaProvider, "media provider")
        self.scanners = _by_type(scanners)

    def all(self) -> list[DataSource | MediaProvider]:
        """Those that are to be closed."""
        return [*self.data_sources.values(), *self.media.values()]


def _by_type(given: Iterable[ScannerModule]) -> dict[str, ScannerModule]:
    found: dict[str, ScannerModule] = {}
    for module in given:
        if not isinstance(module, ScannerModule):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"{type(module).__name__} is no scanner: it needs META, a ScannerMeta, and build(config)"
            )
        if module.META.type in found:
            raise ConfigurationError(f"two scanners are of the type '{module.META.type}'; rename one of them")
        found[module.META.type] = module
    return found


def _by_name(given: Iterable[Any], port: type[Any], noun: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for adapter in given:
        if not isinstance(adapter, port):
            raise ConfigurationError(
                f"{type(adapter).__name__} is no {noun}: it lacks a member of the {port.__name__} protocol"
            )
        if adapter.name in found:
            raise ConfigurationError(f"two {noun}s are named '{adapter.name}'; give one of them another name")
        found[adapter.name] = adapter
    return found
