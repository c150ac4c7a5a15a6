"""The part of a plan that is a multi_agent's: which prompts it takes, and how their results come together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptrails_engine.definitions.configs import MultiAgentConfig
from promptrails_engine.run.plan import Gather, PromptStep
from promptrails_engine.schema import SchemaValidator, compile_schema


@dataclass(frozen=True, slots=True)
class PlannedPrompt:
    """A prompt of an agent, by its reference, before it is found."""

    prompt_id: str
    key: str
    """The step's stable key."""
    role: str
    answers: bool
    """Its answer is the agent's: where it has no output schema, the agent's holds."""


def multi_agent_prompts(config: MultiAgentConfig) -> list[PlannedPrompt]:
    """The router, the prompts by `sort_order`, and the aggregator: in the order in which they run."""
    found: list[PlannedPrompt] = []
    if config.router_prompt_id is not None:
        found.append(PlannedPrompt(config.router_prompt_id, "router", "router", answers=False))
    alike = config.aggregation == "first_valid"
    found.extend(
        PlannedPrompt(link.prompt_id, f"roles[{link.role}]", link.role, answers=alike)
        for link in sorted(config.prompt_ids, key=lambda link: link.sort_order)
    )
    if config.aggregator_prompt_id is not None:
        found.append(PlannedPrompt(config.aggregator_prompt_id, "aggregator", "aggregator", answers=True))
    return found


def multi_agent_steps(config: MultiAgentConfig, steps: Sequence[PromptStep]) -> tuple[list[PromptStep], Gather]:
    """The steps made of `multi_agent_prompts`, ready to run, and how they belong together."""
    first = int(config.router_prompt_id is not None)
    branches = tuple(steps[first : first + len(config.prompt_ids)])
    router = None
    if first:
        schema = routing_schema([step.role for step in branches], config.quorum or 1)
        router = replace(steps[0], output_validator=schema)
    aggregator = steps[-1] if config.aggregator_prompt_id is not None else None
    gather = Gather(
        branches=branches,
        router=router,
        aggregator=aggregator,
        aggregation=config.aggregation,
        vote_field=config.vote_field,
        failure_policy=config.failure_policy,
        quorum=config.quorum,
    )
    return [step for step in (router, *branches, aggregator) if step is not None], gather


def routing_schema(roles: Sequence[str], least: int) -> SchemaValidator:
    """What a router answers: an object with the `roles` that run, `least` of them at least."""
    item = {"type": "string", "enum": list(roles)}
    return compile_schema(
        {
            "type": "object",
            "properties": {"roles": {"type": "array", "items": item, "minItems": least}},
            "required": ["roles"],
            "additionalProperties": False,
        }
    )
