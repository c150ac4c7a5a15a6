"""Forks: an execution that parts from another one at a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptrails_engine.catalog.forks import EVERY_STEP, StepChange, fork_lock
from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import ValidationError
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.resources.base import Parts
from promptrails_engine.run.fork_point import StepMap
from promptrails_engine.run.past import Past
from promptrails_engine.run.pipeline import json_object, plan_input
from promptrails_engine.run.plan import Plan, PromptStep
from promptrails_engine.run.runner import RunOptions
from promptrails_engine.run.taking_over import read_record, taken_over


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller wants of a fork."""

    at: str | None
    prompt: Mapping[str, Any] | str | None
    model: str | None
    input: Mapping[str, Any] | None
    limits: Limits | None
    metadata: Mapping[str, Any] | None


async def fork_execution(parts: Parts, source: ExecutionRow, wanted: Wanted) -> ExecutionRow:
    """The fork, run to its end or to where it waits.

    Raises:
        ValidationError: there is no such step, or nothing to change in it.
        PromptRailsError: it cannot be run; nothing was stored.
    """
    if source.parent_execution_id is not None:
        raise ValidationError(
            f"execution '{source.id}' is part of a tree; fork its root, '{source.root_execution_id}', at the step that "
            "runs it"
        )
    plan = await parts.planner.plan_locked(source.version_lock)
    past: Past | None = None
    part = EVERY_STEP
    if wanted.at is not None:
        steps = StepMap(plan)
        record = await read_record(parts.services.store, source.workspace_id, source.id)
        place = steps.find(wanted.at, record.keys)
        part = place.part
        if place.item is not None and not (wanted.prompt is None and wanted.model is None):
            raise ValidationError(
                f"the items of '{part}' have one prompt and one model, and only one of them would run anew; fork at "
                f"'{part}' to change these"
            )
        past = taken_over(record, steps, place, fresh=True)
    changes = await _changes(parts, plan, part, wanted)
    forked = await parts.planner.plan_locked(fork_lock(source.version_lock, source.id, wanted.at, changes))
    data = plan_input(forked, source.input if wanted.input is None else wanted.input)
    return await parts.runner.run(forked, data, _options(source, wanted), past)


def _options(source: ExecutionRow, wanted: Wanted) -> RunOptions:
    mine = json_object(wanted.metadata, "metadata") if wanted.metadata else {}
    limits = None if source.limits is None else Limits(**source.limits)
    if wanted.limits is not None:
        limits = wanted.limits if limits is None else wanted.limits.over(limits)
    forked = {"forked_from": source.id, "forked_at": wanted.at}
    return RunOptions(source.session_id, source.user_id, {**mine, **forked}, limits)


async def _changes(parts: Parts, plan: Plan, part: str, wanted: Wanted) -> dict[str, StepChange]:
    """What the steps of the fork run instead, by key; `part` is the part of the plan in which it parts."""
    changes: dict[str, StepChange] = {}
    if wanted.prompt is not None:
        step = _prompt_step(plan, part)
        changes[step.key] = await _prompt_change(parts, step, wanted.prompt)
    if wanted.model is not None:
        if part != EVERY_STEP and not _calls_models(plan, part):
            raise ValidationError(
                f"step '{part}' calls no model; fork at a prompt step or at an agent, or leave out model"
            )
        changes[part] = StepChange(model=wanted.model).over(changes.get(part, StepChange()))
    return changes


def _prompt_step(plan: Plan, part: str) -> PromptStep:
    if part == EVERY_STEP:
        if plan.workflow is not None or len(plan.steps) != 1:
            raise ValidationError(
                f"which prompt is to be changed?  Agent '{plan.agent_name}' has not just one: give the key of its step "
                f"as at{_listed(plan)}"
            )
        return plan.steps[0]
    for step in plan.steps:
        if step.key == part:
            return step
    raise ValidationError(f"step '{part}' has no prompt to change{_listed(plan)}")


def _listed(plan: Plan) -> str:
    keys = [step.key for step in plan.steps]
    return f"; steps with a prompt are: {', '.join(keys)}" if keys else "; no step has one of its own"


def _calls_models(plan: Plan, part: str) -> bool:
    """Whether the model of a prompt, or of all below an agent, can be changed there."""
    nodes = {} if plan.workflow is None else {node.key: node for node in plan.workflow.nodes.values()}
    if part not in nodes:
        return True
    node = nodes[part]
    return node.agent is not None or (node.step is not None and node.media is None)


async def _prompt_change(parts: Parts, step: PromptStep, wanted: Mapping[str, Any] | str) -> StepChange:
    if not isinstance(wanted, str):
        return StepChange(content=json_object(wanted, "prompt"))
    row = await parts.prompts.any_row(step.version.prompt_id)
    return StepChange(version_id=(await parts.prompts.version_row(row, wanted)).id)
