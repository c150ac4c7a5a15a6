"""What changes for a run that goes from the versions of one lock to those of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from promptrails_engine.catalog.pins import AgentPins, Pin, Pins, PromptPin, read_lock
from promptrails_engine.errors import ConfigurationError

_DIGEST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class LockChange:
    """One version that differs, came or went.

    Attributes:
        agent_id: the agent of the tree in which it does; "" of a prompt that runs by itself.
        kind: what has changed: the version of the agent, or of a prompt in it; the digest of a tool; or the model of a
            prompt that is in both.
        name_or_id: the id of the agent or prompt, or the name of the tool.
        old: label of the version (with the beginning of its digest where both are labelled alike), digest of the tool,
            or name of the model; None where it came.
        new: the same afterwards; None where it went.
    """

    agent_id: str
    kind: Literal["agent", "prompt", "tool", "model"]
    name_or_id: str
    old: str | None
    new: str | None


def compare_locks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[LockChange]:
    """The changes from one version lock to the other: the agent that runs first, then those below it by id.

    Of each agent come its own version, its prompts by id, each followed by its model, and its tools by name.

    Raises:
        ConfigurationError: one is of another format, or not a lock.
    """
    first, second = read_lock(old), read_lock(new)
    before, after = _parts(first), _parts(second)
    roots = [_id(first), _id(second)]
    below = sorted((before.keys() | after.keys()).difference(roots))
    return [
        change
        for agent_id in dict.fromkeys([*roots, *below])
        for change in _agent(agent_id, before.get(agent_id, _NOTHING), after.get(agent_id, _NOTHING))
    ]


def refuse_other(lock: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Hold the lock of a plan against the one that it was made from; tools may differ.

    Raises:
        ConfigurationError: they name different versions or models.
    """
    for change in compare_locks(lock, found):
        if change.kind != "tool":
            raise ConfigurationError(
                f"the version lock and the versions that it names disagree about {change.kind} "
                f"'{change.name_or_id}': {change.old} in the lock, {change.new} in the definitions; start the run anew"
            )


_NOTHING = AgentPins()


def _parts(pins: Pins) -> dict[str, AgentPins]:
    return {_id(pins): pins, **pins.agents}


def _id(pins: AgentPins) -> str:
    return "" if pins.agent is None else pins.agent.id


def _agent(agent_id: str, old: AgentPins, new: AgentPins) -> Iterator[LockChange]:
    if not _same(old.agent, new.agent):
        yield LockChange(agent_id, "agent", agent_id, *_labels(old.agent, new.agent))
    before, after = _prompts(old), _prompts(new)
    for prompt_id in sorted(before.keys() | after.keys()):
        one, other = before.get(prompt_id), after.get(prompt_id)
        if not _same(one, other):
            yield LockChange(agent_id, "prompt", prompt_id, *_labels(one, other))
        if one is not None and other is not None and one.model != other.model:
            yield LockChange(agent_id, "model", prompt_id, one.model, other.model)
    for name in sorted(old.tools.keys() | new.tools.keys()):
        was, now = old.tools.get(name), new.tools.get(name)
        if was != now:
            yield LockChange(agent_id, "tool", name, was, now)


def _prompts(pins: AgentPins) -> dict[str, PromptPin]:
    return {pin.id: pin for pin in pins.prompts}


def _same(old: Pin | None, new: Pin | None) -> bool:
    if old is None or new is None:
        return old is new
    return (old.version_id, old.version, old.digest) == (new.version_id, new.version, new.digest)


def _labels(old: Pin | None, new: Pin | None) -> tuple[str | None, str | None]:
    alike = old is not None and new is not None and old.version == new.version
    return _label(old, alike), _label(new, alike)


def _label(pin: Pin | None, with_digest: bool) -> str | None:
    if pin is None or not with_digest:
        return None if pin is None else pin.version
    return f"{pin.version} ({pin.digest[:_DIGEST_SHOWN]})"
