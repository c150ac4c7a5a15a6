"""Pictures of agents and of their runs, out of the catalog and the store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from promptrails_engine.catalog.base import Catalog
from promptrails_engine.definitions.configs import (
    AnyAgentConfig,
    SimpleAgentConfig,
    agent_refs,
    parse_config,
    prompt_refs,
)
from promptrails_engine.definitions.drawing import Drawing, DrawingFormat, draw
from promptrails_engine.definitions.picture import Box, BoxRun, BoxState, Picture, picture_of
from promptrails_engine.errors import NotFoundError
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import SpanFilter
from promptrails_engine.resources.base import Parts

_MOST_SPANS = 100_000
_PAID = frozenset({"llm", "speech", "image", "video"})
"""The kinds of spans that cost something."""
_PARTS = frozenset({"agent_step", "agent", "chain", "workflow"})
"""The kinds of spans that stand for a part of an agent."""


async def draw_agent(
    parts: Parts, agent_ref: str, format: DrawingFormat, version_ref: str | None, execution_id: str | None
) -> Drawing:
    """The drawing of an agent, or of one run of it.

    Raises:
        NotFoundError: no such agent, version or execution of it.
        MissingExtraError: the format needs a package that is not installed.
        ConfigurationError: there is no such format.
    """
    agent = await parts.agents.row(agent_ref)
    spans: Sequence[Span] | None = None
    if execution_id is not None:
        store, workspace = parts.services.store, parts.services.workspace_id
        execution = await store.get_execution(workspace, execution_id)
        if execution is None or execution.agent_id != agent.id:
            raise NotFoundError(
                f"agent '{agent.name}' has no execution with the id '{execution_id}'; executions.list(agent_id=...) "
                "shows what there is"
            )
        version_ref = version_ref or execution.agent_version_id
        where = SpanFilter(trace_id=execution.trace_id)
        spans, _ = await store.list_spans(workspace, where, offset=0, limit=_MOST_SPANS)
        spans = _of_run(spans, execution_id)
    version = await parts.agents.get_version(agent.id, version_ref)
    config = parse_config(version.config, agent.type)
    picture = picture_of(agent.name, config, await _names(parts, config))
    if spans is not None:
        picture = replace(picture, run=_runs(picture, spans, whole=isinstance(config, SimpleAgentConfig)))
    return draw(picture, format) if format == "mermaid" else await asyncio.to_thread(draw, picture, format)


async def _names(parts: Parts, config: AnyAgentConfig) -> dict[str, str]:
    names: dict[str, str] = {}
    linked: list[tuple[Catalog, list[str]]] = [
        (parts.prompts, prompt_refs(config)),
        (parts.agents, agent_refs(config)),
    ]
    for catalog, refs in linked:
        for ref in dict.fromkeys(refs):
            try:
                names[ref] = (await catalog.row(ref)).name
            except NotFoundError:
                continue  # it was deleted: its id has to do
    return names


# ------------------------------------------------------------------ what became of it


def _of_run(spans: Sequence[Span], execution_id: str) -> list[Span]:
    """The spans of one execution and of its children, its own root first."""
    below = _children(spans)
    mine = [span for span in spans if span.trace.execution_id == execution_id]
    own = {span.span_id for span in mine}
    found = sorted((span for span in mine if span.parent_span_id not in own), key=lambda span: span.started_at)
    for span in found:
        found += below.get(span.span_id, [])  # which this loop comes to as well
    return found


def _children(spans: Sequence[Span]) -> dict[str, list[Span]]:
    below: dict[str, list[Span]] = {}
    for span in spans:
        if span.parent_span_id:
            below.setdefault(span.parent_span_id, []).append(span)
    return below


def _runs(picture: Picture, spans: Sequence[Span], *, whole: bool) -> dict[str, BoxRun]:
    """By key of the box; `whole` says that the picture's one box is the run itself."""
    root = spans[0].span_id if spans else ""
    below = _children(spans)
    under = [span for span in reversed(spans) if span.parent_span_id == root and span.kind in _PARTS]
    parts = {str(span.attributes.get("key")): span for span in under}
    named = {span.name: span for span in under}
    found: dict[str, BoxRun] = {}
    for box in picture.boxes:
        span = spans[0] if whole and spans else _part(box, parts, named)
        found[box.key] = BoxRun("not run") if span is None else _run_of(span, below)
    return found


def _part(box: Box, parts: Mapping[str, Span], named: Mapping[str, Span]) -> Span | None:
    return parts.get(box.key) or named.get(box.title)


def _run_of(span: Span, below: Mapping[str, list[Span]]) -> BoxRun:
    cost: float | None = 0.0
    todo = [span]
    while todo:
        each = todo.pop()
        todo += below.get(each.span_id, [])
        if each.kind in _PAID and cost is not None:
            cost = None if each.cost is None and each.status == "ok" else cost + (each.cost or 0.0)
    return BoxRun(_state(span), span.duration_ms, cost)


def _state(span: Span) -> BoxState:
    if span.attributes.get("skipped"):
        return "skipped"
    if span.status == "ok":
        return "done"
    return "cancelled" if span.error_type == "cancelled" else "failed"
