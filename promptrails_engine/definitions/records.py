"""Prompts, agents and their versions, as the engine hands them out: the contract's fields, frozen."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from promptrails_engine.models.registry import LLMModel


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptVersion:
    """One immutable version of a prompt.

    Attributes:
        llm_model_id: a registered model id or a `provider/model` name.
        temperature: 0 to 1 at most providers; None is the engine's default of 0.7.
        max_tokens: most tokens of the answer; None leaves it to the provider.
        cache_timeout: seconds for which an equal call is answered from the cache; 0 is never.
        config: further settings: `strict` (undefined variables are errors), `tools`, `top_k` and provider options.
        digest: SHA-256 of the content.
    """

    id: str
    prompt_id: str
    version: str
    system_prompt: str = ""
    user_prompt: str = ""
    llm_model_id: str | None = None
    fallback_llm_model_id: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    input_schema: dict[str, Any] = field(default_factory=dict[str, Any])
    output_schema: dict[str, Any] | None = None
    is_current: bool = False
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    message: str = ""
    cache_timeout: int = 0
    digest: str = ""
    created_at: str = ""
    llm_model: LLMModel | None = None
    fallback_llm_model: LLMModel | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt and its current version.  `status` is active or archived; an archived one cannot run."""

    id: str
    workspace_id: str
    name: str
    description: str = ""
    status: str = "active"
    labels: list[str] = field(default_factory=list[str])
    created_at: str = ""
    updated_at: str = ""
    current_version: PromptVersion | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentVersion:
    """One immutable version of an agent.

    Attributes:
        config: JSON data of the typed config, with its `type`; `typed_config` of it is `parse_config(config)`.
        model_config: model and sampling for all prompts of the agent; overrides the prompt versions.
        run_budget: limits of each run.
        approval_policy: who decides what runs have to wait for: `{"mode", "member_ids"?, "expires_in_s"?}`.
        cache_timeout: seconds; overrides the prompt versions where it is set.
        tools: tool attachments: `{"name", "requires_approval"?, "sort_order"?}`.
        sub_agents: agents that the model may call as tools: `{"agent_id", "alias"?, "description"?, "mode"?,
            "context_mode"?, "requires_approval"?, "sort_order"?}`.
        guardrails: guards of what goes in and out: `{"id", "type", "scanner_type", "action", "config", "is_active",
            "sort_order"?}`.
        digest: SHA-256 of the content.
    """

    id: str
    agent_id: str
    version: str
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    input_schema: dict[str, Any] = field(default_factory=dict[str, Any])
    output_schema: dict[str, Any] | None = None
    is_current: bool = False
    message: str = ""
    model_config: dict[str, Any] | None = None
    run_budget: dict[str, Any] | None = None
    approval_policy: dict[str, Any] | None = None
    cache_timeout: int | None = None
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    sub_agents: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    guardrails: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    digest: str = ""
    created_at: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent and its current version.  `status` is active or archived; an archived one cannot run."""

    id: str
    workspace_id: str
    name: str
    type: str
    description: str = ""
    status: str = "active"
    labels: list[str] = field(default_factory=list[str])
    created_by_id: str | None = None
    created_at: str = ""
    updated_at: str = ""
    current_version: AgentVersion | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
