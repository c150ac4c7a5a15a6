"""What changed between two versions, in the terms of prompts and agents, and which changes break somebody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast, overload

from promptrails_engine.definitions.changes import Change, ChangeKind, LineHunk, Part, VersionDiff, WordEdit
from promptrails_engine.definitions.content import content_of
from promptrails_engine.definitions.diff_config import (
    diff_config,
    diff_guards,
    diff_output_keys,
    diff_settings,
    diff_sub_agents,
    diff_tools,
)
from promptrails_engine.definitions.diff_schema import diff_schema
from promptrails_engine.definitions.diff_text import diff_template, diff_variables, variables
from promptrails_engine.definitions.digest import canonical_json
from promptrails_engine.definitions.records import AgentVersion, PromptVersion
from promptrails_engine.errors import DefinitionError

__all__ = ["Change", "ChangeKind", "LineHunk", "Part", "VersionDiff", "WordEdit", "diff_versions"]

_MESSAGES = ("system_prompt", "user_prompt")
_PROMPT_PARAMETERS = (
    "llm_model_id", "fallback_llm_model_id", "temperature", "max_tokens", "top_p", "cache_timeout", "config",
)  # fmt: skip
_AGENT_PARAMETERS = ("model_config", "run_budget", "approval_policy", "cache_timeout")


@overload
def diff_versions(old: PromptVersion, new: PromptVersion) -> VersionDiff: ...


@overload
def diff_versions(old: AgentVersion, new: AgentVersion) -> VersionDiff: ...


def diff_versions(old: PromptVersion | AgentVersion, new: PromptVersion | AgentVersion) -> VersionDiff:
    """The differences in content from `old` to `new`; labels, messages and dates do not count.

    A change is breaking where an input that was valid is refused now (input schema; a strict template that uses a
    variable which inputs need not bring), or where a consumer of the output can meet what the old version never gave,
    or miss what it always gave.

    Raises:
        DefinitionError: one version is of a prompt, the other of an agent.
    """
    if isinstance(old, PromptVersion) and isinstance(new, PromptVersion):
        changes = tuple(_prompt_changes(content_of(old), content_of(new)))
        return VersionDiff("prompt", old.version, new.version, changes)
    if isinstance(old, AgentVersion) and isinstance(new, AgentVersion):
        changes = tuple(_agent_changes(content_of(old), content_of(new)))
        return VersionDiff("agent", old.version, new.version, changes)
    raise DefinitionError("cannot compare a version of a prompt with one of an agent; give two of the same kind")


def _prompt_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for message in _MESSAGES:
        yield from diff_template(message, old.get(message, ""), new.get(message, ""))
    before, after = (variables(content.get(message, "") for message in _MESSAGES) for content in (old, new))
    strict = bool(_mapping(new, "config").get("strict"))
    promised = _mapping(old, "input_schema").get("required")
    lacking = (after or frozenset()) - set(cast("list[str]", promised) if isinstance(promised, list) else [])
    yield from diff_variables(before, after, lacking if strict else frozenset())
    yield from _schema_changes(old, new)
    for name in _PROMPT_PARAMETERS:
        for change in diff_settings("parameters", name, old.get(name), new.get(name)):
            if strict and lacking and change.path.startswith("config") and not _mapping(old, "config").get("strict"):
                yield _strict_now(change, lacking)
            else:
                yield change


def _strict_now(change: Change, lacking: frozenset[str]) -> Change:
    """The same change, breaking if it is the one that made undefined variables errors."""
    made_strict = change.path == "config.strict" or (change.path == "config" and change.old is None)
    if not made_strict:
        return change
    summary = f"{change.summary} (inputs need not bring: {', '.join(sorted(lacking))})"
    return Change(change.part, change.path, change.kind, change.old, change.new, True, summary)


def _agent_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    yield from _schema_changes(old, new)
    before, after = _mapping(old, "config"), _mapping(new, "config")
    if "output_schema" not in old and "output_schema" not in new:
        yield from diff_output_keys(before, after)
    for name in _AGENT_PARAMETERS:
        yield from diff_settings("parameters", name, old.get(name), new.get(name))
    found = list(diff_config(before, after))
    yield from sorted(found, key=lambda change: change.part != "parameters")
    if not found and canonical_json(before) != canonical_json(after):
        yield Change("links", "config", "changed", old.get("config"), new.get("config"), False, "numbered differently")
    yield from _sub_agent_changes(old, new)
    yield from diff_guards(old.get("guardrails", []), new.get("guardrails", []))
    tools = list(diff_tools(old.get("tools", []), new.get("tools", [])))
    yield from tools
    if not tools and canonical_json(old.get("tools")) != canonical_json(new.get("tools")):
        yield Change("tools", "", "changed", old.get("tools"), new.get("tools"), False, "listed in another order")


def _sub_agent_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = old.get("sub_agents", []), new.get("sub_agents", [])
    changes = list(diff_sub_agents(before, after))
    yield from changes
    if not changes and canonical_json(before) != canonical_json(after):
        yield Change("links", "sub_agents", "changed", before, after, False, "sub-agents listed in another order")


def _schema_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    yield from diff_schema("input_schema", old.get("input_schema"), new.get("input_schema"))
    yield from diff_schema("output_schema", old.get("output_schema"), new.get("output_schema"))


def _mapping(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
