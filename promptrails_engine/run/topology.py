"""Graphs worked out with networkx: loaded when the first graph is compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import networkx as nx

from promptrails_engine.errors import DefinitionError


def topological_order(parents: Mapping[str, Sequence[str]], what: str) -> tuple[str, ...]:
    """The names, each after all that it depends on, and else in the order in which they were given.

    Raises:
        DefinitionError: they depend on each other in a circle.
    """
    position = {name: index for index, name in enumerate(parents)}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(parents)
    graph.add_edges_from((parent, name) for name, before in parents.items() for parent in before)
    try:
        return tuple(nx.lexicographical_topological_sort(graph, key=position.__getitem__))
    except nx.NetworkXUnfeasible:
        found = cast("list[tuple[str, str]]", cast("Any", nx).find_cycle(graph))  # the stubs leave it untyped
        circle = [start for start, _ in found]
    first = circle.index(min(circle, key=position.__getitem__))
    circle = [*circle[first:], *circle[:first], circle[first]]
    raise DefinitionError(f"the {what}s depend on each other in a circle: {' -> '.join(circle)}")
