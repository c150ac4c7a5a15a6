"""What the tests of the engine share: an engine with a scripted model, and one prompt with one agent on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from promptrails_engine import AsyncEngine, Limits, SimpleAgentConfig
from promptrails_engine.ports.provider import ModelCapabilities
from promptrails_engine.testing import ScriptedProvider

STORE: ContextVar[str | None] = ContextVar("STORE", default=None)
"""The store of the engines made here, where the test names none."""

SCHEMA = {
    "type": "object",
    "properties": {"category": {"type": "string", "enum": ["order", "other"]}, "number": {"type": ["integer", "null"]}},
    "required": ["category"],
    "additionalProperties": False,
}


@asynccontextmanager
async def scripted(
    replies: Any,
    *,
    tools: Iterable[Callable[..., Any]] = (),
    limits: Limits | None = None,
    capabilities: ModelCapabilities | None = None,
    store: str | None = None,
    **more: Any,
):
    """An engine, and the scripted provider behind `scripted/m`."""
    provider = ScriptedProvider(replies, capabilities=capabilities)
    engine = AsyncEngine(
        store or STORE.get(), providers=[provider], model="scripted/m", tools=tools, limits=limits, **more
    )
    async with engine:
        yield engine, provider


async def one_prompt(engine: AsyncEngine, template: str = "Say: {{ text }}", **content: Any) -> str:
    """The id of an agent over one prompt; `agent_*` arguments go to the agent."""
    agent = {key.removeprefix("agent_"): content.pop(key) for key in list(content) if key.startswith("agent_")}
    prompt = await engine.prompts.create("Prompt", user_prompt=template, **content)
    return (await engine.agents.create("Agent", config=SimpleAgentConfig(prompt_id=prompt.id), **agent)).id
