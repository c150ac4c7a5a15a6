"""One prompt."""

from __future__ import annotations

from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.prompt_step import StepOutput, run_prompt_step


async def run_simple(ctx: RunContext, root: Span) -> StepOutput:
    """The output of the agent's one prompt."""
    return await run_prompt_step(ctx, root, ctx.plan.steps[0], ctx.row.input, final=True)
