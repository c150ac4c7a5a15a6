"""The five typed agent configs: what an agent of each type consists of.

Fields, defaults and emitted keys are those of the hosted API's SDK; here they are checked when they are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields, is_dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, ClassVar, Literal, TypeGuard, cast, get_args

from pydantic import (
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    TypeAdapter,
    model_validator,
)
from pydantic.dataclasses import dataclass

from promptrails_engine.definitions.checks import checked_class, parsed
from promptrails_engine.definitions.graph_nodes import ERRORS_KEY, CompositeStep, WorkflowNode
from promptrails_engine.errors import DefinitionError

AgentType = Literal["simple", "chain", "multi_agent", "workflow", "composite"]
AGENT_TYPES: tuple[AgentType, ...] = get_args(AgentType)
Aggregation = Literal["mapping", "prompt", "vote", "first_valid"]
FailurePolicy = Literal["fail_fast", "settle"]
"""fail_fast: the first error stops everything and is raised.  settle: what does not depend on it goes on."""
BranchPolicy = Literal["fail_fast", "settle", "quorum"]
"""quorum: as settle, until enough have succeeded or too few still can."""

_STRICT = ConfigDict(extra="forbid", defer_build=True, allow_inf_nan=False)
_Ref = Annotated[StrictStr, StringConstraints(min_length=1)]
_UNSAID: Mapping[str, str] = {"aggregation": "mapping", "failure_policy": "fail_fast"}
"""What extensions of the hosted API's fields are where nobody has set them: then they are not emitted."""
VOTE_KEYS = ("value", "votes", "counts")
"""What the output of a vote holds."""


class AgentConfig:
    """Base of the five; `type` tells them apart on the wire."""

    type: ClassVar[AgentType]

    def to_dict(self) -> dict[str, Any]:
        """JSON data with the `type`; optional fields that are not set are left out."""
        return {"type": self.type, **_emit(self)}


@checked_class
@dataclass(config=_STRICT)
class PromptLink:
    """A prompt in a chain or a multi_agent: follows the prompt's current version."""

    prompt_id: _Ref
    role: _Ref
    sort_order: StrictInt


@checked_class
@dataclass(config=_STRICT)
class SimpleAgentConfig(AgentConfig):
    """One prompt.  Model and sampling given here override those of the prompt version."""

    type = "simple"
    prompt_id: _Ref
    approval_required: StrictBool = False
    approval_checkpoint_name: str | None = None
    max_tokens: Annotated[StrictInt, Field(ge=1)] | None = None
    temperature: Annotated[StrictFloat, Field(ge=0)] | None = None
    llm_model_id: str | None = None


@checked_class
@dataclass(config=_STRICT)
class ChainAgentConfig(AgentConfig):
    """Prompts run one after another, by ascending `sort_order`."""

    type = "chain"
    prompt_ids: list[PromptLink]
    approval_required: StrictBool = False
    approval_checkpoint_name: str | None = None

    @model_validator(mode="after")
    def _check(self) -> ChainAgentConfig:
        _need_some(self.prompt_ids, "prompt_ids")
        _refuse_repeats((link.sort_order for link in self.prompt_ids), "sort_order")
        return self


@checked_class
@dataclass(config=_STRICT)
class MultiAgentConfig(AgentConfig):
    """Prompts run side by side over the same input; results are keyed by role.

    All fields but `prompt_ids` are extensions, and emitted only where they are set.

    Attributes:
        aggregation: what the results become: `mapping`, the output of each by role; `prompt`, the answer of
            `aggregator_prompt_id`, which sees them all; `vote`, the value that most of them gave; `first_valid`, the
            first output that the agent's output schema allows.
        vote_field: the field of each output that is voted on, instead of the whole.
        failure_policy: what a prompt that fails means: `fail_fast`, the run fails; `settle`, it goes on with the
            results of the others, if there are any; `quorum`, it goes on as soon as `quorum` prompts have succeeded.
        router_prompt_id: a prompt that picks the roles which run.
    """

    type = "multi_agent"
    prompt_ids: list[PromptLink]
    aggregation: Aggregation = field(default="mapping", kw_only=True)
    aggregator_prompt_id: _Ref | None = field(default=None, kw_only=True)
    vote_field: _Ref | None = field(default=None, kw_only=True)
    failure_policy: BranchPolicy = field(default="fail_fast", kw_only=True)
    quorum: Annotated[StrictInt, Field(ge=1)] | None = field(default=None, kw_only=True)
    router_prompt_id: _Ref | None = field(default=None, kw_only=True)

    @model_validator(mode="after")
    def _check(self) -> MultiAgentConfig:
        _need_some(self.prompt_ids, "prompt_ids")
        _refuse_repeats((link.role for link in self.prompt_ids), "role")
        _together("aggregation", self.aggregation, "prompt", "aggregator_prompt_id", self.aggregator_prompt_id)
        _together("failure_policy", self.failure_policy, "quorum", "quorum", self.quorum)
        if self.vote_field is not None and self.aggregation != "vote":
            raise ValueError("vote_field is for aggregation 'vote' only; set that, or leave vote_field out")
        if self.quorum is not None and self.quorum > len(self.prompt_ids):
            raise ValueError(
                f"a quorum of {self.quorum} is more than the {len(self.prompt_ids)} prompts that there are"
            )
        if self.aggregation == "first_valid" and self.failure_policy != "fail_fast":
            raise ValueError("aggregation 'first_valid' passes over prompts that fail; leave failure_policy out")
        if self.failure_policy != "fail_fast" and any(link.role == ERRORS_KEY for link in self.prompt_ids):
            raise ValueError(f"no role may be '{ERRORS_KEY}' here: the output holds the failures under that name")
        return self


@checked_class
@dataclass(config=_STRICT)
class WorkflowAgentConfig(AgentConfig):
    """A directed acyclic graph of nodes; edges are their `depends_on`.

    Attributes:
        failure_policy: `fail_fast` (the default): the first error ends the run.  `settle`: what does not depend on the
            failed node goes on, and the output says under `errors` what failed.  An extension of this engine.
    """

    type = "workflow"
    nodes: list[WorkflowNode]
    failure_policy: FailurePolicy = "fail_fast"

    @model_validator(mode="after")
    def _check(self) -> WorkflowAgentConfig:
        _need_some(self.nodes, "nodes")
        _check_graph([(node.id, node.depends_on) for node in self.nodes], "node")
        return self


@checked_class
@dataclass(config=_STRICT)
class CompositeAgentConfig(AgentConfig):
    """A directed acyclic graph of other agents; edges are the steps' `depends_on`.

    Attributes:
        failure_policy: `fail_fast` (the default): the first step that fails ends the run.  `settle`: what does not
            depend on it goes on, and the output says under `errors` what failed.  An extension of this engine.
    """

    type = "composite"
    steps: list[CompositeStep]
    failure_policy: FailurePolicy = "fail_fast"

    @model_validator(mode="after")
    def _check(self) -> CompositeAgentConfig:
        _need_some(self.steps, "steps")
        _check_graph([(step.id, step.depends_on) for step in self.steps], "step")
        return self


AnyAgentConfig = SimpleAgentConfig | ChainAgentConfig | MultiAgentConfig | WorkflowAgentConfig | CompositeAgentConfig

_CONFIGS: dict[str, type[AnyAgentConfig]] = {
    cls.type: cls
    for cls in (SimpleAgentConfig, ChainAgentConfig, MultiAgentConfig, WorkflowAgentConfig, CompositeAgentConfig)
}
_ADAPTERS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(cls) for name, cls in _CONFIGS.items()}


def parse_config(config: AnyAgentConfig | Mapping[str, Any], type: str | None = None) -> AnyAgentConfig:
    """The typed config of an object or of its JSON data; `type` is used where the data does not say.

    The older keys `checkpoint_name` and `prompt_ids[].prompt_version_id` are read as their present names.

    Raises:
        DefinitionError: the type is unknown or disagrees, or a field is missing, unknown or wrong.
    """
    if isinstance(config, AgentConfig):
        if type is not None and config.type != type:
            raise DefinitionError(f"the agent is of type '{type}', its config of type '{config.type}'")
        return parse_config(config.to_dict())  # checked anew: the object may have been changed since it was made
    data = {key: value for key, value in config.items() if key != "type"}
    name = config.get("type", type)
    if not isinstance(name, str) or name not in _ADAPTERS:
        raise DefinitionError(f"unknown agent type {name!r}; use one of: {', '.join(AGENT_TYPES)}")
    if type is not None and name != type:
        raise DefinitionError(f"the agent is of type '{type}', its config of type '{name}'")
    if "checkpoint_name" in data:
        data.setdefault("approval_checkpoint_name", data.pop("checkpoint_name"))
    if isinstance(data.get("prompt_ids"), list):
        data["prompt_ids"] = [_present_link(link) for link in data["prompt_ids"]]
    checked: AnyAgentConfig = parsed(_ADAPTERS[name], data, f"config of type '{name}'")
    return checked


def prompt_refs(config: AnyAgentConfig) -> list[str]:
    """The prompts that a config links to, in order of their mention."""
    if isinstance(config, SimpleAgentConfig):
        return [config.prompt_id]
    if isinstance(config, ChainAgentConfig | MultiAgentConfig):
        links = [link.prompt_id for link in config.prompt_ids]
        if isinstance(config, ChainAgentConfig):
            return links
        return [*links, *(ref for ref in (config.aggregator_prompt_id, config.router_prompt_id) if ref)]
    if isinstance(config, WorkflowAgentConfig):
        return [node.prompt_id for node in config.nodes if node.prompt_id]
    return []


def agent_refs(config: AnyAgentConfig) -> list[str]:
    """The agents that a config runs, in order of their mention."""
    if isinstance(config, CompositeAgentConfig):
        return [step.agent_id for step in config.steps]
    if isinstance(config, WorkflowAgentConfig):
        return [node.agent_id for node in config.nodes if node.agent_id]
    return []


def _present_link(link: Any) -> Any:
    if not isinstance(link, dict) or "prompt_version_id" not in link or "prompt_id" in link:
        return cast("Any", link)
    entries = cast("dict[str, Any]", link).items()
    return {("prompt_id" if key == "prompt_version_id" else key): value for key, value in entries}


def _emit(value: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for f in fields(value):
        item = getattr(value, f.name)
        if item is None or item == _UNSAID.get(f.name):
            continue
        out[f.name] = [_emit(entry) if is_dataclass(entry) else entry for entry in item] if _is_list(item) else item
    return out


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _need_some(items: Sequence[Any], what: str) -> None:
    if not items:
        raise ValueError(f"{what} must not be empty")


def _together(name: str, value: str, needed: str, other: str, given: object) -> None:
    """`other` is given where `name` is `needed`, and nowhere else."""
    if value == needed and given is None:
        raise ValueError(f"{name} '{needed}' needs {other}")
    if value != needed and given is not None:
        raise ValueError(f"{other} is for {name} '{needed}' only; set that, or leave {other} out")


def _refuse_repeats(values: Iterable[object], what: str) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{what} {value!r} is used twice")
        seen.add(value)


def _check_graph(edges: list[tuple[str, list[str]]], what: str) -> None:
    ids = [name for name, _ in edges]
    _refuse_repeats(ids, f"{what} id")
    known = set(ids)
    for name, parents in edges:
        for parent in parents:
            if parent not in known:
                raise ValueError(f"{what} '{name}' depends on '{parent}', which does not exist")
    try:
        TopologicalSorter(dict(edges)).prepare()
    except CycleError as error:
        raise ValueError(f"the {what}s depend on each other in a circle: {' -> '.join(error.args[1])}") from None
