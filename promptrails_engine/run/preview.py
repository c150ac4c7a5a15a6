"""What would be sent: the same code as a run, up to the provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from promptrails_engine.definitions.graph_nodes import ERRORS_KEY
from promptrails_engine.results import PromptPreview
from promptrails_engine.run.expressions import evaluate_async, is_compiled
from promptrails_engine.run.plan import Gather, Node, Plan, PromptStep
from promptrails_engine.run.requests import build_request, render_messages
from promptrails_engine.schema import check_input

_UNKNOWN = "{{ previous_output }}"


async def preview_plan(plan: Plan, data: dict[str, Any]) -> list[PromptPreview]:
    """The first request of each prompt of a plan.

    Raises:
        InputInvalidError, TemplateError: the input cannot be run.
    """
    if plan.input_validator is not None:
        data = check_input(plan.input_validator, data, what="input")
    if plan.workflow is not None:
        nodes = plan.workflow.nodes.values()
        return [await _preview_node(node, node.step, data) for node in nodes if node.step is not None]
    previews: list[PromptPreview] = []
    for step in plan.steps:
        if plan.gather is not None:
            offered = _gathered(plan.gather, step)
        else:
            offered = {"previous_output": _UNKNOWN} if previews else None
        previews.append(await preview_step(step, data, offered))
    return previews


def _gathered(gather: Gather, step: PromptStep) -> dict[str, Any] | None:
    """What a multi_agent offers to one of its prompts; results that are not known stand as the templates name them."""
    if step is gather.router:
        return {"roles": [branch.role for branch in gather.branches]}
    if step is not gather.aggregator:
        return None
    results: dict[str, Any] = {}
    for branch in gather.branches:
        place = f"results.{branch.role}"
        schema = None if branch.output_validator is None else branch.output_validator.schema
        parts = ("content", "type") if schema is None else schema.get("properties", ())
        output = {name: f"{{{{ {place}.output.{name} }}}}" for name in parts}
        results[branch.role] = {"text": f"{{{{ {place}.text }}}}", "output": output}
    offered = {"results": results, "steps": results}
    return offered if gather.failure_policy == "fail_fast" else {**offered, ERRORS_KEY: {}}


async def _preview_node(node: Node, step: PromptStep, data: dict[str, Any]) -> PromptPreview:
    """The first request of a prompt node; what other nodes would come to stands as the names for it."""
    offered: dict[str, Any] = {name: _name(name) for name in node.reads}
    if node.parents:
        offered["steps"] = {
            name: {part: _name(f"steps.{name}.{part}") for part in ("output", "text")} for name in node.reads
        }
    if len(node.parents) == 1:
        offered["previous_output"] = _UNKNOWN
    if node.map_over is not None:
        offered |= {"item": _name("item"), "index": 0}
    unknown = offered.keys()
    if node.mapping is not None:
        values = {**data, "input": data}
        for key, value in node.mapping.entries.items():
            if not is_compiled(value):
                offered[key] = value
            elif value.variables & unknown:
                offered[key] = value.source
            else:
                offered[key] = await evaluate_async(value, values)
    if unknown:
        step = replace(step, input_validator=None)  # names in the place of values need not fit the schema
    return await preview_step(step, data, offered)


def _name(name: str) -> str:
    return "{{ " + name + " }}"


async def preview_step(
    step: PromptStep, values: Mapping[str, Any], offered: Mapping[str, Any] | None = None
) -> PromptPreview:
    """The first request of one prompt.

    Raises:
        InputInvalidError, TemplateError: the input cannot be run.
    """
    messages = await render_messages(step, values, offered)
    request = build_request(step, step.model, messages)
    texts = {message.role: message.content for message in messages}
    return PromptPreview(
        system_prompt=texts.get("system", ""),
        user_prompt=texts.get("user", ""),
        input={**values, **(offered or {})},
        model=step.model.name,
        messages=[message.to_dict() for message in request.messages],
        tools=[
            {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)}
            for spec in request.tools
        ],
        output_schema=None if request.output_schema is None else dict(request.output_schema),
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        max_tokens=request.max_tokens,
        options=dict(request.options),
    )
