"""What can be wrong with the expressions and templates of a workflow, found before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptrails_engine.definitions.configs import WorkflowAgentConfig, WorkflowNode
from promptrails_engine.errors import DefinitionError, TemplateError
from promptrails_engine.run.compiled import Compiled
from promptrails_engine.run.expressions import CompiledMapping, Expression, compile_expression
from promptrails_engine.run.graph import Graph, compile_graph
from promptrails_engine.schema.kinds import is_object


def condition_of(node: WorkflowNode) -> Expression | None:
    """The compiled condition.

    Raises:
        TemplateError: it cannot be compiled.
    """
    return None if node.condition is None else compile_expression(node.condition, name=f"condition of node {node.id}")


def map_over_of(node: WorkflowNode) -> Expression | None:
    """The compiled expression for the list.

    Raises:
        TemplateError: it cannot be compiled.
    """
    return None if node.map_over is None else compile_expression(node.map_over, name=f"map_over of node {node.id}")


def mapping_of(node: WorkflowNode) -> CompiledMapping | None:
    """The compiled mapping.

    Raises:
        TemplateError: a value in it cannot be compiled.
    """
    if node.input_mapping is None:
        return None
    return CompiledMapping(node.input_mapping, f"input_mapping of node {node.id}")


def check_workflow(
    config: WorkflowAgentConfig,
    input_schema: Mapping[str, Any] | None,
    templates: Mapping[str, Sequence[Compiled]],
) -> Graph:
    """The graph of the workflow, if its expressions, and the prompts' templates given by node id, can be used in it.

    Raises:
        DefinitionError: they do not compile, read nodes that come neither before nor exist, or a condition is never
            true; the message lists all.
    """
    graph = compile_graph([(node.id, node.depends_on) for node in config.nodes], "node")
    declared = input_schema.get("properties") if is_object(input_schema) else None
    checker = _Checker(graph, frozenset(declared) if is_object(declared) else None)
    complaints: list[str] = []
    for node in config.nodes:
        try:
            complaints += checker.complaints(node, templates.get(node.id, ()))
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

    def complaints(self, node: WorkflowNode, templates: Sequence[Compiled]) -> Iterator[str]:
        condition, over, mapping = condition_of(node), map_over_of(node), mapping_of(node)
        if condition is not None and condition.constant and not condition.holds({}):
            yield f"node '{node.id}' can never run: its condition is always false ({node.condition})"
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
        self, node: WorkflowNode, read: Compiled, where: str, given: frozenset[str] = frozenset()
    ) -> Iterator[str]:
        """Complaints about what `read` reads of nodes that do not come before it."""
        before = self._graph.ancestors(node.id)
        if "steps" in read.variables and "steps" not in given:
            for name in sorted(read.members("steps") - before):
                known = name in self._graph.parents
                why = "on which it does not depend" if known else "which does not exist"
                yield f"{where} of node '{node.id}' reads steps.{name}, {why}"
        if self._inputs is None:
            return  # a name may be one of the input as well
        for name in sorted(read.variables & (self._graph.parents.keys() - before - self._inputs - given)):
            yield f"{where} of node '{node.id}' reads '{name}', a node on which it does not depend"
