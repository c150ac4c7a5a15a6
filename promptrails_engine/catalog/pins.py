"""The versions that a run began with, as its version lock names them: what a plan is held to when it is made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any

from pydantic import AliasChoices, Field, TypeAdapter
from pydantic import ValidationError as PydanticValidationError

from promptrails_engine.definitions.checks import definition_error
from promptrails_engine.errors import ConfigurationError

LOCK_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Pin:
    """One version of one definition."""

    id: Annotated[str, Field(validation_alias=AliasChoices("id", "prompt_id"))]
    """Of the definition."""
    version_id: str
    version: str
    """The version's label."""
    digest: str


@dataclass(frozen=True, slots=True)
class PromptPin(Pin):
    """A version of a prompt, and the model that its steps called."""

    model: str


@dataclass(frozen=True, slots=True)
class SubAgentPin:
    """A sub-agent under the name by which the model calls it."""

    name: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class AgentPins:
    """The versions of one agent and its prompts; a prompt at several steps has one."""

    prompts: tuple[PromptPin, ...] = ()
    """One for each step."""
    agent: Pin | None = None
    """None of a prompt that runs by itself."""
    tools: dict[str, str] = field(default_factory=dict[str, str])
    """Digests by name: what the tools were, which nothing is held to."""
    sub_agents: tuple[SubAgentPin, ...] = ()

    def prompt(self, prompt_id: str) -> PromptPin:
        """The pin of one of its prompts.

        Raises:
            ConfigurationError: there is none.
        """
        for pin in self.prompts:
            if pin.id == prompt_id:
                return pin
        agent = "" if self.agent is None else f" of agent '{self.agent.id}'"
        raise _unusable(f"it names no version of prompt '{prompt_id}'{agent}")


@dataclass(frozen=True, slots=True)
class Pins(AgentPins):
    """The versions of a run: of its agent, and of all agents below it by id."""

    agents: dict[str, AgentPins] = field(default_factory=dict[str, AgentPins])

    def of(self, agent_id: str) -> AgentPins:
        """The pins of one agent of the tree.

        Raises:
            ConfigurationError: there are none.
        """
        if self.agent is not None and self.agent.id == agent_id:
            return self
        found = self.agents.get(agent_id)
        if found is None:
            raise _unusable(f"it names no version of agent '{agent_id}'")
        return found


def read_lock(lock: Mapping[str, Any]) -> Pins:
    """The versions that a lock names.

    Raises:
        ConfigurationError: it is of another format, or not a lock.
    """
    if lock.get("v") != LOCK_FORMAT:
        raise ConfigurationError(
            f"the version lock is of format {lock.get('v')!r}, and this version of promptrails-engine knows format "
            f"{LOCK_FORMAT} only; use the version of the library that wrote it, or start the run anew"
        )
    try:
        pins = _reader().validate_python(dict(lock))
    except PydanticValidationError as error:
        raise _unusable(definition_error(error, "it").message) from None
    _check(pins)
    return pins


@cache
def _reader() -> TypeAdapter[Pins]:
    """Made at the first use, for that takes a while."""
    return TypeAdapter(Pins)


def _check(pins: Pins) -> None:
    if pins.agent is None and (len(pins.prompts) != 1 or pins.agents):
        raise _unusable("it names no agent, and not one prompt by itself either")
    for agent_id, below in pins.agents.items():
        if below.agent is None or below.agent.id != agent_id:
            raise _unusable(f"what it says of agent '{agent_id}' is not of that agent")
    for part in (pins, *pins.agents.values()):
        for pin in part.prompts:
            if pin != part.prompt(pin.id):
                raise _unusable(f"it names two versions or models of prompt '{pin.id}' in one agent")


def _unusable(why: str) -> ConfigurationError:
    return ConfigurationError(f"the version lock cannot be used: {why}; start the run anew")
