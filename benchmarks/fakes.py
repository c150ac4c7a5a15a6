"""Ours: engines with fake models that answer from memory, and the agents that the cases run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import work

from promptrails_engine import (
    AsyncEngine,
    ChainAgentConfig,
    Finish,
    GuardrailSpec,
    ModelCapabilities,
    ModelRequest,
    MultiAgentConfig,
    PromptLink,
    SimpleAgentConfig,
    TextDelta,
    TokenUsage,
    ToolCallDelta,
    UsageDelta,
    tool,
)

MODEL = "fake/model"
USAGE = UsageDelta(TokenUsage(prompt_tokens=12, completion_tokens=3, total_tokens=15))
STOP = Finish("stop")
TOOL_CALLS = Finish("tool_calls")


class InstantModel:
    """Answers `<prompt>` at once."""

    name = "fake"

    def capabilities(self, model: str) -> ModelCapabilities:
        return ModelCapabilities()

    async def stream(self, request: ModelRequest) -> AsyncIterator[Any]:
        yield TextDelta(work.answer(request.messages[-1].content))
        yield USAGE
        yield STOP

    async def aclose(self) -> None:
        pass


class SlowModel(InstantModel):
    """Answers after `seconds`."""

    def __init__(self, seconds: float = work.SLEEP_S) -> None:
        self._seconds = seconds

    async def stream(self, request: ModelRequest) -> AsyncIterator[Any]:
        await asyncio.sleep(self._seconds)
        yield TextDelta(work.answer(request.messages[-1].content))
        yield USAGE
        yield STOP


class ToolModel(InstantModel):
    """Asks for `add` once, then says the total."""

    async def stream(self, request: ModelRequest) -> AsyncIterator[Any]:
        last = request.messages[-1]
        if last.role == "tool":
            yield TextDelta(f"total {last.content}")
            yield USAGE
            yield STOP
        else:
            yield ToolCallDelta(0, "call_1", "add", work.tool_arguments(int(last.content)))
            yield USAGE
            yield TOOL_CALLS


class ChunkModel(InstantModel):
    """Waits one turn of the loop before each of its chunks."""

    async def stream(self, request: ModelRequest) -> AsyncIterator[Any]:
        for _ in range(work.CHUNKS):
            await asyncio.sleep(0)
            yield TextDelta(work.CHUNK)
        yield USAGE
        yield STOP


@tool(effect="pure")
async def add(a: int, b: int) -> int:
    """The sum of two integers."""
    return a + b


@tool(name="add", effect="pure")
def add_in_thread(a: int, b: int) -> int:
    """The sum of two integers."""
    return a + b


async def simple_agent(engine: Any, *, agent_schema: bool = False, guardrails: Sequence[GuardrailSpec] = ()) -> str:
    """The id of an agent with one prompt, whose input is checked; `engine` has either face."""
    schema = None if agent_schema else work.SIMPLE_SCHEMA
    prompt = await engine.prompts.create("simple", user_prompt=work.SIMPLE, input_schema=schema)
    agent = await engine.agents.create(
        "simple",
        config=SimpleAgentConfig(prompt_id=prompt.id),
        input_schema=work.SIMPLE_SCHEMA if agent_schema else None,
        guardrails=guardrails,
    )
    return str(agent.id)


def simple_agent_sync(engine: Any) -> str:
    prompt = engine.prompts.create("simple", user_prompt=work.SIMPLE, input_schema=work.SIMPLE_SCHEMA)
    return str(engine.agents.create("simple", config=SimpleAgentConfig(prompt_id=prompt.id)).id)


async def chain_agent(engine: AsyncEngine) -> str:
    links = []
    for index, source in enumerate(work.CHAIN):
        prompt = await engine.prompts.create(f"step {index}", user_prompt=source, input_schema=work.TEXT_SCHEMA)
        links.append(PromptLink(prompt_id=prompt.id, role=f"step{index}", sort_order=index))
    agent = await engine.agents.create("chain", config=ChainAgentConfig(prompt_ids=links))
    return agent.id


async def parallel_agent(engine: AsyncEngine) -> str:
    links = []
    for index, source in enumerate(work.PARALLEL):
        prompt = await engine.prompts.create(f"role {index}", user_prompt=source, input_schema=work.TEXT_SCHEMA)
        links.append(PromptLink(prompt_id=prompt.id, role=f"role{index}", sort_order=index))
    agent = await engine.agents.create("parallel", config=MultiAgentConfig(prompt_ids=links))
    return agent.id


async def tool_agent(engine: AsyncEngine) -> str:
    schema = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
    prompt = await engine.prompts.create("sum", user_prompt="{{ number }}", input_schema=schema)
    agent = await engine.agents.create("sum", config=SimpleAgentConfig(prompt_id=prompt.id), tools=["add"])
    return agent.id


def simple_input(i: int) -> dict[str, str]:
    return {"role": work.ROLE, "question": work.question(i)}
