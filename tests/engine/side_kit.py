"""A model that answers by role, when it is told to, and an agent whose prompts all go to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from promptrails_engine import AsyncEngine, LLMModel, MultiAgentConfig, PromptLink
from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.provider import (
    Delta,
    Finish,
    ModelCapabilities,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    UsageDelta,
)
from promptrails_engine.testing import ToolUse
from tests.engine.kit import STORE

Answer = Any
"""Text, an exception, a `ToolUse` or several, or a function of the request that returns one of them."""
USAGE = TokenUsage(prompt_tokens=10, completion_tokens=2, total_tokens=12)
PRICED = LLMModel(id="priced", provider="roles", model_id="m", input_price=1.0, output_price=10.0)


class Roles:
    """Serves `roles/...`; a call belongs to the role that its first user message begins with, as in `critic: ...`.

    A role in `held` waits until `release` of it.
    """

    name = "roles"

    def __init__(self, answers: Mapping[str, Answer], held: Iterable[str] = (), finish: Any = "stop") -> None:
        self._answers = answers
        self._finish = finish
        self._gates = {role: asyncio.Event() for role in held}
        self.requests: dict[str, list[ModelRequest]] = {role: [] for role in answers}
        self.arrived = {role: asyncio.Event() for role in answers}
        self.ended = {role: asyncio.Event() for role in answers}
        self.open: set[str] = set()
        """Roles whose stream is being read."""

    def capabilities(self, model: str) -> ModelCapabilities:
        return ModelCapabilities()

    async def aclose(self) -> None:
        pass

    def release(self, role: str) -> None:
        self._gates[role].set()

    async def all_arrived(self) -> None:
        for event in self.arrived.values():
            await event.wait()

    async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        role = next(message.content for message in request.messages if message.role == "user").partition(":")[0]
        self.requests[role].append(request)
        self.open.add(role)
        self.arrived[role].set()
        try:
            if role in self._gates:
                await self._gates[role].wait()
            answer = self._answers[role]
            answer = answer(request) if callable(answer) else answer
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, ToolUse | list):
                for place, call in enumerate(answer if isinstance(answer, list) else [answer]):
                    yield ToolCallDelta(place, call.id or f"call_{role}", call.name, "{}")
                yield UsageDelta(USAGE)
                yield Finish("tool_calls")
                return
            for word in answer.split(" "):
                yield TextDelta(word if word is answer.split(" ")[0] else f" {word}")
            yield UsageDelta(USAGE)
            yield Finish(self._finish)
        finally:
            self.open.discard(role)
            self.ended[role].set()


@asynccontextmanager
async def roles(answers: Mapping[str, Answer], held: Iterable[str] = (), finish: Any = "stop", **more: Any):
    """An engine, and the model behind `roles/m`, whose price is known."""
    provider = Roles(answers, held, finish)
    more.setdefault("models", [PRICED])
    async with AsyncEngine(STORE.get(), providers=[provider], model="priced", **more) as engine:
        yield engine, provider


async def side_agent(
    engine: AsyncEngine,
    names: Iterable[str],
    *,
    prompt: Mapping[str, Any] | None = None,
    extra: Mapping[str, str] | None = None,
    agent: Mapping[str, Any] | None = None,
    **config: Any,
) -> str:
    """The id of a multi_agent with a prompt for each role; `prompt` goes to all of them.

    `extra` are further prompts by name, such as the aggregator; `agent` goes to the agent, the rest to its config.
    """
    links: list[PromptLink] = []
    for place, role in enumerate(names):
        made = await engine.prompts.create(f"p {role}", user_prompt=f"{role}: {{{{ text }}}}", **(prompt or {}))
        links.append(PromptLink(made.id, role, place))
    for name, template in (extra or {}).items():
        await engine.prompts.create(name, user_prompt=template)
    return (await engine.agents.create("Side", config=MultiAgentConfig(links, **config), **(agent or {}))).id


async def in_order(provider: Roles, order: Iterable[str], running: asyncio.Future[Any]) -> None:
    """Let the held roles end one after another; each is through with its end before the next one starts on it."""
    await provider.all_arrived()
    for role in order:
        if running.done() or role not in provider.open:
            continue
        provider.release(role)
        await provider.ended[role].wait()


def schema(**properties: Any) -> dict[str, Any]:
    """A schema of an object that has just these."""
    return {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False,
    }  # fmt: skip


def replies(*answers: Answer) -> Callable[[ModelRequest], Answer]:
    """An answer that is another one at each call."""
    left = list(answers)
    return lambda request: left.pop(0)
