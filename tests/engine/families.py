"""What the tests of child executions share: agents over prompts, composites of them, and a model that waits."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from promptrails_engine import (
    AgentExecution,
    AsyncEngine,
    CompositeAgentConfig,
    CompositeStep,
    LLMModel,
    Prompt,
    SimpleAgentConfig,
)
from tests.engine.flows import echo
from tests.engine.kit import scripted

THREE = {"a": "A", "b": "B", "c": "C"}
PRICED = LLMModel(id="mine", provider="scripted", model_id="m", input_price=1e6, output_price=1e6)
"""One USD a token."""


async def agent(engine: AsyncEngine, name: str, content: Any, **more: Any) -> str:
    """The id of an agent over a prompt of its own: a template, or the content of a version."""
    fields = {"user_prompt": content} if isinstance(content, str) else content
    prompt: Prompt = await engine.prompts.create(name, **fields)
    return (await engine.agents.create(name, config=SimpleAgentConfig(prompt.id), **more)).id


@asynccontextmanager
async def agents(contents: dict[str, Any], replies: Any = echo, **more: Any):
    """An engine with a simple agent for each entry."""
    async with scripted(replies, **more) as (engine, provider):
        for name, content in contents.items():
            await agent(engine, name, content)
        yield engine, provider


def step(id: str, *depends_on: str, **more: Any) -> CompositeStep:
    """A step that runs the agent of the same name."""
    return CompositeStep(id, **{"agent_id": id, "depends_on": list(depends_on), **more})


async def composite(
    engine: AsyncEngine, *steps: CompositeStep, name: str = "Team", policy: Any = "fail_fast", **more: Any
) -> str:
    config = CompositeAgentConfig(list(steps), failure_policy=policy)
    return (await engine.agents.create(name, config=config, **more)).id


async def two_levels(engine: AsyncEngine) -> str:
    """The id of an agent `outer` that runs `inner`, which runs `a` and then `b`; and `c` after it."""
    inner = await composite(engine, step("a"), step("b", "a"), name="inner")
    return await composite(engine, step("inner", agent_id=inner), step("c", "inner"), name="outer")


async def everything(engine: AsyncEngine) -> list[AgentExecution]:
    """All executions, newest first."""
    return list(await engine.executions.list(include_children=True, limit=100))


async def names_of(engine: AsyncEngine, top: AgentExecution) -> dict[str, Any]:
    """The tree as names of agents."""
    return {(await engine.agents.get(one.agent_id)).name: await names_of(engine, one) for one in top.children}


class Held:
    """Replies that wait, from the calls on whose prompt holds `word`, until they are let go."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, request: Any) -> Any:
        if self.word in request.messages[-1].content:
            self.reached.set()
            await self.go.wait()
        return echo(request)
