"""Agents and their versions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from promptrails_engine.catalog.base import Catalog, CatalogContext, checked_labels
from promptrails_engine.catalog.check_workflow import check_graph, parts_of
from promptrails_engine.catalog.descent import refuse_circle
from promptrails_engine.catalog.prompts import PromptCatalog
from promptrails_engine.definitions import content as contents
from promptrails_engine.definitions.checked import checked_agent
from promptrails_engine.definitions.configs import AGENT_TYPES, AgentConfig, AnyAgentConfig, parse_config
from promptrails_engine.definitions.graph_nodes import WorkflowNode
from promptrails_engine.definitions.records import Agent, AgentVersion
from promptrails_engine.errors import DefinitionError
from promptrails_engine.guardrails.guards import build_guards
from promptrails_engine.guardrails.scanners import Scanners
from promptrails_engine.ports.store import DefinitionRow, VersionRow

_list = list  # the classes below have a method of that name


class AgentCatalog(Catalog):
    """The agents of one workspace."""

    kind = "agent"

    def __init__(self, context: CatalogContext, prompts: PromptCatalog, scanners: Scanners) -> None:
        super().__init__(context)
        self._prompts = prompts
        self._scanners = scanners

    async def create(
        self,
        name: str,
        type: str | None = None,
        *,
        description: str = "",
        labels: Sequence[str] = (),
        content: Mapping[str, Any] | None = None,
        label: str | None = None,
        message: str = "",
    ) -> Agent:
        """A new agent; with content given, its first version is made with it and is current.

        Raises:
            ConflictError: the name is taken.
            DefinitionError: the type or the content cannot be used.
            NotFoundError: the config names a prompt or agent that does not exist.
        """
        checked = None if content is None else await self.check(content, type)
        type = type or (checked["config"]["type"] if checked else None)
        if type not in AGENT_TYPES:
            raise DefinitionError(f"an agent needs a config or a type, one of: {', '.join(AGENT_TYPES)}; got {type!r}")
        row = self._new_row(name, type, {"description": description, "labels": checked_labels(labels)})
        version = None
        if checked is not None:
            version = self._new_version(row.id, checked, label, message, 0)
            row.current_version_id = version.id
        await self._store.insert_definition(row, version)
        return await self._agent(row)

    async def create_version(
        self,
        ref: str,
        content: Mapping[str, Any],
        *,
        label: str | None = None,
        set_current: bool = False,
        message: str = "",
        after: str | None = None,
    ) -> AgentVersion:
        """A new version with this content; with `after`, only while that version is the current one.

        Raises:
            ConflictError: the label is taken, or another version became current.
            DefinitionError: the content cannot be used.
            NotFoundError: the config names a prompt or agent that does not exist.
        """
        row = await self.row(ref)
        checked = await self.check(content, row.type)
        await refuse_circle(row, checked, self._current)
        version = await self._add_version(row, checked, label, message, set_current, after)
        return contents.agent_version(version, version.id if set_current else row.current_version_id)

    async def check(self, content: Mapping[str, Any], type: str | None) -> dict[str, Any]:
        """The content as it would be stored: checked, names of prompts and agents turned into ids.

        Raises:
            DefinitionError: the content cannot be used.
            NotFoundError: the config names a prompt or agent that does not exist.
        """
        if not isinstance(content.get("config"), Mapping | AgentConfig):
            raise DefinitionError("an agent version needs a config, such as SimpleAgentConfig(prompt_id=...)")
        checked = checked_agent(content, type)
        config = checked["config"]
        entries = [config, *config.get("prompt_ids", ()), *config.get("nodes", ()), *config.get("steps", ())]
        for entry in (*entries, *checked.get("sub_agents", ())):
            for name in ("prompt_id", "aggregator_prompt_id", "router_prompt_id"):
                if name in entry:
                    entry[name] = (await self._prompts.row(entry[name])).id
            if "agent_id" in entry:
                entry["agent_id"] = (await self.row(entry["agent_id"])).id
        await self._check_graph(parse_config(config), checked.get("input_schema"))
        await self._scanners.prepare(checked.get("guardrails", ()))
        build_guards(checked.get("guardrails", ()), self._scanners, None, one_speaker=True)
        return checked

    async def _check_graph(self, config: AnyAgentConfig, input_schema: Mapping[str, Any] | None) -> None:
        """Hold expressions, and the current templates of the prompts, against the graph that they stand in."""
        parts = parts_of(config)
        if not parts:
            return
        prompts = {part.id: part.prompt_id for part in parts if isinstance(part, WorkflowNode) and part.prompt_id}
        templates = {name: await self._prompts.current_templates(ref) for name, ref in prompts.items()}
        await asyncio.to_thread(check_graph, parts, input_schema, templates)  # the first loads networkx

    async def get(self, ref: str) -> Agent:
        return await self._agent(await self.row(ref))

    async def list(
        self, *, offset: int, limit: int, type: str | None = None, name: str | None = None, status: str | None = None
    ) -> tuple[_list[Agent], int]:
        rows, total = await self._store.list_definitions(
            self._workspace_id, self.kind, offset=offset, limit=limit, type=type, name=name, status=status
        )
        return [await self._agent(row) for row in rows], total

    async def list_versions(self, ref: str) -> _list[AgentVersion]:
        """Newest first."""
        row, versions = await self.version_rows(ref)
        return [contents.agent_version(version, row.current_version_id) for version in versions]

    async def get_version(self, ref: str, version_ref: str | None = None) -> AgentVersion:
        """A version by id or label; the current one where none is named."""
        row = await self.row(ref)
        return contents.agent_version(await self.version_row(row, version_ref), row.current_version_id)

    async def promote_version(self, ref: str, version_ref: str) -> AgentVersion:
        row, version = await self.promote(ref, version_ref)
        return contents.agent_version(version, row.current_version_id)

    async def update(
        self,
        ref: str,
        *,
        name: str | None = None,
        description: str | None = None,
        labels: Sequence[str] | None = None,
        status: str | None = None,
    ) -> Agent:
        row = await self.change(ref, name=name, description=description, labels=labels, status=status)
        return await self._agent(row)

    async def _current(self, ref: str) -> tuple[DefinitionRow, VersionRow | None]:
        """An agent that may have no current version.

        Raises:
            NotFoundError: there is none.
        """
        row = await self.row(ref)
        return row, None if row.current_version_id is None else await self.version_row(row, None)

    async def _agent(self, row: DefinitionRow) -> Agent:
        current = None
        if row.current_version_id is not None:
            current = contents.agent_version(await self.version_row(row, None), row.current_version_id)
        return contents.agent(row, current)
