"""A plan: everything about one agent version that does not change between its runs, resolved and compiled once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptrails_engine.definitions.configs import Aggregation, BranchPolicy, FailurePolicy
from promptrails_engine.definitions.graph_nodes import Join, NodeType
from promptrails_engine.definitions.records import PromptVersion
from promptrails_engine.definitions.settings import Limits
from promptrails_engine.ports.datasource import DataSource
from promptrails_engine.ports.media import MediaProvider, MediaType
from promptrails_engine.ports.provider import ToolSpec
from promptrails_engine.ports.tool import Tool
from promptrails_engine.run.binding import ModelBinding
from promptrails_engine.run.expressions import CompiledMapping, Expression
from promptrails_engine.run.graph import Graph
from promptrails_engine.run.guards import Guards
from promptrails_engine.run.render import CompiledTemplate
from promptrails_engine.schema import SchemaValidator


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling of one prompt step; None is not sent."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: {})


@dataclass(frozen=True, slots=True)
class ModelStep:
    """What a model is called with, but for the messages."""

    model: ModelBinding
    fallback: ModelBinding | None
    sampling: Sampling
    output_validator: SchemaValidator | None
    specs: tuple[ToolSpec, ...]
    cache_timeout: int


@dataclass(frozen=True, slots=True)
class PromptStep(ModelStep):
    """One prompt of an agent, ready to run."""

    key: str
    """Its place in the agent: the step's stable key."""
    role: str
    prompt_name: str
    version: PromptVersion
    templates: tuple[CompiledTemplate, ...]
    """The system prompt, where there is one, and the user prompt."""
    input_validator: SchemaValidator | None
    input_called: str
    """What error messages call its input."""
    tools: Mapping[str, Tool]
    sub_agents: Mapping[str, SubAgent] = field(default_factory=dict[str, "SubAgent"])
    """Agents that the model may call, by the tool's name; their specs are among `specs`."""
    guarded: frozenset[str] = frozenset()
    """Names of the tools and sub-agents whose calls somebody has to approve."""


@dataclass(frozen=True, slots=True)
class SubAgent:
    """Another agent as a tool."""

    spec: ToolSpec
    plan: Plan
    validator: SchemaValidator
    """Of the arguments, which are the agent's input."""
    takes_over: bool
    """Whether its answer is that of the run (a handoff)."""
    sees_window: bool
    """Whether it sees the conversation so far."""
    guarded: bool = False
    """Whether somebody has to approve each call."""


@dataclass(frozen=True, slots=True)
class Gather:
    """Prompts that run side by side, and what becomes of their results.  Its steps are those of the plan."""

    branches: tuple[PromptStep, ...]
    """In the order of their `sort_order`."""
    router: PromptStep | None
    """Answers `{"roles": [...]}`: the branches that run."""
    aggregator: PromptStep | None
    aggregation: Aggregation
    vote_field: str | None
    failure_policy: BranchPolicy
    quorum: int | None


@dataclass(frozen=True, slots=True)
class Query:
    """What a node asks of a data source."""

    source: DataSource
    template: str


@dataclass(frozen=True, slots=True)
class MediaTask:
    """What a node has a media provider make."""

    provider: MediaProvider
    model: str
    """As the provider knows it."""
    media_type: MediaType
    options: Mapping[str, Any]
    """The media_config of the node."""

    @property
    def model_name(self) -> str:
        """With the provider's prefix."""
        return f"{self.provider.name}/{self.model}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What somebody has to approve in the middle of a workflow."""

    name: str
    goes_on: bool
    """Whether a rejection is but a result."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a workflow, ready to run."""

    id: str
    key: str
    """Its place in the agent: the node's stable key."""
    kind: NodeType
    step: PromptStep | None
    """Of a prompt node; of a media node, the prompt whose text it is made from."""
    tool: Tool | None
    """Of a tool node."""
    agent: Plan | None
    """Of an agent node: what it runs as a child."""
    query: Query | None
    """Of a datasource node."""
    media: MediaTask | None
    """Of a media node."""
    checkpoint: Checkpoint | None
    """Of an approval node."""
    parents: tuple[str, ...]
    reads: tuple[str, ...]
    """Of the nodes that it depends on, near or far, those whose results its templates and expressions read."""
    condition: Expression | None
    map_over: Expression | None
    map_concurrency: int
    mapping: CompiledMapping | None


@dataclass(frozen=True, slots=True)
class Workflow:
    """The graph of a workflow, ready to run."""

    graph: Graph
    nodes: Mapping[str, Node]
    joins: Mapping[str, Join]
    """Of the nodes that have one."""
    failure_policy: FailurePolicy


_NO_LIMITS = Limits()
_NO_GUARDS = Guards()


@dataclass(frozen=True, slots=True)
class Plan:
    """One agent version, ready to run."""

    agent_id: str
    agent_name: str
    agent_type: str
    version_id: str
    steps: tuple[PromptStep, ...]
    """All its prompts, in the order in which they run."""
    input_validator: SchemaValidator | None
    output_validator: SchemaValidator | None
    limits: Limits
    version_lock: Mapping[str, Any]
    """JSON data: which agent version, prompt versions and tools, with their digests."""
    waits: bool = False
    """Whether it, or an agent below it, may stop for an approval."""
    gather: Gather | None = None
    """Set for a multi_agent."""
    workflow: Workflow | None = None
    """The graph of a workflow, whose prompts are in `steps` as well, or of a composite."""
    budget: Limits = _NO_LIMITS
    """The agent's own run budget, which is in `limits` as well: what holds of its runs below others."""
    checkpoint: str | None = None
    """Name of the checkpoint at which somebody has to approve its output; None where nobody has to."""
    approval_expires_s: float | None = None
    """Seconds after which what is asked of somebody expires; None is never."""
    guards: Guards = _NO_GUARDS

    @property
    def holds_output(self) -> bool:
        """Whether nobody hears its output before it has passed: somebody approves it, or guards look at it."""
        return self.checkpoint is not None or self.guards.holds_output

    @property
    def may_wait(self) -> bool:
        """Whether it may stop for an approval by itself."""
        nodes = () if self.workflow is None else self.workflow.nodes.values()
        return (
            self.checkpoint is not None
            or any(step.guarded for step in self.steps)
            or any(node.checkpoint is not None for node in nodes)
        )
