"""Calling the provider from tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.provider import Delta, Finish, Message, ModelRequest, TextDelta, UsageDelta
from promptrails_providers.openai_compatible import OpenAICompatibleProvider
from tests.providers.loopback import LoopbackServer, Script

KEY = "sk-test-canary-0123456789abcdef"


@dataclass
class Outcome:
    """What a stream gave: its deltas, then an error or none."""

    deltas: list[Delta] = field(default_factory=list[Delta])
    error: PromptRailsError | None = None

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas if isinstance(delta, TextDelta))

    @property
    def finish(self) -> str | None:
        return next((delta.reason for delta in self.deltas if isinstance(delta, Finish)), None)

    @property
    def usage(self) -> TokenUsage | None:
        usages = [delta.usage for delta in self.deltas if isinstance(delta, UsageDelta)]
        return usages[-1] if usages else None


def request(**fields: Any) -> ModelRequest:
    return ModelRequest(fields.pop("model", "m"), fields.pop("messages", [Message("user", "hi")]), **fields)


async def drain(provider: OpenAICompatibleProvider, wanted: ModelRequest | None = None) -> Outcome:
    """The outcome of one call; an error that is none of the tree goes through."""
    outcome = Outcome()
    try:
        async for delta in provider.stream(wanted or request()):
            outcome.deltas.append(delta)
    except PromptRailsError as error:
        outcome.error = error
    return outcome


async def ask(
    server: LoopbackServer, *script: Script, wanted: ModelRequest | None = None, name: str = "openai"
) -> Outcome:
    """The outcome of one call of a fresh provider to a server that follows the script."""
    server.script(*script)
    provider = OpenAICompatibleProvider(name, server.url, KEY)
    try:
        return await drain(provider, wanted)
    finally:
        await provider.aclose()
