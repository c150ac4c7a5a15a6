"""One prompt step: render, model and tools, and an answer that matches its schema."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.errors import OutputInvalidError, OutputTruncatedError
from promptrails_engine.events import ContentEvent
from promptrails_engine.ports.provider import Message
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.fold import ModelReply
from promptrails_engine.run.plan import PromptStep
from promptrails_engine.run.render import render_all
from promptrails_engine.run.requests import messages_of, step_values
from promptrails_engine.run.tool_loop import answer
from promptrails_engine.schema import SchemaValidator, extract_json

_REPAIRS = 2


@dataclass(slots=True)
class StepOutput:
    """What a prompt step came to: its text, and the object that it is on the wire."""

    text: str
    output: dict[str, Any]
    truncated: bool = False
    """The answer ended at the token limit."""
    unsaid: bool = False
    """It is the run's answer, and the listeners have not heard its text yet."""
    wrapped: bool = False
    """The value is no object, and stands in the output under `value`."""
    handed_over: bool = False
    """Another agent gave it, which took the run over."""

    @property
    def value(self) -> Any:
        """What the model answered under its schema; without one the output."""
        return self.output["value"] if self.wrapped else self.output


async def run_prompt_step(
    ctx: RunContext,
    parent: Span,
    step: PromptStep,
    values: Mapping[str, Any],
    offered: Mapping[str, Any] | None,
    final: bool,
) -> StepOutput:
    """The step's output for this input, and for what the strategy offers beside it; `parent` shows it as well.

    `final` says that its answer is the run's: then its text goes to the listeners, as it comes; an answer under a
    schema goes to them in one piece, once it is valid.

    Raises:
        PromptRailsError: of rendering, model, tools or schema.
    """
    messages = await render_step(ctx, parent, step, values, offered)
    if not ctx.on_record:
        await ctx.begin()
    result = await answer_step(ctx, parent, step, messages, final=final)
    parent.output = result.output
    return result


def render_step(
    ctx: RunContext,
    parent: Span,
    step: PromptStep,
    values: Mapping[str, Any],
    offered: Mapping[str, Any] | None = None,
) -> Awaitable[list[Message]]:
    """The step's messages for this input, and for what the strategy offers beside it.

    Raises:
        PromptRailsError: of templates or input schema.
    """
    return ctx.step("prompt", step.prompt_name, f"{step.key}/prompt", parent, _render, step, values, offered)


async def answer_step(
    ctx: RunContext, parent: Span, step: PromptStep, messages: list[Message], *, final: bool
) -> StepOutput:
    """The step's output for its messages; the execution must be on record.

    Raises:
        PromptRailsError: of model, tools or schema.
    """
    validator = step.output_validator
    shown, filtered = final and not ctx.plan.holds_output, ctx.is_filtered
    reply = await answer(ctx, parent, step, messages, step.key, show=shown and validator is None)
    if reply.output is not None:
        return StepOutput(reply.text, reply.output, handed_over=True, unsaid=shown and filtered)
    if validator is None:
        cut = reply.finish == "length"
        ctx.truncated = ctx.truncated or (final and cut)
        return StepOutput(reply.text, {"content": reply.text, "type": "text"}, cut)
    result = await _valid(ctx, parent, step, validator, messages, reply)
    if shown and filtered:
        result.unsaid = True  # it passes as a whole
    elif shown and not result.handed_over:
        ctx.emit(ContentEvent(result.text))
    return result


async def _render(
    ctx: RunContext, span: Span, step: PromptStep, values: Mapping[str, Any], offered: Mapping[str, Any] | None
) -> list[Message]:
    span.prompt_id = step.version.prompt_id
    span.prompt_name = step.prompt_name
    span.attributes["version"] = step.version.version
    span.input = {**values, **offered} if offered else values
    # As `render_messages` does, without its coroutine.
    messages = messages_of(await render_all(step.templates, step_values(step, values, offered)))
    if ctx.birth is not None and ctx.birth.window:
        messages = [*messages[:-1], *ctx.birth.window, messages[-1]]
    span.output = messages
    return messages


async def _valid(
    ctx: RunContext,
    parent: Span,
    step: PromptStep,
    validator: SchemaValidator,
    messages: list[Message],
    reply: ModelReply,
) -> StepOutput:
    """The output of the answer; an answer that breaks the schema is sent back with the reasons, twice at most.

    Raises:
        OutputInvalidError: it still breaks the schema.
        OutputTruncatedError: it ended at the token limit.
    """
    repair = 0
    while True:
        if reply.finish == "length":
            raise OutputTruncatedError(
                f"the answer of '{reply.model_name}' ended at the token limit, before its JSON did; raise max_tokens"
            )
        try:
            value = _checked(validator, reply.text)
            text = compact_json(value)
            if isinstance(value, dict):
                return StepOutput(text, cast("dict[str, Any]", value))
            return StepOutput(text, {"value": value}, wrapped=True)
        except OutputInvalidError as error:
            if repair == _REPAIRS:
                raise
            # The places and rules go back to the model, not the values: those may be what confused it.
            complaint = "; ".join(f"{v.pointer or 'the whole'}: {v.message}" for v in error.violations)
        messages = [
            *messages,
            Message("assistant", reply.text),
            Message("user", f"That is not valid: {complaint}. Answer again with the corrected JSON only."),
        ]
        reply = await answer(ctx, parent, step, messages, f"{step.key}/repair[{repair}]", show=False)
        if reply.output is not None:
            return StepOutput(reply.text, reply.output, handed_over=True)
        repair += 1


def _checked(validator: SchemaValidator, text: str) -> Any:
    value = extract_json(text)
    if not validator.is_valid(value):
        raise OutputInvalidError("the answer breaks the output schema", validator.violations(value))
    return value
