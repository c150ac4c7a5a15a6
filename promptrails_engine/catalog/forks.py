"""Forks as their version locks name them: of which run, where it parts, and what its steps run instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticValidationError

from promptrails_engine.catalog.descent import FoundPrompt, with_children
from promptrails_engine.catalog.prompts import PromptCatalog
from promptrails_engine.definitions import content as contents
from promptrails_engine.definitions.checks import definition_error
from promptrails_engine.definitions.digest import content_digest
from promptrails_engine.errors import ConfigurationError
from promptrails_engine.run.binding import ModelBinding
from promptrails_engine.run.plan import Node, Plan, PromptStep, SubAgent

_FORK = "fork"
EVERY_STEP = ""
"""In place of a step's key: all steps, with those of all agents below."""


@dataclass(frozen=True, slots=True)
class StepChange:
    """What a step runs instead of what the lock of the first run names; None is left as it is."""

    version_id: str | None = None
    """Of its prompt."""
    content: dict[str, Any] | None = None
    """Parts of that version's content that are replaced."""
    model: str | None = None

    def over(self, other: StepChange) -> StepChange:
        """This one, and what it leaves as it is from another one; parts replaced of another version do not count."""
        if self.version_id is None:
            content = {**(other.content or {}), **(self.content or {})} or None
            return StepChange(other.version_id, content, self.model or other.model)
        return replace(self, model=self.model or other.model)


@dataclass(frozen=True, slots=True)
class Fork:
    """What the lock of a fork says of it."""

    execution_id: str
    """The run that it is made of."""
    at: str | None = None
    """Key of the step at which it parts; None: it takes nothing over."""
    steps: dict[str, StepChange] = field(default_factory=dict[str, StepChange])
    """By key of the prompt step or node, those of forks that it was made of too."""
    base: dict[str, Any] | None = None
    """The lock of the first run, where steps are changed: the changes are made to its versions."""


def read_fork(lock: Mapping[str, Any]) -> Fork | None:
    """What a version lock says of a fork; None of any other run.

    Raises:
        ConfigurationError: it cannot be used.
    """
    if _FORK not in lock:
        return None
    try:
        return _reader().validate_python(lock[_FORK])
    except PydanticValidationError as error:
        why = definition_error(error, "what it says of the fork").message
        raise ConfigurationError(f"the version lock cannot be used: {why}; fork the run anew") from None


def base_lock(lock: Mapping[str, Any]) -> dict[str, Any]:
    """The versions of the first run, as the agents' definitions have them."""
    fork = read_fork(lock)
    if fork is None or fork.base is None:
        return {name: part for name, part in lock.items() if name != _FORK}
    return fork.base


def fork_lock(
    lock: Mapping[str, Any], execution_id: str, at: str | None, changes: Mapping[str, StepChange]
) -> dict[str, Any]:
    """The lock of a fork of a run with this lock; a plan made from it names what really runs."""
    earlier = read_fork(lock)
    steps = {} if earlier is None else dict(earlier.steps)
    if EVERY_STEP in changes:
        steps = {key: replace(step, model=None) for key, step in steps.items()}
    for key, change in changes.items():
        steps[key] = change.over(steps.get(key, StepChange()))
    base = base_lock(lock)
    return marked(base, Fork(execution_id, at, steps, base if steps else None))


def marked(lock: Mapping[str, Any], fork: Fork) -> dict[str, Any]:
    """A lock with what it says of a fork."""
    said = {name: part for name, part in asdict(fork).items() if part is not None}
    said["steps"] = {key: _given(step) for key, step in said["steps"].items() if _given(step)}
    return {**lock, _FORK: said if said["steps"] else {name: part for name, part in said.items() if name != "steps"}}


async def changed_prompts(prompts: PromptCatalog, plan: Plan, fork: Fork) -> dict[str, FoundPrompt]:
    """The prompts that are changed, by the key of their step; `plan` is that of the first run.

    Raises:
        NotFoundError: a version is not in this store.
        DefinitionError, TemplateError: what was replaced does not go with the rest of its version.
    """
    found: dict[str, FoundPrompt] = {}
    for step in plan.steps:
        change = fork.steps.get(step.key)
        if change is None or (change.version_id is None and change.content is None):
            continue
        row = await prompts.any_row(step.version.prompt_id)
        version = await prompts.pinned_version(row, change.version_id or step.version.id)
        if change.content is not None:
            content = prompts.check({**version.data, **change.content})
            version = replace(version, data=content, digest=content_digest(content))
        found[step.key] = FoundPrompt(row, contents.prompt_version(version, row.current_version_id), step.model.name)
    return found


def with_models(plan: Plan, fork: Fork, bind: Callable[[str], ModelBinding]) -> Plan:
    """The plan with the models that the fork names.

    Raises:
        ModelNotServedError: nobody serves one.
    """
    models = {key: bind(step.model) for key, step in fork.steps.items() if step.model is not None}
    return _Remodelled(models).plan(plan) if models else plan


class _Remodelled:
    """Puts models in the place of others, by key of prompt step or node."""

    def __init__(self, models: Mapping[str, ModelBinding]) -> None:
        self._models = models
        self._every = models.get(EVERY_STEP)

    def plan(self, plan: Plan) -> Plan:
        """The plan with the models in their places."""
        steps = {step.key: self._step(step) for step in plan.steps}
        nodes: dict[str, Node] = {}
        if plan.workflow is not None:
            nodes = {name: self._node(node, steps) for name, node in plan.workflow.nodes.items()}
        gather = plan.gather
        if gather is not None:
            gather = replace(
                gather,
                branches=tuple(steps[step.key] for step in gather.branches),
                router=gather.router and steps[gather.router.key],
                aggregator=gather.aggregator and steps[gather.aggregator.key],
            )
        children = [node.agent for node in nodes.values() if node.agent is not None]
        children += [sub.plan for step in steps.values() for sub in step.sub_agents.values()]
        made = tuple(steps.values())
        return replace(
            plan,
            steps=made,
            gather=gather,
            workflow=plan.workflow and replace(plan.workflow, nodes=nodes),
            version_lock=with_children(_named(plan.version_lock, made), children),
        )

    def _step(self, step: PromptStep) -> PromptStep:
        model = self._models.get(step.key, self._every)
        subs = step.sub_agents
        if self._every is not None:
            subs = {name: self._sub_agent(sub, self._every) for name, sub in subs.items()}
        return (
            step
            if model is None and subs is step.sub_agents
            else replace(step, model=model or step.model, sub_agents=subs)
        )

    def _sub_agent(self, sub: SubAgent, model: ModelBinding) -> SubAgent:
        return replace(sub, plan=_Remodelled({EVERY_STEP: model}).plan(sub.plan))

    def _node(self, node: Node, steps: Mapping[str, PromptStep]) -> Node:
        model = self._models.get(node.key, self._every)
        if node.agent is not None:
            return node if model is None else replace(node, agent=_Remodelled({EVERY_STEP: model}).plan(node.agent))
        return node if node.step is None else replace(node, step=steps[node.step.key])


def _named(lock: Mapping[str, Any], steps: Iterable[PromptStep]) -> dict[str, Any]:
    """The lock with the models that the steps have now."""
    prompts = [{**pin, "model": step.model.name} for pin, step in zip(lock["prompts"], steps, strict=True)]
    return {**lock, "prompts": prompts}


def _given(step: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in step.items() if part is not None}


@cache
def _reader() -> TypeAdapter[Fork]:
    """Made at the first use, for that takes a while."""
    return TypeAdapter(Fork)
