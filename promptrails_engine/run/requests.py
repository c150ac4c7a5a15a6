"""From a prompt step and its input to the exact request that is sent: what `preview` shows and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptrails_engine.definitions.digest import canonical_json
from promptrails_engine.ports.provider import Message, ModelRequest
from promptrails_engine.run.binding import ModelBinding
from promptrails_engine.run.emulation import emulate_tools
from promptrails_engine.run.plan import ModelStep, PromptStep
from promptrails_engine.run.render import render_all
from promptrails_engine.schema import SchemaValidator, check_input

_SCHEMA_NOTE = "Answer with one JSON value and nothing else. It must match this JSON Schema:\n"


async def render_messages(
    step: PromptStep, values: Mapping[str, Any], offered: Mapping[str, Any] | None = None
) -> list[Message]:
    """The messages of a step for this input, and for what the engine offers beside it.

    Raises:
        InputInvalidError: the input breaks the prompt's schema.
        TemplateError: a template fails or passes its limits.
    """
    return messages_of(await render_all(step.templates, step_values(step, values, offered)))


def step_values(
    step: PromptStep, values: Mapping[str, Any], offered: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """What the templates of a step see: the checked input, and what the engine offers beside it.

    Raises:
        InputInvalidError: the input breaks the prompt's schema.
    """
    if step.input_validator is not None:
        values = _checked(step, step.input_validator, values, offered)
    return {**values, **offered} if offered else values


def messages_of(texts: Sequence[str]) -> list[Message]:
    """The messages of rendered templates: the system prompt, if it says anything, and the user prompt."""
    user = Message("user", texts[-1])
    return [Message("system", texts[0]), user] if len(texts) > 1 and texts[0] else [user]


def build_request(
    step: ModelStep, binding: ModelBinding, messages: Sequence[Message], *, offer_tools: bool = True
) -> ModelRequest:
    """The request for one model call; what the model cannot do natively is written into the messages."""
    schema = None if step.output_validator is None else step.output_validator.schema
    sampling = step.sampling
    specs = step.specs if offer_tools else ()
    capabilities = binding.capabilities
    request = ModelRequest(
        model=binding.model,
        messages=messages,
        tools=specs,
        output_schema=schema,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        max_tokens=sampling.max_tokens,
        options=sampling.options,
    )
    if step.specs and capabilities.tools != "native":
        request = emulate_tools(request)
    if request.output_schema is not None and capabilities.json_schema != "native":
        request.messages = with_note(request.messages, _SCHEMA_NOTE + canonical_json(request.output_schema))
        request.output_schema = None
    return request


def with_note(messages: Sequence[Message], note: str) -> list[Message]:
    """The messages with `note` at the end of the system message, or as one of their own."""
    if messages and messages[0].role == "system":
        return [Message("system", f"{messages[0].content}\n\n{note}"), *messages[1:]]
    return [Message("system", note), *messages]


def _checked(
    step: PromptStep, validator: SchemaValidator, values: Mapping[str, Any], offered: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """`values` with the defaults of the prompt's schema; what is offered is held against it where it names that."""
    if offered:
        declared = validator.schema.get("properties", {})
        named = {key: value for key, value in offered.items() if key in declared}
        values = {**values, **named}
    return check_input(validator, values, what=step.input_called)
