"""What the tests of forks share: what was asked of the model and of the tools since the last look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from promptrails_engine import AsyncEngine, ChainAgentConfig, ExecutionResult, LLMModel, PromptLink, ValidationError
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse
from tests.catalog.kit import INPUT, answer
from tests.engine.kit import STORE

PRICED = [LLMModel(id=name, provider="scripted", model_id=name, input_price=1.0, output_price=1.0) for name in "mn"]


class Watch:
    """Counts calls."""

    def __init__(self, replies: Any = answer) -> None:
        self.provider = ScriptedProvider(replies)
        self.tool_calls: list[int] = []

    def double(self, n: int) -> int:
        """Twice the number."""
        self.tool_calls.append(n)
        return 2 * n

    def asked(self) -> list[str]:
        """The last words of each model call since the last look, in order."""
        found = [request.messages[-1].content for request in self.provider.requests]
        self.provider.requests.clear()
        return found

    def called(self) -> int:
        """How often the tool was called since the last look."""
        found = len(self.tool_calls)
        self.tool_calls.clear()
        return found


@asynccontextmanager
async def watched(replies: Any = answer, store: Any = None, **more: Any) -> AsyncIterator[tuple[AsyncEngine, Watch]]:
    watch = Watch(replies)
    more = {"tools": [watch.double], "models": PRICED, "model": "scripted/m", **more}
    async with AsyncEngine(store or STORE.get(), providers=[watch.provider], **more) as engine:
        yield engine, watch


async def ran(engine: AsyncEngine, watch: Watch, agent_id: str, data: Any = INPUT, **more: Any) -> ExecutionResult:
    """A completed run, of which nothing is counted."""
    result = (await engine.agents.execute(agent_id, data, **more)).raise_for_status()
    watch.asked()
    watch.called()
    return result


async def keys_of(engine: AsyncEngine, execution_id: str) -> list[str]:
    """The steps at which an execution can be forked, as the refusal of another one lists them."""
    try:
        await engine.executions.fork(execution_id, at="no such step")
    except ValidationError as error:
        return error.details["steps"]
    raise AssertionError("it was forked at a step that it does not have")


async def three_steps(engine: AsyncEngine, *texts: str, **more: Any) -> str:
    """A chain of three prompts, each of which sees what the one before has said."""
    texts = texts or ("one {{ x }}", "two {{ previous_output }}", "three {{ previous_output }} {{ x }}")
    links: list[PromptLink] = []
    for place, text in enumerate(texts):
        prompt = await engine.prompts.create(f"prompt {place}", user_prompt=text)
        links.append(PromptLink(prompt.id, f"r{place}", place))
    return (await engine.agents.create("Chain", config=ChainAgentConfig(links), **more)).id


def calls_then(text: str, *calls: ToolUse) -> Callable[[Any], Any]:
    """Asks for the calls, and answers with the text and the results."""

    def reply(request: Any) -> Any:
        results = [message.content for message in request.messages if message.role == "tool"]
        return f"{text} {' '.join(results)}" if results else Reply(tool_calls=calls)

    return reply
