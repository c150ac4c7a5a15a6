"""From attachments of sub-agents to the tools that a model sees."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptrails_engine.catalog.agents import AgentCatalog
from promptrails_engine.catalog.plan_workflow import AgentOf
from promptrails_engine.errors import DefinitionError
from promptrails_engine.ports.provider import ToolSpec
from promptrails_engine.run.plan import Plan, PromptStep, SubAgent
from promptrails_engine.schema import SchemaValidator, compile_schema

_NAME_CHARS = 64
_TASK_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"task": {"type": "string", "description": "What is to be done, with all that has to be known."}},
    "required": ["task"],
    "additionalProperties": False,
}


async def plan_sub_agents(
    attached: Sequence[Mapping[str, Any]],
    parent: str,
    agent_of: AgentOf,
    agents: AgentCatalog,
    names: Sequence[str] = (),
) -> list[SubAgent]:
    """The sub-agents in their order; `parent` is the name of the agent that has them.

    `names` are those by which the model has known them so far, in the same order; else they come from the aliases and
    the names that the agents have now.

    Raises:
        NotFoundError, ArchivedError: an agent cannot be used.
        DefinitionError: agents run each other in a circle, or a name cannot be a tool's or stands for two.
    """
    found: dict[str, SubAgent] = {}
    known = dict(enumerate(names))
    for index, entry in enumerate(sorted(attached, key=lambda entry: entry.get("sort_order") or 0)):
        plan = await agent_of(entry["agent_id"])
        row = await agents.any_row(plan.agent_id)
        name = known.get(index) or entry.get("alias") or _tool_name(row.name)
        if name in found:
            raise DefinitionError(f"two sub-agents of agent '{parent}' are named '{name}'; give one an alias")
        description = entry.get("description") or row.data.get("description") or f"Asks the agent '{row.name}'."
        validator = _arguments(plan)
        found[name] = SubAgent(
            spec=ToolSpec(name, description, validator.schema),
            plan=plan,
            validator=validator,
            takes_over=entry.get("mode") == "handoff",
            sees_window=entry.get("context_mode") == "window",
            guarded=entry.get("requires_approval", False),
        )
    return list(found.values())


def offered(step: PromptStep, subs: Sequence[SubAgent], parent: str) -> PromptStep:
    """The step with the sub-agents among its tools.

    Raises:
        DefinitionError: a tool has the name of one of them.
    """
    for sub in subs:
        if sub.spec.name in step.tools:
            raise DefinitionError(
                f"a tool and a sub-agent of agent '{parent}' are both named '{sub.spec.name}'; give the sub-agent "
                "another alias"
            )
    return replace(
        step,
        specs=(*step.specs, *(sub.spec for sub in subs)),
        sub_agents={sub.spec.name: sub for sub in subs},
        guarded=step.guarded.union(sub.spec.name for sub in subs if sub.guarded),
    )


def _tool_name(agent_name: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", agent_name).strip("_").lower()[:_NAME_CHARS]
    if not name:
        raise DefinitionError(f"no tool name can be made of the agent's name '{agent_name}'; give it an alias")
    return name


def _arguments(plan: Plan) -> SchemaValidator:
    """What the agent takes: by its input schema, else by that of its only prompt, else a task."""
    validator = plan.input_validator
    if validator is None and plan.workflow is None and len(plan.steps) == 1:
        validator = plan.steps[0].input_validator
    if validator is None:
        return compile_schema(_TASK_SCHEMA)
    if validator.schema.get("type") == "object":
        return validator
    return compile_schema({**validator.schema, "type": "object"})
