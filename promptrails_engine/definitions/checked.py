"""Content of versions, checked field by field before anything is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    TypeAdapter,
)
from pydantic.dataclasses import dataclass

from promptrails_engine.definitions.checks import parsed, storable
from promptrails_engine.definitions.configs import parse_config
from promptrails_engine.definitions.guards import checked_guards
from promptrails_engine.definitions.settings import (
    APPROVAL_POLICY,
    MODEL_CONFIG,
    RUN_BUDGET,
    ApprovalPolicy,
    ModelConfig,
    RunBudget,
    SubAgentAttachment,
    ToolAttachment,
)
from promptrails_engine.errors import DefinitionError
from promptrails_engine.schema import compile_schema, normalise_schema

_FORBID = ConfigDict(extra="forbid", defer_build=True, allow_inf_nan=False, protected_namespaces=())
_Count = Annotated[StrictInt, Field(ge=1)]
_Ref = Annotated[StrictStr, Field(min_length=1)]


@dataclass(config=_FORBID)
class _PromptContent:
    user_prompt: StrictStr
    system_prompt: StrictStr = ""
    llm_model_id: _Ref | None = None
    fallback_llm_model_id: _Ref | None = None
    temperature: Annotated[StrictFloat, Field(ge=0)] | None = None
    max_tokens: _Count | None = None
    top_p: Annotated[StrictFloat, Field(gt=0, le=1)] | None = None
    input_schema: dict[str, Any] = field(default_factory=dict[str, Any])
    output_schema: dict[str, Any] | None = None
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    cache_timeout: Annotated[StrictInt, Field(ge=0)] = 0


@dataclass(config=_FORBID)
class PromptSettings:
    """The settings in a prompt version's `config` that the engine itself reads; the others are provider options."""

    strict: StrictBool = False
    tools: list[StrictStr] | None = None
    top_k: _Count | None = None


_SETTINGS = frozenset(f.name for f in fields(PromptSettings))


def _attachment(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _sub_agent(value: Any) -> Any:
    return {"agent_id": value} if isinstance(value, str) else value


@dataclass(config=ConfigDict(extra="forbid", defer_build=True, protected_namespaces=(), arbitrary_types_allowed=True))
class _AgentContent:
    config: Any
    input_schema: dict[str, Any] = field(default_factory=dict[str, Any])
    output_schema: dict[str, Any] | None = None
    model_config: Any = None
    run_budget: Any = None
    approval_policy: Any = None
    cache_timeout: Annotated[StrictInt, Field(ge=0)] | None = None
    tools: list[Annotated[ToolAttachment, BeforeValidator(_attachment)]] = field(default_factory=list[ToolAttachment])
    sub_agents: list[Annotated[SubAgentAttachment, BeforeValidator(_sub_agent)]] = field(
        default_factory=list[SubAgentAttachment]
    )
    guardrails: list[Any] = field(default_factory=list[Any])


_PROMPT: TypeAdapter[_PromptContent] = TypeAdapter(_PromptContent)
_SETTINGS_ADAPTER: TypeAdapter[PromptSettings] = TypeAdapter(PromptSettings)
_AGENT: TypeAdapter[_AgentContent] = TypeAdapter(_AgentContent)


def prompt_settings(config: Mapping[str, Any]) -> PromptSettings:
    """The engine's own settings of a prompt version's `config`."""
    known = {key: value for key, value in config.items() if key in _SETTINGS}
    settings: PromptSettings = parsed(_SETTINGS_ADAPTER, known, "the prompt's config")
    return settings


def provider_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a prompt version's `config` is passed on to the provider."""
    return {key: value for key, value in config.items() if key not in _SETTINGS}


def checked_prompt(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a prompt version, its schemas in standard form; what is None is left out.

    Raises:
        DefinitionError: a field is missing, unknown or wrong, or a schema cannot be used.
    """
    checked: _PromptContent = parsed(_PROMPT, _given(content), "the prompt version")
    prompt_settings(checked.config)
    data = {f.name: getattr(checked, f.name) for f in fields(checked)}
    if not checked.cache_timeout:
        del data["cache_timeout"]  # never, which is what leaving it out says
    return storable(_with_schemas(data), "the prompt version")


def checked_agent(content: Mapping[str, Any], type: str | None) -> dict[str, Any]:
    """The content of an agent version as JSON data, its schemas in standard form; what is None is left out.

    Raises:
        DefinitionError: a field is missing, unknown or wrong, or a schema cannot be used.
    """
    checked: _AgentContent = parsed(_AGENT, _given(content), "the agent version")
    data: dict[str, Any] = {f.name: getattr(checked, f.name) for f in fields(checked)}
    data["config"] = parse_config(checked.config, type).to_dict()
    data["model_config"] = _settings(MODEL_CONFIG, checked.model_config, ModelConfig, "model_config")
    data["run_budget"] = _settings(RUN_BUDGET, checked.run_budget, RunBudget, "run_budget")
    data["approval_policy"] = _settings(APPROVAL_POLICY, checked.approval_policy, ApprovalPolicy, "approval_policy")
    data["tools"] = [_attached(tool) for tool in checked.tools]
    names = [tool["name"] for tool in data["tools"]]
    for name in names:
        if names.count(name) > 1:
            raise DefinitionError(f"tool '{name}' is attached twice")
    data["sub_agents"] = _sub_agents(checked.sub_agents, data["config"]["type"], names) or None
    data["guardrails"] = checked_guards(checked.guardrails) or None
    if data["config"].get("aggregation") == "first_valid" and not data["output_schema"]:
        raise DefinitionError(
            "aggregation 'first_valid' takes the first output that the agent's output_schema allows; give the agent one"
        )
    return storable(_with_schemas(data), "the agent version")


_WITH_SUB_AGENTS = ("simple", "chain")


def _sub_agents(attached: list[SubAgentAttachment], type: str, tools: list[str]) -> list[dict[str, Any]]:
    """The attachments as JSON data, without what is not set.

    Raises:
        DefinitionError: the agent's type has none, or a name stands for two things.
    """
    if attached and type not in _WITH_SUB_AGENTS:
        raise DefinitionError(
            f"sub_agents are for agents of type {' and '.join(_WITH_SUB_AGENTS)}, not {type}; "
            "a composite, or a workflow with nodes of type agent, runs other agents itself"
        )
    names = [sub.alias for sub in attached if sub.alias is not None]
    for name in names:
        if name in tools or names.count(name) > 1:
            raise DefinitionError(f"two tools of the agent are named '{name}'; give the sub-agent another alias")
    return [_attached(sub) for sub in attached]


def _given(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value is not None}


def _settings(adapter: TypeAdapter[Any], value: Any, cls: type[Any], what: str) -> dict[str, Any] | None:
    if value is None:
        return None
    return _set_fields(value if isinstance(value, cls) else parsed(adapter, value, what))


def _set_fields(value: Any) -> dict[str, Any]:
    items = ((f.name, getattr(value, f.name)) for f in fields(value))
    return {name: item for name, item in items if item is not None and item != []}


def _attached(value: ToolAttachment | SubAgentAttachment) -> dict[str, Any]:
    return {name: item for name, item in _set_fields(value).items() if item is not False}


def _with_schemas(data: dict[str, Any]) -> dict[str, Any]:
    out = {key: value for key, value in data.items() if value is not None}
    for name in ("input_schema", "output_schema"):
        if out.get(name):  # an empty one allows everything
            out[name] = normalise_schema(out[name])
            compile_schema(out[name])
    return out
