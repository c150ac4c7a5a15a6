"""What can be wrong with the expressions and templates of a graph, found before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptrails_engine.definitions.configs import AnyAgentConfig, CompositeAgentConfig, WorkflowAgentConfig
from promptrails_engine.definitions.graph_nodes import CompositeStep, WorkflowNode
from promptrails_engine.errors import DefinitionError, TemplateError
from promptrails_engine.run.compiled import Compiled
from promptrails_engine.run.expressions import CompiledMapping, Expression, compile_expression
from promptrails_engine.run.graph import Graph, compile_graph
from promptrails_engine.schema.kinds import is_object

Part = WorkflowNode | CompositeStep
"""A part of a graph: what they have in common is the same field by field."""


def parts_of(config: AnyAgentConfig) -> Sequence[Part]:
    """The parts of a graph; none of an agent that is none."""
    if isinstance(config, WorkflowAgentConfig):
        return config.nodes
    return config.steps if isinstance(config, CompositeAgentConfig) else ()


def noun_of(part: Part) -> str:
    """What messages call it."""
    return "node" if isinstance(part, WorkflowNode) else "step"


def condition_of(node: Part) -> Expression | None:
    """The compiled condition.

    Raises:
        TemplateError: it cannot be compiled.
    """
    return _expression(node, "condition", node.condition)


def map_over_of(node: Part) -> Expression | None:
    """The compiled expression for the list.

    Raises:
        TemplateError: it cannot be compiled.
    """
    return _expression(node, "map_over", node.map_over)


def mapping_of(node: Part) -> CompiledMapping | None:
    """The compiled mapping.

    Raises:
        TemplateError: a value in it cannot be compiled.
    """
    if node.input_mapping is None:
        return None
    return CompiledMapping(node.input_mapping, f"input_mapping of {noun_of(node)} {node.id}")


def _expression(node: Part, field: str, source: str | None) -> Expression | None:
    return None if source is None else compile_expression(source, name=f"{field} of {noun_of(node)} {node.id}")


def check_graph(
    parts: Sequence[Part],
    input_schema: Mapping[str, Any] | None,
    templates: Mapping[str, Sequence[Compiled]],
) -> Graph:
    """The graph of the parts, if their expressions, and the prompts' templates given by node id, can be used in it.

    Raises:
        DefinitionError: they do not compile, read nodes that come neither before nor exist, or a condition is never
            true; the message lists all.
    """
    graph = compile_graph([(part.id, part.depends_on) for part in parts], noun_of(parts[0]))
    declared = input_schema.get("properties") if is_object(input_schema) else None
    checker = _Checker(graph, frozenset(declared) if is_object(declared) else None)
    complaints: list[str] = []
    for part in parts:
        try:
            complaints += checker.complaints(part, templates.get(part.id, ()))
        except TemplateError as error:
            complaints.append(error.message)
    if complaints:
        raise DefinitionError("; ".join(complaints), details={"errors": complaints})
    return graph


class _Checker:
    def __init__(self, graph: Graph, inputs: frozenset[str] | None) -> None:
        self._graph = graph
        self._inputs = inputs
        """The names that the input has; None where that is not known."""

    def complaints(self, node: Part, templates: Sequence[Compiled]) -> Iterator[str]:
        condition, over, mapping = condition_of(node), map_over_of(node), mapping_of(node)
        if condition is not None and condition.constant and not condition.holds({}):
            yield f"{noun_of(node)} '{node.id}' can never run: its condition is always false ({node.condition})"
        for expression, what in ((condition, "the condition"), (over, "map_over")):
            if expression is not None:
                yield from self._unreachable(node, expression, what)
        mapped = frozenset[str]()
        if mapping is not None:
            mapped = frozenset(node.input_mapping or ())
            for key, value in mapping.compiled.items():
                yield from self._unreachable(node, value, f"input_mapping.{key}")
        for template in templates:
            yield from self._unreachable(node, template, f"the {template.name} of the prompt", mapped)

    def _unreachable(
        self, node: Part, read: Compiled, where: str, given: frozenset[str] = frozenset()
    ) -> Iterator[str]:
        """Complaints about what `read` reads of nodes that do not come before it."""
        before = self._graph.ancestors(node.id)
        if "steps" in read.variables and "steps" not in given:
            for name in sorted(read.members("steps") - before):
                known = name in self._graph.parents
                why = "on which it does not depend" if known else "which does not exist"
                yield f"{where} of {noun_of(node)} '{node.id}' reads steps.{name}, {why}"
        if self._inputs is None:
            return  # a name may be one of the input as well
        for name in sorted(read.variables & (self._graph.parents.keys() - before - self._inputs - given)):
            noun = noun_of(node)
            yield f"{where} of {noun} '{node.id}' reads '{name}', a {noun} on which it does not depend"
