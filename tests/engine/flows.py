"""What the tests of workflows share: prompts by name, nodes, and the spans of a run by key."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

from promptrails_engine import (
    AsyncEngine,
    WorkflowAgentConfig,
    WorkflowNode,
)
from tests.engine.kit import scripted


def echo(request: Any) -> str:
    return f"<{request.messages[-1].content}>"


@asynccontextmanager
async def prompts(templates: dict[str, Any], replies: Any = echo, **more: Any):
    """An engine with a prompt for each entry: a template, or the content of a version."""
    async with scripted(replies, **more) as (engine, provider):
        for name, content in templates.items():
            fields = {"user_prompt": content} if isinstance(content, str) else content
            await engine.prompts.create(name, **fields)
        yield engine, provider


def node(id: str, *depends_on: str, **more: Any) -> WorkflowNode:
    if "tool" in more:
        return WorkflowNode(id, list(depends_on), node_type="tool", **more)
    return WorkflowNode(id, list(depends_on), **{"prompt_id": id, **more})


async def workflow(engine: AsyncEngine, *nodes: WorkflowNode, failure_policy: Any = "fail_fast", **more: Any) -> str:
    config = WorkflowAgentConfig(list(nodes), failure_policy=failure_policy)
    return (await engine.agents.create("Flow", config=config, **more)).id


async def spans_of(engine: AsyncEngine, result: Any) -> dict[str, Any]:
    """The spans with a key, by key."""
    spans = await engine.traces.get_by_trace_id(result.trace_id)
    return {span.attributes["key"]: span for span in spans if "key" in span.attributes}
