"""The adapters that nodes of workflows name: tools, data sources and media providers."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Any, cast

from promptrails_engine.catalog.given import GivenAdapters
from promptrails_engine.definitions.digest import canonical_json
from promptrails_engine.definitions.graph_nodes import WorkflowNode
from promptrails_engine.errors import DefinitionError
from promptrails_engine.ports.datasource import DataSource
from promptrails_engine.ports.media import MediaType
from promptrails_engine.ports.tool import Tool
from promptrails_engine.run.plan import MediaTask, Query, Workflow
from promptrails_engine.tools.registry import ToolRegistry


class NodeAdapters:
    """Those of one engine, by name."""

    def __init__(self, tools: ToolRegistry, given: GivenAdapters) -> None:
        self._tools = tools
        self._sources = given.data_sources
        self._media = given.media

    def tool(self, node: WorkflowNode) -> Tool | None:
        """The tool of a node that has one.

        Raises:
            DefinitionError: there is none of that name.
        """
        return None if node.tool is None else self._tools.select([node.tool])[0]

    def query(self, node: WorkflowNode) -> Query | None:
        """The query of a node that has one.

        Raises:
            DefinitionError: there is no data source of that name.
        """
        if node.data_source is None or node.query is None:
            return None
        source = self._sources.get(node.data_source)
        if source is None:
            raise _unknown(node, "asks the data source", node.data_source, self._sources, "data_sources")
        return Query(source, node.query)

    def media(self, node: WorkflowNode) -> MediaTask | None:
        """The job of a media node.

        Raises:
            DefinitionError: there is no provider of that name, or it makes nothing of that type.
        """
        if node.node_type != "media" or node.media_provider is None or node.media_model is None:
            return None
        provider = self._media.get(node.media_provider)
        if provider is None:
            raise _unknown(node, "needs the media provider", node.media_provider, self._media, "media")
        if node.media_type not in provider.media_types:
            raise DefinitionError(
                f"node '{node.id}' wants {node.media_type} of the media provider '{provider.name}', which makes "
                f"{_listed(sorted(provider.media_types))}"
            )
        return MediaTask(provider, node.media_model, cast("MediaType", node.media_type), dict(node.media_config or {}))


def node_locks(workflow: Workflow) -> dict[str, Any]:
    """What the version lock says of data sources and media models, where there are any."""
    queries = [node.query for node in workflow.nodes.values() if node.query is not None]
    media = [node.media for node in workflow.nodes.values() if node.media is not None]
    lock: dict[str, Any] = {}
    if queries:
        lock["data_sources"] = {query.source.name: _digest(query.source) for query in queries}
    if media:
        lock["media"] = {task.model_name: task.media_type for task in media}
    return lock


def _digest(source: DataSource) -> str:
    """SHA-256, in hexadecimal, of name and kind."""
    return hashlib.sha256(canonical_json({"name": source.name, "kind": source.kind}).encode()).hexdigest()


def _unknown(node: WorkflowNode, wants: str, name: str, known: Collection[str], argument: str) -> DefinitionError:
    return DefinitionError(
        f"node '{node.id}' {wants} '{name}', which there is not. There are: {_listed(known)}. Give the engine more "
        f"with Engine({argument}=[...]).",
        details={"unknown": [name], "known": list(known)},
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
