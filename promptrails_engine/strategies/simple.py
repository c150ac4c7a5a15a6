"""One prompt."""

from __future__ import annotations

from collections.abc import Awaitable

from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.prompt_step import StepOutput, run_prompt_step


def run_simple(ctx: RunContext, root: Span) -> Awaitable[StepOutput]:
    """The output of the agent's one prompt."""
    return run_prompt_step(ctx, root, ctx.plan.steps[0], ctx.input, None, final=True)
