"""The scanners of one engine: those given to it, and those found by entry point."""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from promptrails_engine.definitions.guards import GuardOptions, split_config
from promptrails_engine.errors import ConfigurationError, DefinitionError, MissingExtraError, PromptRailsError
from promptrails_engine.ports.scanner import Scanner, ScannerMeta, ScannerModule

ENTRY_POINT_GROUP = "promptrails_engine.scanners"
_OWN = "promptrails_scanners."
_KEPT = 256
"""So many built scanners are kept for the next plan that names the same options."""


class Scanners:
    """Scanners by type; one that is found by entry point is loaded when it is first used."""

    def __init__(self, given: Mapping[str, ScannerModule]) -> None:
        self._by_type = dict(given)
        self._given = frozenset(given)
        self._kept = lru_cache(maxsize=_KEPT)(self._told)

    def build(self, scanner_type: str, config: Mapping[str, Any]) -> Scanner:
        """A scanner of this type with these options: the same one for the same options, as long as it is kept.

        Raises:
            DefinitionError: there is no such scanner, or it cannot use the options.
            MissingExtraError: it needs a package that is not installed.
        """
        try:
            told = json.dumps(config, sort_keys=True)
        except (TypeError, ValueError):  # an object of the caller's own, such as a function
            return self._built(scanner_type, config)
        return self._kept(scanner_type, told)

    async def prepare(self, specs: Iterable[Mapping[str, Any]]) -> None:
        """Build the scanners of active guards on a thread: loading their tables and models may take a second.

        Raises:
            DefinitionError, MissingExtraError: as `build`.
        """
        active = [spec for spec in specs if spec.get("is_active", True)]
        if active:
            await asyncio.to_thread(lambda: [self.build_for(spec) for spec in active])

    def build_for(self, spec: Mapping[str, Any]) -> tuple[GuardOptions, Scanner]:
        """What a guard's config says of the guard, and its scanner.

        Raises:
            DefinitionError, MissingExtraError: as `build`.
        """
        options, config = split_config(spec.get("config", {}))
        return options, self.build(spec["scanner_type"], config)

    def _told(self, scanner_type: str, config: str) -> Scanner:
        return self._built(scanner_type, json.loads(config))

    def _built(self, scanner_type: str, config: Mapping[str, Any]) -> Scanner:
        module = self._module(scanner_type)
        try:
            return module.build(config)
        except DefinitionError:
            raise
        except ConfigurationError as error:
            if type(error) is not ConfigurationError:
                raise
            raise DefinitionError(error.message, details=error.details) from None

    def all(self) -> list[ScannerMeta]:
        """What there is, by type; of a scanner that cannot be loaded, why."""
        return [self._meta(one) for one in sorted({*self._by_type, *_entry_points()})]

    def ships(self, scanner_type: str) -> bool:
        """Whether it is one of those that come with this package, of which it is known how they behave."""
        entry = _entry_points().get(scanner_type)
        return scanner_type not in self._given and entry is not None and entry.value.startswith(_OWN)

    def _meta(self, scanner_type: str) -> ScannerMeta:
        try:
            return self._module(scanner_type).META
        except Exception as error:  # whatever the code of a stranger raises when it is loaded
            why = error.message if isinstance(error, PromptRailsError) else f"{type(error).__name__}: {error}"
            return ScannerMeta(scanner_type, scanner_type, "", "never", (), enabled=False, disabled_reason=why)

    def _module(self, scanner_type: str) -> ScannerModule:
        module = self._by_type.get(scanner_type)
        if module is None:
            entry = _entry_points().get(scanner_type)
            if entry is None:
                raise self._unknown(scanner_type)
            try:
                loaded: ScannerModule = entry.load()
            except MissingExtraError:
                raise
            except ImportError as error:
                raise DefinitionError(
                    f"scanner '{scanner_type}' cannot be loaded: {error}; install what it needs, or use another one"
                ) from error
            module = self._by_type[scanner_type] = loaded
        return module

    def _unknown(self, scanner_type: str) -> DefinitionError:
        known = sorted({*self._by_type, *_entry_points()})
        near = difflib.get_close_matches(scanner_type, known, n=1)
        meant = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known) or 'none'}."
        return DefinitionError(
            f"there is no scanner '{scanner_type}'; {meant} Give the engine more with Engine(scanners=[...])",
            details={"unknown": [scanner_type], "known": known},
        )


@cache
def _entry_points() -> dict[str, EntryPoint]:
    """By name; looked up once a process, for it costs milliseconds."""
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
