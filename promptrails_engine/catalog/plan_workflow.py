"""From the config of a workflow to its compiled graph."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from promptrails_engine.catalog.check_workflow import Part, check_graph, condition_of, map_over_of, mapping_of
from promptrails_engine.catalog.node_adapters import NodeAdapters
from promptrails_engine.definitions.configs import WorkflowAgentConfig
from promptrails_engine.definitions.graph_nodes import NodeType, WorkflowNode
from promptrails_engine.ports.tool import Tool
from promptrails_engine.run.compiled import Compiled
from promptrails_engine.run.graph import Graph
from promptrails_engine.run.plan import Checkpoint, MediaTask, Node, Plan, PromptStep, Query, Workflow

StepOf = Callable[[str, str, str, bool], Awaitable[PromptStep]]
"""The step of a prompt, by its id: with its key, its role, and whether its answer is that of the run."""
AgentOf = Callable[[str], Awaitable[Plan]]
"""The plan of another agent, by its id."""

_AT_ONCE = 8


async def plan_workflow(
    config: WorkflowAgentConfig,
    input_schema: Mapping[str, Any] | None,
    step_of: StepOf,
    adapters: NodeAdapters,
    agent_of: AgentOf,
) -> Workflow:
    """The workflow, ready to run; its nodes in the order of the graph.

    Raises:
        NotFoundError, ArchivedError: a prompt or agent cannot be used.
        DefinitionError: a tool, data source or media provider is not there, or an expression or template is no use.
    """
    needed = {parent for node in config.nodes for parent in node.depends_on}
    sinks = [node.id for node in config.nodes if node.id not in needed]
    steps: dict[str, PromptStep] = {}
    agents: dict[str, Plan] = {}
    for node in config.nodes:
        if node.prompt_id is not None:
            last = sinks == [node.id] and node.map_over is None
            steps[node.id] = await step_of(node.prompt_id, _key(node), node.id, last)
        if node.agent_id is not None:
            agents[node.id] = await agent_of(node.agent_id)
    templates = {name: list(step.templates) for name, step in steps.items()}
    graph = await asyncio.to_thread(check_graph, config.nodes, input_schema, templates)
    found = {
        node.id: graph_node(
            node,
            graph,
            key=_key(node),
            step=steps.get(node.id),
            kind=node.node_type or "prompt",
            tool=adapters.tool(node),
            agent=agents.get(node.id),
            query=adapters.query(node),
            media=adapters.media(node),
            checkpoint=_checkpoint(node),
        )
        for node in config.nodes
    }
    return Workflow(
        graph=graph,
        nodes={name: found[name] for name in graph.order},
        joins={node.id: node.join for node in config.nodes if node.join is not None},
        failure_policy=config.failure_policy,
    )


def _checkpoint(node: WorkflowNode) -> Checkpoint | None:
    if node.node_type != "approval":
        return None
    return Checkpoint(node.checkpoint_name or node.id, node.on_rejected == "go_on")


def _key(node: WorkflowNode) -> str:
    return f"nodes[{node.id}]"


def graph_node(
    node: Part,
    graph: Graph,
    *,
    key: str,
    kind: NodeType,
    step: PromptStep | None = None,
    tool: Tool | None = None,
    agent: Plan | None = None,
    query: Query | None = None,
    media: MediaTask | None = None,
    checkpoint: Checkpoint | None = None,
) -> Node:
    """A part of a graph with what it runs: a prompt step, a tool, another agent, a query, a media job or an approval.

    Raises:
        TemplateError: an expression cannot be compiled.
    """
    condition, over, mapping = condition_of(node), map_over_of(node), mapping_of(node)
    sources: list[Compiled | None] = [condition, over, *(mapping.compiled.values() if mapping is not None else ())]
    declared = frozenset[str]()
    if step is not None:
        sources += step.templates
        if step.input_validator is not None:
            declared = frozenset(step.input_validator.schema.get("properties", ()))
    read = _read([source for source in sources if source is not None], graph.ancestors(node.id), declared)
    return Node(
        id=node.id,
        key=key,
        kind=kind,
        step=step,
        tool=tool,
        agent=agent,
        query=query,
        media=media,
        checkpoint=checkpoint,
        parents=graph.parents[node.id],
        reads=tuple(name for name in graph.order if name in read),
        condition=condition,
        map_over=over,
        map_concurrency=node.map_concurrency or _AT_ONCE,
        mapping=mapping,
    )


def _read(sources: Iterable[Compiled], before: frozenset[str], declared: frozenset[str]) -> frozenset[str]:
    """The nodes that are read, so that no other results are handed over, and noted in every span."""
    found = set(before & declared)
    for source in sources:
        if source.reads_whole("steps"):
            return before
        found |= before & (source.variables | source.members("steps"))
    return frozenset(found)
