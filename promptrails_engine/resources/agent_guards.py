"""Guards as a part of agent versions: listed, and changed by making a new version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from promptrails_engine.definitions.content import content_of
from promptrails_engine.definitions.records import AgentVersion
from promptrails_engine.errors import ConflictError, NotFoundError
from promptrails_engine.resources.base import Parts

Direction = Literal["input", "output"]
Action = Literal["block", "redact", "log"]
Change = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
_TRIES = 50
"""Whenever one fails, another change was made: so many changes at once all find their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """A guard of an agent's current version; its fields are those of `GuardrailSpec`.

    Attributes:
        id: of the agent and of the guard within it, `<agent id>:<guard id>`.
        created_at, updated_at: when the version was made in which it stands.
    """

    id: str
    agent_id: str
    type: str
    scanner_type: str
    action: str = "block"
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    is_active: bool = True
    sort_order: int | None = None
    created_at: str = ""
    updated_at: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


async def list_guards(parts: Parts, agent_id: str) -> list[Guardrail]:
    """The guards of an agent's current version, as they are listed there.

    Raises:
        NotFoundError: no such agent, or it has no version yet.
    """
    await parts.ready()
    version = await parts.agents.get_version(agent_id)
    return [guardrail_of(version, spec) for spec in version.guardrails]


async def add_guard(
    parts: Parts,
    agent_id: str,
    type: Direction,
    scanner_type: str,
    action: Action,
    config: Mapping[str, Any] | None,
    is_active: bool,
    sort_order: int | None,
) -> Guardrail:
    """A new guard of an agent, the last of its current version.

    Raises:
        NotFoundError: no such agent, or it has no version yet.
        DefinitionError: there is no such scanner, or the config cannot be used.
    """
    spec = {
        "type": type,
        "scanner_type": scanner_type,
        "action": action,
        "config": dict(config or {}),
        "is_active": is_active,
        "sort_order": sort_order,
    }
    await parts.ready()

    def add(guards: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [*guards, spec]

    version = await changed(parts, agent_id, add, f"guard added: {scanner_type} on the {type}")
    return guardrail_of(version, version.guardrails[-1])


async def changed(
    parts: Parts, agent_id: str, change: Change, message: str, guard_id: str | None = None
) -> AgentVersion:
    """A new current version of the agent, its guards changed.

    Raises:
        NotFoundError: there is no guard of this id.
        ConflictError: others made new versions of it all the time.
    """
    tries = 0
    while True:
        current = await parts.agents.get_version(agent_id)
        if guard_id is not None and all(guard["id"] != guard_id for guard in current.guardrails):
            raise no_guard(agent_id, guard_id)
        content = {**content_of(current), "guardrails": change(current.guardrails)}
        try:
            return await parts.agents.create_version(
                current.agent_id, content, set_current=True, message=message, after=current.id
            )
        except ConflictError:  # another version came between: its guards are to stay
            tries += 1
            if tries == _TRIES:
                raise


def no_guard(agent_id: str, guard_id: str) -> NotFoundError:
    return NotFoundError(f"the agent has no guard '{guard_id}' in its current version; list({agent_id!r}) shows them")


def parts_of(guardrail_id: str) -> tuple[str, str]:
    agent_id, colon, guard_id = guardrail_id.partition(":")
    if not colon:
        raise NotFoundError(f"no guard with the id '{guardrail_id}'; it is of the form <agent id>:<guard id>")
    return agent_id, guard_id


def guardrail_of(version: AgentVersion, spec: Mapping[str, Any]) -> Guardrail:
    return Guardrail(
        id=f"{version.agent_id}:{spec['id']}",
        agent_id=version.agent_id,
        type=spec["type"],
        scanner_type=spec["scanner_type"],
        action=spec["action"],
        config=dict(spec["config"]),
        is_active=spec["is_active"],
        sort_order=spec.get("sort_order"),
        created_at=version.created_at,
        updated_at=version.created_at,
    )
