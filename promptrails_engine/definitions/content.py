"""What a version consists of: the JSON data that is stored, digested, compared and written to files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from promptrails_engine.clock import iso
from promptrails_engine.definitions.records import Agent, AgentVersion, Prompt, PromptVersion
from promptrails_engine.ports.store import DefinitionRow, VersionRow

PROMPT_CONTENT = (
    "system_prompt", "user_prompt", "llm_model_id", "fallback_llm_model_id", "temperature", "max_tokens", "top_p",
    "input_schema", "output_schema", "config", "cache_timeout",
)  # fmt: skip
AGENT_CONTENT = (
    "config", "input_schema", "output_schema", "model_config", "run_budget", "approval_policy", "cache_timeout",
    "tools", "sub_agents", "guardrails",
)  # fmt: skip


def content_of(version: PromptVersion | AgentVersion) -> dict[str, Any]:
    """The content of a version as JSON data; what is not set is left out."""
    names = PROMPT_CONTENT if isinstance(version, PromptVersion) else AGENT_CONTENT
    defaults = {f.name: f.default for f in fields(version)}
    data = {name: getattr(version, name) for name in names}
    return {
        name: value
        for name, value in data.items()
        if value is not None and value != {} and value != [] and value != defaults[name]
    }


def prompt_version(row: VersionRow, current_id: str | None) -> PromptVersion:
    return PromptVersion(
        id=row.id,
        prompt_id=row.definition_id,
        version=row.version,
        message=row.message,
        digest=row.digest,
        created_at=iso(row.created_at),
        is_current=row.id == current_id,
        **_known(row.data, PROMPT_CONTENT),
    )


def agent_version(row: VersionRow, current_id: str | None) -> AgentVersion:
    return AgentVersion(
        id=row.id,
        agent_id=row.definition_id,
        version=row.version,
        message=row.message,
        digest=row.digest,
        created_at=iso(row.created_at),
        is_current=row.id == current_id,
        **_known(row.data, AGENT_CONTENT),
    )


def prompt(row: DefinitionRow, current: PromptVersion | None) -> Prompt:
    return Prompt(current_version=current, **_shared(row))


def agent(row: DefinitionRow, current: AgentVersion | None) -> Agent:
    return Agent(current_version=current, type=row.type, created_by_id=row.data.get("created_by_id"), **_shared(row))


def _shared(row: DefinitionRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "workspace_id": row.workspace_id,
        "name": row.name,
        "description": row.data.get("description", ""),
        "status": row.status,
        "labels": list(row.data.get("labels", ())),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def _known(data: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: data[name] for name in names if name in data}
