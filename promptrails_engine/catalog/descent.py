"""Agents that run other agents: where planning stands among them, and circles found before anything runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptrails_engine.catalog.pins import AgentPins, Pins
from promptrails_engine.definitions.configs import agent_refs, parse_config
from promptrails_engine.definitions.records import PromptVersion
from promptrails_engine.errors import DefinitionError
from promptrails_engine.ports.store import DefinitionRow, VersionRow
from promptrails_engine.run.plan import Plan


@dataclass(frozen=True, slots=True)
class FoundPrompt:
    """A prompt in the version that a plan takes."""

    row: DefinitionRow
    version: PromptVersion
    model: str | None = None
    """What it calls where no definition names a model; None is the engine's default."""


@dataclass(frozen=True, slots=True)
class Descent:
    """The agents from the one that is planned down to here, and all plans made on the way: one for each agent."""

    path: tuple[tuple[str, str], ...] = ()
    """Ids and names."""
    plans: dict[str, Plan] = field(default_factory=dict[str, Plan])
    pins: Pins | None = None
    """The versions to take; None takes the current ones."""
    prompts: dict[str, FoundPrompt] = field(default_factory=dict[str, FoundPrompt])
    """Those of the agent here, by id: one version of each, whatever is promoted while the agent is planned."""
    changed: Mapping[str, FoundPrompt] = field(default_factory=dict[str, FoundPrompt])
    """What steps of the agent that is planned run instead, by key."""

    @property
    def pinned(self) -> AgentPins | None:
        """The versions to take for the agent here."""
        return None if self.pins is None else self.pins.of(self.path[-1][0])

    def into(self, row: DefinitionRow) -> Descent:
        """One further down.

        Raises:
            DefinitionError: the agent is above already.
        """
        path = (*self.path, (row.id, row.name))
        if any(id == row.id for id, _ in self.path):
            raise circle([name for _, name in path])
        return Descent(path, self.plans, self.pins, changed={} if self.path else self.changed)


def circle(names: Sequence[str]) -> DefinitionError:
    """The error that names the path of agents."""
    return DefinitionError(f"agents run each other in a circle: {' -> '.join(names)}; take one of these links out")


def child_refs(content: Mapping[str, Any]) -> list[str]:
    """The agents that an agent version runs, in its steps, its nodes or as tools."""
    return [*agent_refs(parse_config(content["config"])), *(sub["agent_id"] for sub in content.get("sub_agents", ()))]


def with_children(plan_lock: Mapping[str, Any], plans: Iterable[Plan]) -> dict[str, Any]:
    """The version lock of a plan with those of all agents below it, by agent id: each has one version in a tree."""
    agents: dict[str, Any] = {}
    for plan in plans:
        lock = dict(plan.version_lock)
        agents |= lock.pop("agents", {})
        agents[plan.agent_id] = {key: value for key, value in lock.items() if key != "v"}
    return {**plan_lock, "agents": agents} if agents else dict(plan_lock)


async def refuse_circle(
    row: DefinitionRow,
    content: Mapping[str, Any],
    current: Callable[[str], Awaitable[tuple[DefinitionRow, VersionRow | None]]],
) -> None:
    """Look through the agents that a new version of `row` would reach, in their current versions.

    Raises:
        DefinitionError: one of them runs `row`.
    """
    seen: set[str] = set()
    todo: list[tuple[str, tuple[str, ...]]] = [(ref, (row.name,)) for ref in child_refs(content)]
    while todo:
        ref, path = todo.pop()
        if ref in seen:
            continue
        seen.add(ref)
        found, version = await current(ref)
        if found.id == row.id:
            raise circle([*path, row.name])
        if version is not None:
            todo += [(below, (*path, found.name)) for below in child_refs(version.data)]
