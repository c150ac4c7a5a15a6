"""The path of one run: check the input, run the strategy, check the output."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.errors import (
    ApprovalRejectedError,
    InputInvalidError,
    OutputInvalidError,
    Violation,
)
from promptrails_engine.events import ContentEvent
from promptrails_engine.ports.sink import Span, SpanKind
from promptrails_engine.results import output_text
from promptrails_engine.run.approvals import decision, denial
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guarding import guarded_values, restored
from promptrails_engine.run.labelling import guard_input
from promptrails_engine.run.plan import Plan
from promptrails_engine.run.prompt_step import StepOutput
from promptrails_engine.run.spans import fail_span
from promptrails_engine.schema import SchemaValidator, check_input
from promptrails_engine.schema.instance import kind_of, locate, measure

Strategy = Callable[[RunContext, Span], Awaitable[StepOutput]]
"""One of the agent types: what to call in which order."""

ROOT_KINDS: Mapping[str, SpanKind] = {
    "simple": "agent",
    "chain": "chain",
    "multi_agent": "agent",
    "workflow": "workflow",
    "composite": "workflow",
}


async def run_pipeline(ctx: RunContext, strategy: Strategy) -> StepOutput:
    """The run's output, under the root span."""
    plan = ctx.plan
    root = ctx.open_root(ROOT_KINDS[plan.agent_type], plan.agent_name)
    root.attributes["agent_version_id"] = plan.version_id
    try:
        if plan.input_validator is not None:
            await ctx.step("preprocessing", "input schema", "input", root, _check_input, plan.input_validator)
        if plan.guards.input:
            await guard_input(ctx, root)
        root.input = ctx.input
        result = await strategy(ctx, root)
        if plan.guards.output:
            result = await _guard_output(ctx, root, result)
        shown = result.output
        if ctx.labels.own:
            result = _with_output(result, restored(ctx.labels.own, shown))
        if plan.output_validator is not None:
            await ctx.step(
                "postprocessing", "output schema", "output", root, _check_output, plan.output_validator, result
            )
        if plan.checkpoint is not None:
            await _checkpoint(ctx, plan.checkpoint, result)
        if result.text and (result.unsaid or plan.holds_output):
            ctx.emit(ContentEvent(result.text))
        root.output = shown
        return result
    except BaseException as error:
        fail_span(root, error)
        raise
    finally:
        ctx.close_span(root)


async def _check_input(ctx: RunContext, span: Span, validator: SchemaValidator) -> None:
    ctx.row.input = check_input(validator, ctx.row.input, what="input")


async def _guard_output(ctx: RunContext, root: Span, result: StepOutput) -> StepOutput:
    """The result as the guards let it pass.

    Raises:
        GuardrailBlockedError: they let it not pass.
    """
    root.output = None  # of a simple agent, what its prompt came to
    return _with_output(result, await guarded_values(ctx, root, ctx.plan.guards.output, result.output, "guards/output"))


def _with_output(result: StepOutput, output: dict[str, Any]) -> StepOutput:
    if output == result.output:
        return result
    text = output_text(output) if not result.wrapped else compact_json(output["value"])
    return replace(result, output=output, text=text)


async def _checkpoint(ctx: RunContext, name: str, result: StepOutput) -> None:
    """Return once the output is approved.

    Raises:
        Parked: nobody has decided yet.
        ApprovalRejectedError: it was rejected.
    """
    decided = await decision(ctx, "approval", name, result.output, {"agent_version_id": ctx.plan.version_id})
    if decided.status == "rejected":
        raise ApprovalRejectedError(f"the output was {denial(decided)}", details={"approval_id": decided.id})


async def _check_output(ctx: RunContext, span: Span, validator: SchemaValidator, result: StepOutput) -> None:
    value, output = result.value, result.output
    if validator.is_valid(value):
        return
    if output.keys() == {"value"} and validator.is_valid(output["value"]):
        return  # what a node or another agent gave is no object
    raise OutputInvalidError("the output breaks the agent's output schema", validator.violations(value))


def plan_input(plan: Plan, data: Any) -> dict[str, Any]:
    """The input for a plan: an object of JSON data.  Schemas are checked in the run; without one this is all.

    Raises:
        InputInvalidError: it is something else.
    """
    return json_object(data, "the input", measured=plan.input_validator is not None or _first(plan) is not None)


def checked_input(plan: Plan, data: dict[str, Any]) -> dict[str, Any]:
    """The input as the run will take it, defaults and all; refused where the run is sure to refuse it.

    Raises:
        InputInvalidError: it breaks the schema of the agent or of its first prompt.
    """
    if plan.input_validator is not None:
        data = check_input(plan.input_validator, data, what="input")
    first = _first(plan)
    if first is not None:
        check_input(first, data, what="input")
    return data


def _first(plan: Plan) -> SchemaValidator | None:
    """The schema of the prompt that sees the input first.

    Of a graph it is not sure who looks first, and side by side a prompt that refuses the input may be borne.
    """
    if plan.gather is None and plan.workflow is None and plan.steps:
        return plan.steps[0].input_validator
    return None


def json_object(data: Any, what: str, *, measured: bool = False) -> dict[str, Any]:
    """A copy of an object, if it is JSON data; `measured` says that somebody else looks at what is inside.

    Raises:
        InputInvalidError: it is something else.
    """
    if type(data) is not dict and not isinstance(data, Mapping):
        raise InputInvalidError(
            what, [Violation("", f"must be an object of named values such as {{'text': ...}}, not {kind_of(data)}")]
        )
    copy = dict(cast("Mapping[str, Any]", data))
    if not measured:
        problem = measure(copy).problem
        if problem is not None:
            raise InputInvalidError(what, [locate(copy, problem)])
    return copy
