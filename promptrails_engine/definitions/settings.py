"""What a version may say beside its config: model, limits, tools, prompt options.  Checked when the version is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import Annotated, Any, Literal, cast

from pydantic import ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from promptrails_engine.definitions.checks import checked_class
from promptrails_engine.errors import ConfigurationError

_STRICT = ConfigDict(extra="forbid", defer_build=True, allow_inf_nan=False)
_MODEL = ConfigDict(extra="forbid", defer_build=True, allow_inf_nan=False, protected_namespaces=())
_Seconds = Annotated[StrictFloat, Field(gt=0)]
_Count = Annotated[StrictInt, Field(ge=1)]
_Money = Annotated[StrictFloat, Field(ge=0)]
_Name = Annotated[StrictStr, Field(min_length=1)]
_CENTURY_S = 3_153_600_000


@checked_class
@dataclass(
    config=ConfigDict(extra="forbid", defer_build=True, allow_inf_nan=False, protected_namespaces=()), frozen=True
)
class ModelConfig:
    """Model and sampling of an agent version; what is not set is left to the prompt version."""

    model_id: StrictStr | None = None
    fallback_model_id: StrictStr | None = None
    temperature: Annotated[StrictFloat, Field(ge=0)] | None = None
    top_p: Annotated[StrictFloat, Field(gt=0, le=1)] | None = None
    top_k: _Count | None = None
    max_tokens: _Count | None = None


@checked_class
@dataclass(config=_STRICT, frozen=True)
class RunBudget:
    """Limits of one run and all below it, kept with the agent version.

    Attributes:
        max_cost: USD.
        max_total_tokens: prompt and answer tokens.
        max_tool_calls: tool calls.
        max_children: child executions, near or far.
        max_depth: levels of child executions.
    """

    max_cost: _Money | None = None
    max_total_tokens: _Count | None = None
    max_tool_calls: Annotated[StrictInt, Field(ge=0)] | None = None
    max_children: Annotated[StrictInt, Field(ge=0)] | None = None
    max_depth: Annotated[StrictInt, Field(ge=0)] | None = None


@checked_class
@dataclass(config=_STRICT, frozen=True)
class ToolAttachment:
    """A tool that an agent may call.

    Attributes:
        name: the name under which the engine knows it.
        requires_approval: whether somebody has to approve each call.
        sort_order: place among the others.
    """

    name: _Name
    requires_approval: StrictBool = False
    sort_order: StrictInt | None = None


@checked_class
@dataclass(config=_STRICT, frozen=True)
class SubAgentAttachment:
    """Another agent that an agent may call as a tool.

    Attributes:
        agent_id: id or name of the agent; its current version runs.
        alias: the tool's name; made of the agent's name where it is not set.
        description: what the model is told; the agent's own description where it is not set.
        mode: `delegate` (the default): its answer is the tool's result.  `handoff`: it takes over, and its answer is
            that of the run.
        context_mode: `task` (the default): it sees what it is called with.  `window`: the conversation so far too.
        requires_approval: whether somebody has to approve each call.
        sort_order: place among the others.
    """

    agent_id: _Name
    alias: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    description: StrictStr | None = None
    mode: Literal["delegate", "handoff"] | None = None
    context_mode: Literal["task", "window"] | None = None
    requires_approval: StrictBool = False
    sort_order: StrictInt | None = None


@checked_class
@dataclass(config=_STRICT, frozen=True)
class ApprovalPolicy:
    """Who decides what the runs of an agent version have to wait for, and for how long it can be decided.

    In a process there are no accounts: who decides is who `decided_by` of `approvals.decide` says it is.

    Attributes:
        mode: `assigned`: only who is among `member_ids`.  `admins` (the default) and `any_member`: anybody; the hosted
            API tells the two apart.
        member_ids: who may decide in mode `assigned`.
        expires_in_s: seconds until a request expires; None is never.  An extension of this engine.
    """

    mode: Literal["admins", "assigned", "any_member"] = "admins"
    member_ids: list[_Name] = field(default_factory=list[str])
    expires_in_s: Annotated[StrictFloat, Field(gt=0, le=_CENTURY_S)] | None = None

    @model_validator(mode="after")
    def _check(self) -> ApprovalPolicy:
        if self.mode == "assigned" and not self.member_ids:
            raise ValueError("mode 'assigned' needs member_ids: else nobody could decide")
        if self.mode != "assigned" and self.member_ids:
            raise ValueError("member_ids is for mode 'assigned' only; set that, or leave member_ids out")
        return self


@checked_class
@dataclass(config=_STRICT, frozen=True, kw_only=True)
class Limits:
    """Limits of one run; None takes the engine's.

    What is said of all calls or tokens of a run includes those of its children.

    Attributes:
        timeout_s: wall-clock seconds of the whole run.
        max_cost: USD.  A call is refused beforehand if its worst case would pass it, or if its price is unknown.
        max_total_tokens: prompt and answer tokens of all model calls.
        max_rounds: model calls of one prompt step with tools.
        max_tool_calls: tool calls of the whole run.
        max_repeated_calls: times that one tool may be called with the same arguments in one prompt step.
        max_parallel_calls: tool calls in one answer of the model.
        first_token_s: seconds until the first content of a model call.
        idle_s: seconds between two pieces of content.
        call_s: seconds of a whole model call.
        connect_s: seconds to reach the provider.
        max_answer_chars: characters of one answer.
        guards_s: seconds of all scanners together that look at one input, output, tool call or result; models
            that judges ask have their own time.
        max_children: child executions, near or far.
        max_depth: levels of child executions; 0 allows none.
    """

    timeout_s: _Seconds | None = None
    max_cost: _Money | None = None
    max_total_tokens: _Count | None = None
    max_rounds: _Count | None = None
    max_tool_calls: Annotated[StrictInt, Field(ge=0)] | None = None
    max_repeated_calls: _Count | None = None
    max_parallel_calls: _Count | None = None
    first_token_s: _Seconds | None = None
    idle_s: _Seconds | None = None
    call_s: _Seconds | None = None
    connect_s: _Seconds | None = None
    max_answer_chars: _Count | None = None
    max_children: Annotated[StrictInt, Field(ge=0)] | None = None
    max_depth: Annotated[StrictInt, Field(ge=0)] | None = None
    guards_s: _Seconds | None = None

    def over(self, other: Limits | None) -> Limits:
        """These limits, and where they are None those of `other`."""
        if other is None:
            return self
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        return Limits(**{name: value if value is not None else getattr(other, name) for name, value in mine.items()})

    def to_dict(self) -> dict[str, Any]:
        """What they say, as JSON data; without what they leave open."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def each_call(self) -> Limits:
        """What they say of each model call and each prompt; without the sums over a run, and without its time."""
        return replace(
            self,
            timeout_s=None,
            max_cost=None,
            max_total_tokens=None,
            max_tool_calls=None,
            max_children=None,
            max_depth=None,
        )


@checked_class
@dataclass(config=_STRICT, frozen=True, kw_only=True)
class RateLimit:
    """What may be sent to one model with one credential; None is no limit beside what the provider teaches.

    Attributes:
        requests_per_minute: calls in any 60 seconds, refused ones as well.
        tokens_per_minute: prompt and answer tokens in any 60 seconds.
        concurrency: calls at once.
    """

    requests_per_minute: _Count | None = None
    tokens_per_minute: _Count | None = None
    concurrency: _Count | None = None


def checked_rate_limits(limits: Mapping[str, RateLimit]) -> dict[str, RateLimit]:
    """The limits by model name, or by the beginning of one and `*`.

    Raises:
        ConfigurationError: a name or a limit cannot be used.
    """
    for name, limit in limits.items():
        if not isinstance(cast("object", name), str) or not name or "*" in name[:-1]:
            raise ConfigurationError(
                f"rate_limits has the name {name!r}: write a model's name, such as 'openai/gpt-4o', or the beginning "
                "of one and a star, such as 'openai/*'"
            )
        if not isinstance(cast("object", limit), RateLimit):
            raise ConfigurationError(
                f"rate_limits[{name!r}] is no RateLimit: write RateLimit(requests_per_minute=..., concurrency=...)"
            )
    return dict(limits)


DEFAULT_LIMITS = Limits(
    max_rounds=25,
    max_tool_calls=50,
    max_repeated_calls=3,
    max_parallel_calls=32,
    first_token_s=60,
    idle_s=30,
    call_s=300,
    connect_s=10,
    max_answer_chars=16 * 1024 * 1024,
    max_children=1000,
    max_depth=8,
    guards_s=30,
)

MODEL_CONFIG: TypeAdapter[Any] = TypeAdapter(ModelConfig)
RUN_BUDGET: TypeAdapter[Any] = TypeAdapter(RunBudget)
APPROVAL_POLICY: TypeAdapter[Any] = TypeAdapter(ApprovalPolicy)
TOOL_ATTACHMENT: TypeAdapter[Any] = TypeAdapter(ToolAttachment)
