"""The parts of the graphs that workflows and composites are: what each may say, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictInt, StrictStr, StringConstraints, model_validator
from pydantic.dataclasses import dataclass

from promptrails_engine.definitions.checks import checked_class
from promptrails_engine.definitions.placeholders import placeholders
from promptrails_engine.ports.media import MEDIA_TYPES

NodeType = Literal["prompt", "media", "tool", "agent", "datasource", "approval"]
Rejection = Literal["end", "go_on"]
"""What becomes of a run where somebody rejects what a node of type `approval` asks for."""
Join = Literal["any", "all", "always"]
"""Whether a node runs where some of its parents were skipped: if any of them ran, only if all did, in any case."""

_STRICT = ConfigDict(extra="forbid", defer_build=True, allow_inf_nan=False)
_Ref = Annotated[StrictStr, StringConstraints(min_length=1)]
ERRORS_KEY = "errors"
"""Where the output of an agent that bears failures holds the errors of what failed, by role or node id."""
_NEEDED: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt_id",),
    "media": ("media_provider", "media_type", "media_model"),
    "tool": ("tool",),
    "agent": ("agent_id",),
    "datasource": ("data_source", "query"),
    "approval": (),
}
"""The fields without which a node of each type cannot be."""
_OWNED: dict[str, NodeType] = {
    "tool": "tool",
    "agent_id": "agent",
    "data_source": "datasource",
    "query": "datasource",
    "checkpoint_name": "approval",
    "on_rejected": "approval",
}
"""The fields that nodes of one type alone have."""
_TYPES = ", ".join(MEDIA_TYPES)
_RESERVED_IDS = frozenset({"steps", ERRORS_KEY})


@checked_class
@dataclass(config=_STRICT)
class WorkflowNode:
    """A node of a workflow: a prompt, a tool, another agent, a query of a data source, a media job or an approval.

    The fields from `tool` on are extensions of this engine; they are sent and stored only where they are set.

    Attributes:
        tool: name of the tool that a node of type `tool` calls.
        data_source: name of the data source that a node of type `datasource` asks.
        query: what it asks; values of `input_mapping` are bound to the `:name`s in it, and never written into it.
        agent_id: the agent that a node of type `agent` runs, with its current version, as a child execution.
        input_mapping: values by name, each a template or an expression in `{{ }}`: the arguments of a tool, the input
            of an agent, the values of a query, what a media job is made from (`prompt`, `input_url` and further
            options), or what a prompt is given over the input.
        checkpoint_name: what a node of type `approval` is called where somebody decides; its id by default.  What is
            to be approved is its `input_mapping`, or without one the text of its only dependency.
        on_rejected: `end` (the default): a rejection ends the run as rejected.  `go_on`: the node's output says
            `status`, which conditions of other nodes may read.
        condition: expression; where it is false, the node is skipped.
        map_over: expression for a list: the node runs once for each `item`, and its result is the list of results.
        map_concurrency: how many items run at once; 8 where it is not set.
        join: whether it runs where some that it depends on were skipped: `any` (the default: if one of them ran),
            `all` (only if all ran), `always` (in any case, also after one that failed).
    """

    id: _Ref
    depends_on: list[str] = field(default_factory=list[str])
    prompt_id: str | None = None
    node_type: NodeType | None = None
    media_provider: str | None = None
    media_type: str | None = None
    media_model: str | None = None
    media_config: dict[str, Any] | None = None
    tool: _Ref | None = None
    agent_id: _Ref | None = None
    input_mapping: dict[str, Any] | None = None
    condition: _Ref | None = None
    map_over: _Ref | None = None
    map_concurrency: Annotated[StrictInt, Field(ge=1)] | None = None
    join: Join | None = None
    data_source: _Ref | None = None
    query: _Ref | None = None
    checkpoint_name: _Ref | None = None
    on_rejected: Rejection | None = None

    @model_validator(mode="after")
    def _complete(self) -> WorkflowNode:
        kind = self.node_type or "prompt"
        needed = _NEEDED[kind]
        if not all(getattr(self, name) for name in needed):
            raise ValueError(f"{kind} node '{self.id}' needs {'a ' if len(needed) == 1 else ''}{_listed(needed)}")
        for name, owner in _OWNED.items():
            if getattr(self, name) and kind != owner:
                raise ValueError(f"node '{self.id}' has '{name}', but is of type '{kind}'; give it node_type='{owner}'")
        if kind in _OWNED.values() and self.prompt_id:
            raise ValueError(f"{kind} node '{self.id}' cannot have a prompt_id; make two nodes of it")
        if kind == "media" and self.media_type not in MEDIA_TYPES:
            raise ValueError(f"media node '{self.id}' has the media_type {self.media_type!r}; use one of: {_TYPES}")
        if self.query:
            _check_query(self.id, self.query, self.input_mapping or {})
        _check_part(self, "node")
        return self


@checked_class
@dataclass(config=_STRICT)
class CompositeStep:
    """A step of a composite: runs another agent, with its current version, as a child execution.

    The fields from `condition` on are extensions of this engine; they are sent and stored only where they are set.

    Attributes:
        input_mapping: the agent's input: values by name, each a template or an expression in `{{ }}`; without one it is
            given the composite's own input.
        condition, map_over, map_concurrency, join: as of a `WorkflowNode`.
    """

    id: _Ref
    agent_id: _Ref
    depends_on: list[str] = field(default_factory=list[str])
    input_mapping: dict[str, Any] | None = None
    condition: _Ref | None = None
    map_over: _Ref | None = None
    map_concurrency: Annotated[StrictInt, Field(ge=1)] | None = None
    join: Join | None = None

    @model_validator(mode="after")
    def _complete(self) -> CompositeStep:
        _check_part(self, "step")
        return self


def _check_query(id: str, query: str, mapping: Mapping[str, Any]) -> None:
    missing = [f":{name}" for name in placeholders(query) if name not in mapping]
    if missing:
        raise ValueError(f"the query of node '{id}' reads {', '.join(missing)}, which its input_mapping does not give")
    if "{{" in query or "{%" in query:
        raise ValueError(
            f"the query of node '{id}' is no template: write :name in it, and the value of name in its input_mapping"
        )


def _check_part(part: WorkflowNode | CompositeStep, what: str) -> None:
    if part.map_concurrency and not part.map_over:
        raise ValueError(f"{what} '{part.id}' has a map_concurrency, but no map_over")
    if part.id in _RESERVED_IDS:
        raise ValueError(f"a {what} cannot have the id '{part.id}': the engine uses that name itself")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
