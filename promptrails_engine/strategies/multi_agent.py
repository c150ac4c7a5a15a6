"""Prompts side by side over the same input, and what becomes of their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.definitions.graph_nodes import ERRORS_KEY
from promptrails_engine.errors import OutputInvalidError, PromptRailsError, Violation
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.plan import Gather, PromptStep
from promptrails_engine.run.prompt_step import StepOutput, run_prompt_step
from promptrails_engine.strategies.branches import Accept, Findings, run_branches
from promptrails_engine.strategies.vote import tally


async def run_multi_agent(ctx: RunContext, root: Span) -> StepOutput:
    """What the aggregation makes of the prompts' results.

    To the router's template all roles are `roles`; to the aggregator's every result is `results.<role>.text` and
    `results.<role>.output`, also under `steps`, and where failures are borne, every one `errors.<role>.message`.
    """
    gather = ctx.plan.gather
    if gather is None:
        raise RuntimeError("the plan of a multi_agent says how its prompts come together")
    steps: Sequence[PromptStep] = gather.branches
    if gather.router is not None:
        router = gather.router
        steps = await ctx.step("agent_step", "router", router.key, root, _route, gather, router)
    found = await run_branches(ctx, root, gather, steps, _rule(ctx, gather))
    if gather.aggregator is not None:
        return await ctx.step(
            "agent_step", "aggregator", gather.aggregator.key, root, _aggregate, gather, gather.aggregator, found
        )
    if gather.aggregation == "first_valid":
        result = next(iter(found.results.values()))
        return StepOutput(result.text, result.output, unsaid=True, wrapped=result.wrapped)
    ctx.truncated = any(result.truncated for result in found.results.values())
    if gather.aggregation == "vote":
        return await ctx.step("postprocessing", "vote", "vote", root, _vote, gather, found)
    return _whole({role: result.output for role, result in found.results.items()}, found)


# ------------------------------------------------------------------ before: which prompts run


async def _route(ctx: RunContext, span: Span, gather: Gather, router: PromptStep) -> Sequence[PromptStep]:
    offered = {"roles": [step.role for step in gather.branches]}
    result = await run_prompt_step(ctx, span, router, ctx.input, offered, final=False)
    return [step for step in gather.branches if step.role in result.output["roles"]]


# ------------------------------------------------------------------ each: which outputs count


def _rule(ctx: RunContext, gather: Gather) -> Accept:
    """What is asked of each output."""
    schema = ctx.plan.output_validator

    def valid(step: PromptStep, result: StepOutput) -> None:
        if schema is not None and not schema.is_valid(result.value):
            raise OutputInvalidError("the output breaks the agent's output schema", schema.violations(result.value))

    def votes(step: PromptStep, result: StepOutput) -> None:
        _ballot(gather, step, result)

    return {"first_valid": valid, "vote": votes}.get(gather.aggregation, _anything)


def _anything(step: PromptStep, result: StepOutput) -> None:
    pass


# ------------------------------------------------------------------ after: what becomes of them


async def _aggregate(
    ctx: RunContext, span: Span, gather: Gather, aggregator: PromptStep, found: Findings
) -> StepOutput:
    results = {role: {"text": result.text, "output": result.output} for role, result in found.results.items()}
    offered: dict[str, Any] = {"results": results, "steps": results}
    if gather.failure_policy != "fail_fast":
        offered[ERRORS_KEY] = _told(found.errors)
    return await run_prompt_step(ctx, span, aggregator, ctx.input, offered, final=True)


async def _vote(ctx: RunContext, span: Span, gather: Gather, found: Findings) -> StepOutput:
    steps = {step.role: step for step in gather.branches}
    result = _whole(
        tally([(role, _ballot(gather, steps[role], result)) for role, result in found.results.items()]), found
    )
    span.output = result.output
    return result


def _ballot(gather: Gather, step: PromptStep, result: StepOutput) -> Any:
    """The value that a branch gives its vote to: of plain text the text, of structured output the value or its field.

    Raises:
        OutputInvalidError: there is no such field.
    """
    value: Any = result.text.strip() if step.output_validator is None else result.value
    if gather.vote_field is None:
        return value
    if not isinstance(value, dict) or gather.vote_field not in value:
        rule = f"has no field '{gather.vote_field}' to vote on; make it required in the prompt's output schema"
        raise OutputInvalidError(f"the output of '{step.role}'", [Violation("", rule)])
    return cast("dict[str, Any]", value)[gather.vote_field]


def _whole(output: dict[str, Any], found: Findings) -> StepOutput:
    """The output, and with it what failed."""
    if found.errors:
        output[ERRORS_KEY] = _told(found.errors)
    return StepOutput(compact_json(output), output, unsaid=True)


def _told(errors: Mapping[str, PromptRailsError]) -> dict[str, dict[str, str]]:
    return {role: {"code": error.code, "message": error.message} for role, error in errors.items()}
