"""From the config of a composite to its compiled graph."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from promptrails_engine.catalog.check_workflow import check_graph
from promptrails_engine.catalog.plan_workflow import AgentOf, graph_node
from promptrails_engine.definitions.configs import CompositeAgentConfig
from promptrails_engine.run.plan import Workflow


async def plan_composite(
    config: CompositeAgentConfig, input_schema: Mapping[str, Any] | None, agent_of: AgentOf
) -> Workflow:
    """The graph, ready to run: a workflow of which every node is another agent.

    Raises:
        NotFoundError, ArchivedError: an agent cannot be used.
        DefinitionError: agents run each other in a circle, or an expression cannot be used.
    """
    agents = {step.id: await agent_of(step.agent_id) for step in config.steps}
    graph = await asyncio.to_thread(check_graph, config.steps, input_schema, {})  # the first loads networkx
    nodes = {
        step.id: graph_node(step, graph, key=f"steps[{step.id}]", kind="agent", agent=agents[step.id])
        for step in config.steps
    }
    return Workflow(
        graph=graph,
        nodes={name: nodes[name] for name in graph.order},
        joins={step.id: step.join for step in config.steps if step.join is not None},
        failure_policy=config.failure_policy,
    )
