"""`engine.guardrails`: the guards of agents, and the scanners that they look with."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from promptrails_engine import guardrails
from promptrails_engine.definitions.guards import split_config
from promptrails_engine.faces import M_co, method
from promptrails_engine.ports.scanner import AskingScanner, Scanner, ScannerMeta, Verdict
from promptrails_engine.resources.agent_guards import (
    Action,
    Direction,
    Guardrail,
    add_guard,
    changed,
    guardrail_of,
    list_guards,
    no_guard,
    parts_of,
)
from promptrails_engine.resources.base import EngineResource
from promptrails_engine.resources.lone_scans import lone_scan

if TYPE_CHECKING:
    from promptrails_engine.guardrails.evaluation import Evaluation

_list = list  # the classes below have a method of that name


class Guardrails(EngineResource[M_co]):
    """Guards are part of an agent's version: to add, change or remove one makes a new version, which is current."""

    @method
    async def list(self, agent_id: str) -> _list[Guardrail]:
        """The guards of an agent's current version, as they are listed there.

        Raises:
            NotFoundError: no such agent, or it has no version yet.
        """
        return await list_guards(self._parts, agent_id)

    @method
    async def get(self, guardrail_id: str) -> Guardrail:
        """A guard of an agent's current version.

        Raises:
            NotFoundError: there is none.
        """
        agent_id, guard_id = parts_of(guardrail_id)
        found = [guard for guard in await list_guards(self._parts, agent_id) if guard.id == guardrail_id]
        if not found:
            raise no_guard(agent_id, guard_id)
        return found[0]

    @method
    async def create(
        self,
        agent_id: str,
        type: Direction,
        scanner_type: str,
        action: Action = "block",
        config: Mapping[str, Any] | None = None,
        *,
        is_active: bool = True,
        sort_order: int | None = None,
    ) -> Guardrail:
        """A new guard of an agent, from the next run on.

        Args:
            agent_id: the agent's id or name.
            type: whether it looks at inputs or outputs.
            scanner_type: what it looks with; `list_scanners` tells them all.
            action: `block` fails the run, `redact` takes out what was found, `log` only records it.
            config: options of the scanner and of the guard (see `GuardOptions`).
            is_active: whether it looks at all.
            sort_order: place among the guards of its direction.

        Raises:
            NotFoundError: no such agent, or it has no version yet.
            DefinitionError: there is no such scanner, or the config cannot be used.
        """
        return await add_guard(self._parts, agent_id, type, scanner_type, action, config, is_active, sort_order)

    @method
    async def update(
        self,
        guardrail_id: str,
        *,
        action: Action | None = None,
        config: Mapping[str, Any] | None = None,
        is_active: bool | None = None,
        sort_order: int | None = None,
    ) -> Guardrail:
        """The guard with what is given changed, from the next run on.

        Raises:
            NotFoundError: there is no such guard in the agent's current version.
            DefinitionError: the config cannot be used.
        """
        given = {"action": action, "config": config, "is_active": is_active, "sort_order": sort_order}
        changes = {name: value for name, value in given.items() if value is not None}
        await self._parts.ready()
        agent_id, guard_id = parts_of(guardrail_id)

        def change(guards: _list[dict[str, Any]]) -> _list[dict[str, Any]]:
            return [{**guard, **changes} if guard["id"] == guard_id else guard for guard in guards]

        version = await changed(self._parts, agent_id, change, f"guard changed: {guard_id}", guard_id)
        return next(guardrail_of(version, spec) for spec in version.guardrails if spec["id"] == guard_id)

    @method
    async def delete(self, guardrail_id: str) -> None:
        """Remove a guard, from the next run on.

        Raises:
            NotFoundError: there is no such guard in the agent's current version.
        """
        await self._parts.ready()
        agent_id, guard_id = parts_of(guardrail_id)

        def change(guards: _list[dict[str, Any]]) -> _list[dict[str, Any]]:
            return [guard for guard in guards if guard["id"] != guard_id]

        await changed(self._parts, agent_id, change, f"guard removed: {guard_id}", guard_id)

    @method
    async def list_scanners(self) -> _list[ScannerMeta]:
        """What guards may look with, by type."""
        return await asyncio.to_thread(self._parts.scanners.all)

    @method
    async def scan(self, scanner_type: str, text: str, config: Mapping[str, Any] | None = None) -> Verdict:
        """What a scanner says of a text, as it would say it to a guard with this config.

        A judge is asked as in a run, under the engine's limits; no execution is stored.

        Raises:
            DefinitionError: there is no such scanner, or the config cannot be used.
            PromptRailsError: of the judge's provider; OutputInvalidError: it gave no answer that can be used.
        """
        _, options = split_config(config or {})
        scanner = await asyncio.to_thread(self._parts.scanners.build, scanner_type, options)
        if _asks(scanner):
            return await lone_scan(self._parts, scanner, text)
        return await asyncio.to_thread(scanner.scan, text)

    @method
    async def evaluate(
        self,
        scanner_type: str,
        dataset: str | os.PathLike[str] | Iterable[Mapping[str, Any]],
        config: Mapping[str, Any] | None = None,
    ) -> Evaluation:
        """How well a scanner tells the texts of a dataset apart: precision, recall, a threshold curve, and the rows on
        which it and the labels disagree.

        Args:
            scanner_type: what is evaluated.
            dataset: rows `{"text", "label", "options"?}`, or a JSON Lines file of them (`.gz` too); a true label says
                that the scanner should find something.  `options` are added to the config for that row.
            config: the scanner's options.

        Raises:
            DefinitionError: there is no such scanner, or the config cannot be used.
            ValidationError: the dataset cannot be read; it says which row.
            PromptRailsError: of a judge, which is asked about each row.
        """
        _, options = split_config(config or {})
        parts, loop = self._parts, asyncio.get_running_loop()

        def look(scanner: Scanner, text: str) -> Verdict:
            if not _asks(scanner):
                return scanner.scan(text)
            return asyncio.run_coroutine_threadsafe(lone_scan(parts, scanner, text), loop).result()

        return await asyncio.to_thread(
            lambda: guardrails.evaluate(parts.scanners, scanner_type, dataset, options, look)
        )


def _asks(scanner: Scanner) -> bool:
    return isinstance(scanner, AskingScanner) and scanner.asks is not None
