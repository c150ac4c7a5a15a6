"""Prompts one after another: each sees the original input and what came before."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.plan import PromptStep
from promptrails_engine.run.prompt_step import StepOutput, run_prompt_step


async def run_chain(ctx: RunContext, root: Span) -> StepOutput:
    """The output of the last prompt, or of the agent to which one of them handed over.

    To the templates of later prompts the text of the one before is `previous_output`, and every earlier result is
    `steps.<role>.text` and `steps.<role>.output`.
    """
    steps = ctx.plan.steps
    offered: dict[str, Any] | None = None
    earlier: dict[str, Any] = {}
    result = await _agent_step(ctx, root, steps[0], offered, final=len(steps) == 1)
    if result.handed_over:
        return result
    for step, before in zip(steps[1:], steps, strict=False):
        earlier = {**earlier, before.role: {"text": result.text, "output": result.output}}
        offered = {"previous_output": result.text, "steps": earlier}
        result = await _agent_step(ctx, root, step, offered, final=step is steps[-1])
        if result.handed_over:
            break
    return result


def _agent_step(
    ctx: RunContext, root: Span, step: PromptStep, offered: dict[str, Any] | None, *, final: bool
) -> Awaitable[StepOutput]:
    return ctx.step("agent_step", step.role, step.key, root, run_prompt_step, step, ctx.input, offered, final)
