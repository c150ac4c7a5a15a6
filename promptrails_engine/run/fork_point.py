"""Where a fork parts from the run that it is made of: which of the outcomes on record come before that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from promptrails_engine.errors import ValidationError
from promptrails_engine.run.plan import Plan

_ITEM = re.compile(r"\[(\d+)\]")
_TURN = re.compile(r"(?:/repair\[(\d+)\])?(?:/llm\[(\d+)\](?:/tool\[(\d+)\])?)?(?=/|$)")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands: in which part of the agent, and how far in it."""

    part: str
    """Key of a prompt step or node."""
    item: int | None
    """Of a node that runs for each item of a list."""
    turn: tuple[int, int] | None
    """Number of the repair, from 1 (0: none), and of the model call in it; None is the part as a whole."""
    call: int | None
    """Number of the tool call that the model's answer asks for."""

    @property
    def key(self) -> str:
        """The shortest key of a step here."""
        item = "" if self.item is None else f"[{self.item}]"
        if self.turn is None:
            return f"{self.part}{item}"
        repair = f"/repair[{self.turn[0] - 1}]" if self.turn[0] else ""
        call = "" if self.call is None else f"/tool[{self.call}]"
        return f"{self.part}{item}{repair}/llm[{self.turn[1]}]{call}"


class StepMap:
    """The parts of a plan, and which of them come after which."""

    def __init__(self, plan: Plan) -> None:
        self._after = _parts(plan)
        self._places = {part: number for number, part in enumerate(self._after)}
        nodes = () if plan.workflow is None else plan.workflow.nodes.values()
        self._lists = frozenset(node.key for node in nodes if node.map_over is not None)

    def place(self, key: str) -> Place | None:
        """Where the step with this key stands; None of one that is in no part, such as the check of the input."""
        parts = [part for part in self._after if self._holds(part, key)]
        if not parts:
            return None
        part = max(parts, key=len)
        rest = key[len(part) :]
        item = _ITEM.match(rest) if part in self._lists else None
        found = _TURN.match(rest if item is None else rest[item.end() :])
        if found is None:
            return None
        repair, turn, call = (None if number is None else int(number) for number in found.groups())
        whole = repair is None and turn is None
        return Place(
            part,
            None if item is None else int(item[1]),
            None if whole else (0 if repair is None else repair + 1, turn or 0),
            call,
        )

    def find(self, at: str, seen: Iterable[str]) -> Place:
        """The place of the step with the key `at`; `seen` are the keys that are on record.

        The parts of the agent are known too, for the run may be in the middle of one.

        Raises:
            ValidationError: it is not among these.
        """
        keys = {*seen, *self._after}
        places = {place for place in map(self.place, keys) if place is not None}
        whole = {Place(place.part, item, None, None) for place in places for item in (None, place.item)}
        calls = {Place(place.part, place.item, place.turn, None) for place in places}
        known = sorted(places | whole | calls, key=self._order)
        found = self.place(at)
        if found is None or (at not in keys and at not in {place.key for place in known}):
            names = [place.key for place in known]
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise ValidationError(
                f"the run has no step {at!r} to fork at; there are: {', '.join(names[:_SHOWN])}{more}",
                details={"steps": names},
            )
        return found

    def is_before(self, key: str, at: Place) -> bool:
        """Whether the step with this key neither is at `at` or below it, nor comes after it.

        What runs beside it does neither: other branches of a graph or multi_agent, other items of a list, and other
        tool calls of the same answer.
        """
        place = self.place(key)
        if place is None or place.part in self._after[at.part]:
            return False
        if place.part != at.part or (at.item is not None and place.item != at.item):
            return True
        if at.turn is None or place.turn is None:
            return False
        if place.turn != at.turn:
            return place.turn < at.turn
        return at.call is not None and place.call != at.call

    def _holds(self, part: str, key: str) -> bool:
        if not key.startswith(part):
            return False
        following = key[len(part) : len(part) + 1]
        return following in ("", "/") or (following == "[" and part in self._lists)

    def _order(self, place: Place) -> Any:
        item = -1 if place.item is None else place.item
        call = -1 if place.call is None else place.call
        return self._places[place.part], item, place.turn or (-1, -1), call


def _parts(plan: Plan) -> Mapping[str, frozenset[str]]:
    """The keys of all prompt steps and nodes, in the order of the plan, each with those that come after it."""
    if plan.workflow is not None:
        graph, nodes = plan.workflow.graph, plan.workflow.nodes
        above = {name: graph.ancestors(name) for name in graph.order}
        return {
            nodes[name].key: frozenset(nodes[other].key for other in graph.order if name in above[other])
            for name in graph.order
        }
    keys = [step.key for step in plan.steps]
    if plan.gather is None:
        return {key: frozenset(keys[place + 1 :]) for place, key in enumerate(keys)}
    router, aggregator = plan.gather.router, plan.gather.aggregator
    last = frozenset(() if aggregator is None else (aggregator.key,))
    return {key: frozenset(keys) - {key} if router is not None and key == router.key else last - {key} for key in keys}
