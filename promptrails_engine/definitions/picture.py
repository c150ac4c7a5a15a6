"""An agent as boxes and arrows, and what became of them in one run; without any drawing yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from promptrails_engine.definitions.configs import (
    AnyAgentConfig,
    ChainAgentConfig,
    CompositeAgentConfig,
    MultiAgentConfig,
    SimpleAgentConfig,
)
from promptrails_engine.definitions.graph_nodes import CompositeStep, WorkflowNode

BoxState = Literal["done", "skipped", "failed", "cancelled", "not run"]


@dataclass(frozen=True, slots=True)
class BoxRun:
    """What became of a box in one run: time in milliseconds, cost in USD (None where a price is unknown)."""

    state: BoxState
    duration_ms: int | None = None
    cost: float | None = None

    @property
    def line(self) -> str:
        if self.state in ("skipped", "not run") or self.duration_ms is None:
            return self.state
        cost = "cost unknown" if self.cost is None else f"{self.cost:.6f}".rstrip("0").rstrip(".") + " USD"
        time = f"{self.duration_ms} ms" if self.duration_ms < 1000 else f"{self.duration_ms / 1000:.1f} s"
        return f"{self.state}, {time}, {cost}"


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an agent: its key among the steps of a run, what it is called, what it is, and when it runs."""

    key: str
    title: str
    kind: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes, and arrows between them by key; what has no arrow into it starts from the input."""

    name: str
    boxes: tuple[Box, ...]
    arrows: tuple[tuple[str, str], ...]
    run: Mapping[str, BoxRun] | None = None
    """By key of the box, where a run is shown."""

    @property
    def starts(self) -> tuple[str, ...]:
        led_to = {end for _, end in self.arrows}
        return tuple(box.key for box in self.boxes if box.key not in led_to)

    @property
    def ends(self) -> tuple[str, ...]:
        left = {start for start, _ in self.arrows}
        return tuple(box.key for box in self.boxes if box.key not in left)


def picture_of(name: str, config: AnyAgentConfig, names: Mapping[str, str]) -> Picture:
    """The agent's picture; `names` are those of prompts and agents by id."""
    if isinstance(config, SimpleAgentConfig):
        return Picture(name, (_prompt("prompt", name, config.prompt_id, names),), ())
    if isinstance(config, ChainAgentConfig):
        links = sorted(config.prompt_ids, key=lambda link: link.sort_order)
        boxes = tuple(_prompt(f"steps[{n}]", link.role, link.prompt_id, names) for n, link in enumerate(links))
        return Picture(name, boxes, tuple((one.key, two.key) for one, two in pairwise(boxes)))
    if isinstance(config, MultiAgentConfig):
        links = config.prompt_ids
        return Picture(
            name, tuple(_prompt(f"roles[{link.role}]", link.role, link.prompt_id, names) for link in links), ()
        )
    if isinstance(config, CompositeAgentConfig):
        agents = tuple(
            _agent(f"steps[{step.id}]", step.id, step.agent_id, names, *_rules(step)) for step in config.steps
        )
        return Picture(name, agents, _arrows("steps", ((step.id, step.depends_on) for step in config.steps)))
    nodes = tuple(_node(node, names) for node in config.nodes)
    return Picture(name, nodes, _arrows("nodes", ((node.id, node.depends_on) for node in config.nodes)))


def _arrows(list_name: str, edges: Iterable[tuple[str, list[str]]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{list_name}[{parent}]", f"{list_name}[{name}]")
        for name, parents in edges
        for parent in dict.fromkeys(parents)
    )


def _prompt(key: str, title: str, prompt_id: str, names: Mapping[str, str], *rules: str) -> Box:
    return Box(key, title, "prompt", (f"prompt {names.get(prompt_id, prompt_id)}", *rules))


def _node(node: WorkflowNode, names: Mapping[str, str]) -> Box:
    key = f"nodes[{node.id}]"
    rules = _rules(node)
    if node.tool is not None:
        return Box(key, node.id, "tool", (f"tool {node.tool}", *rules))
    if node.data_source is not None:
        return Box(key, node.id, "datasource", (f"query of {node.data_source}", *rules))
    if node.agent_id is not None:
        return _agent(key, node.id, node.agent_id, names, *rules)
    if node.node_type == "media":
        by = f"{node.media_type} by {node.media_provider}/{node.media_model}"
        return Box(key, node.id, "media", (by, *rules))
    return _prompt(key, node.id, node.prompt_id or "", names, *rules)


def _agent(key: str, title: str, agent_id: str, names: Mapping[str, str], *rules: str) -> Box:
    return Box(key, title, "agent", (f"agent {names.get(agent_id, agent_id)}", *rules))


def _rules(node: WorkflowNode | CompositeStep) -> list[str]:
    rules: list[str] = []
    if node.condition is not None:
        rules.append(f"if {_bare(node.condition)}")
    if node.map_over is not None:
        rules.append(f"for each of {_bare(node.map_over)}")
    if node.join is not None and node.join != "any":
        rules.append(f"join {node.join}")
    return rules


def _bare(expression: str) -> str:
    return expression.strip().removeprefix("{{").removesuffix("}}").strip("- ")
