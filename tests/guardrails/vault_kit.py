"""What tests of labels share: an agent whose guard puts labels in place of mail addresses."""

from __future__ import annotations

import json
from typing import Any

from promptrails_engine import AsyncEngine, SimpleAgentConfig
from promptrails_engine.testing import ScriptedProvider

ANN, BEN, CAT = "ann@example.org", "ben@example.org", "cat@example.org"
ANONYMIZE = {"entities": ["email"]}


def anonymize(**config: Any) -> dict[str, Any]:
    return {"type": "input", "scanner_type": "anonymize", "action": "redact", "config": {**ANONYMIZE, **config}}


def desk(store: Any, reply: Any, **more: Any) -> tuple[AsyncEngine, ScriptedProvider]:
    provider = ScriptedProvider(reply if callable(reply) else lambda request: reply)
    return AsyncEngine(store, providers=[provider], model="scripted/m", **more), provider


async def agent_of(engine: AsyncEngine, *guards: Any, **more: Any) -> str:
    await engine.prompts.create("Prompt", user_prompt="{{ text }}")
    made = await engine.agents.create("Desk", config=SimpleAgentConfig("Prompt"), guardrails=guards, **more)
    return made.id


def read(provider: ScriptedProvider) -> list[str]:
    """The last message of each request."""
    return [request.messages[-1].content for request in provider.requests]


async def everything_told(engine: AsyncEngine, trace_id: str) -> str:
    """All that the trace of a run holds."""
    spans = await engine.traces.get_by_trace_id(trace_id)
    told = [[span.input, span.output, span.attributes, span.error_message] for span in spans]
    return json.dumps(told, default=str)
