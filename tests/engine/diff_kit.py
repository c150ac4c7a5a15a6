"""What the tests of comparing runs share: runs of one agent, tools for them, and parts of a comparison by name."""

from __future__ import annotations

from typing import Any

from promptrails_engine import AsyncEngine, Difference, ExecutionDiff, RateLimitError, StepDiff

SLOW = RateLimitError("slow down", retry_after_s=0)
PROMPT, LLM = "prompt/prompt", "prompt/llm[0]"


def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def shout(text: str) -> dict[str, str]:
    """Shouts."""
    return {"loud": text.upper()}


async def ran(engine: AsyncEngine, agent: str, data: dict[str, Any] | None = None) -> str:
    return (await engine.agents.execute(agent, data or {})).execution_id


def step(diff: ExecutionDiff, key: str) -> StepDiff:
    return next(step for step in diff.steps if step.key == key)


def of(differences: tuple[Difference, ...]) -> dict[tuple[str, str], tuple[Any, Any]]:
    return {(each.part, each.path): (each.a, each.b) for each in differences}


def presence(diff: ExecutionDiff) -> dict[str, str]:
    return {step.key: step.present for step in diff.steps}


async def pair(engine: AsyncEngine, agent: str, first: Any = None, second: Any = None) -> ExecutionDiff:
    return await engine.executions.diff(await ran(engine, agent, first), await ran(engine, agent, second))
