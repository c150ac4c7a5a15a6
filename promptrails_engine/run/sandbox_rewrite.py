"""Parsed templates: what is refused in them, and how they are rewritten for the sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from math import isfinite
from typing import TypeVar, cast

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.visitor import NodeTransformer

EACH, TICK, COMPARE, CONCAT, SLICE, METHOD, KEY = (
    " each", " tick", " compare", " concat", " slice", " method", " key",
)  # fmt: skip
"""Filters that only rewritten templates can name: a space is no part of a name."""

_N = TypeVar("_N", bound=nodes.Node)

MAX_NODES = 20_000
"""Nodes of a parsed template."""


class RefusedNodeError(Exception):
    """Something in the template that is not allowed, with its line where that is known."""

    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line = line


_NO_LOADER = "templates stand alone, there is nothing to load: put the text into this template, or into a variable"
_REFUSED_STATEMENTS: dict[type[nodes.Node], str] = {
    nodes.Include: f"'include' is not available: {_NO_LOADER}",
    nodes.Import: f"'import' is not available: {_NO_LOADER}",
    nodes.FromImport: f"'from ... import' is not available: {_NO_LOADER}",
    nodes.Extends: f"'extends' is not available: {_NO_LOADER}",
    nodes.Scope: "'autoescape' is not available: the text is for a model, not for a web page",
    nodes.Block: "'block' is not available: there is no other template that could replace it; write its body alone",
}
_STATEMENTS = (
    nodes.Output, nodes.For, nodes.If, nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.With, nodes.Assign,
    nodes.AssignBlock, nodes.ExprStmt,
)  # fmt: skip
_EXPRESSIONS = (
    nodes.BinExpr, nodes.UnaryExpr, nodes.Name, nodes.NSRef, nodes.Const, nodes.TemplateData, nodes.Tuple, nodes.List,
    nodes.Dict, nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Call, nodes.Getitem, nodes.Getattr, nodes.Slice,
    nodes.Concat, nodes.Compare,
)  # fmt: skip
_HELPERS = (nodes.Pair, nodes.Keyword, nodes.Operand, nodes.Template)
_ALLOWED = (*_STATEMENTS, *_EXPRESSIONS, *_HELPERS)

_REPEATING = (nodes.For, nodes.Macro, nodes.CallBlock, nodes.Call, nodes.FilterBlock, nodes.AssignBlock)


def can_repeat(tree: nodes.Template) -> bool:
    """Whether a part of the template can run, or be written, more often than it stands there."""
    return next(iter(tree.find_all(_REPEATING)), None) is not None


def refuse_forbidden(tree: nodes.Template, filters: Iterable[str], tests: Iterable[str]) -> None:
    """Go through all nodes of a template as parsed.

    Raises:
        RefusedNodeError: the first that is not allowed.
    """
    known_filters, known_tests = frozenset(filters), frozenset(tests)
    todo: list[nodes.Node] = [tree]
    count = 0
    while todo:
        node = todo.pop()
        count += 1
        if count > MAX_NODES:
            raise RefusedNodeError(node.lineno, f"it has more than {MAX_NODES} parts; shorten it")
        if not isinstance(node, _ALLOWED):
            message = _REFUSED_STATEMENTS.get(type(node), f"'{type(node).__name__}' is not available in templates")
            raise RefusedNodeError(node.lineno, message)
        _refuse_names(node)
        if isinstance(node, nodes.Filter) and node.name not in known_filters:
            raise _unknown(node, "filter", known_filters)
        if isinstance(node, nodes.Test) and node.name not in known_tests:
            raise _unknown(node, "test", known_tests)
        todo.extend(reversed(list(node.iter_child_nodes())))


def _unknown(node: nodes.Filter | nodes.Test, kind: str, known: frozenset[str]) -> RefusedNodeError:
    close = get_close_matches(node.name, sorted(known), n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return RefusedNodeError(node.lineno, f"there is no {kind} '{node.name}'{hint}")


def _refuse_names(node: nodes.Node) -> None:
    if isinstance(node, nodes.Name) and node.name == "self":
        raise RefusedNodeError(node.lineno, "'self' is not available here; give the variable another name")
    if isinstance(node, nodes.Const) and isinstance(node.value, float) and not isfinite(node.value):
        raise RefusedNodeError(node.lineno, "a number in it is too big")
    name = _attribute(node)
    if name.startswith("__") and name.endswith("__") and len(name) > 4:
        raise RefusedNodeError(node.lineno, f"the name '{name}' cannot be read in a template")


def _attribute(node: nodes.Node) -> str:
    """The attribute that a node reads by a name written in the template, or ""."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return node.arg.value
    return node.name if isinstance(node, nodes.Name) else ""


# ------------------------------------------------------------------ rewriting


class Rewriter(NodeTransformer):
    """Sends what can grow, call or take long through functions of the sandbox."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.iter = _filter(cast("nodes.Expr", node.iter), EACH)
        if node.test is not None:
            # The condition of a loop has no body of its own in which its turns could be counted.
            turn = nodes.Const(weight([node.test]), lineno=node.lineno)
            tick = _filter(nodes.Const(True, lineno=node.lineno), TICK, [turn])
            node.test = _placed(nodes.And(tick, cast("nodes.Expr", node.test)), node)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Expr:
        self.generic_visit(node)
        if len(node.ops) == 1 and node.ops[0].op in ("eq", "ne"):
            sides = (node.expr, node.ops[0].expr)
            if any(isinstance(side, nodes.Const) for side in sides):
                return node  # with a constant on one side it ends at the first difference
        rest: list[nodes.Expr] = []
        for operand in node.ops:
            rest += [nodes.Const(operand.op, lineno=node.lineno), operand.expr]
        return _filter(node.expr, COMPARE, rest)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:
        self.generic_visit(node)
        return _filter(node.nodes[0], CONCAT, list(node.nodes[1:]))

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        bounds = (node.arg.start, node.arg.stop, node.arg.step)
        none = nodes.Const(None, lineno=node.lineno)
        return _filter(node.node, SLICE, [none if bound is None else bound for bound in bounds])

    def visit_Call(self, node: nodes.Call) -> nodes.Expr:
        self.generic_visit(node)
        if not isinstance(node.node, nodes.Getattr):
            return node
        method = _filter(node.node.node, METHOD, [nodes.Const(node.node.attr, lineno=node.lineno), *node.args])
        method.kwargs = node.kwargs  # type: ignore[assignment]  # declared as Pair there; the parser puts Keyword in
        method.dyn_args, method.dyn_kwargs = node.dyn_args, node.dyn_kwargs
        return method

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.CallBlock:
        # Its call has to stay one: the body is handed over with it.
        for child in node.call.iter_child_nodes():
            self.visit(child)
        node.body = [self.visit(child) for child in node.body]
        node.defaults = [self.visit(child) for child in node.defaults]
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Pair:
        self.generic_visit(node)
        if not isinstance(node.key, nodes.Const):
            node.key = _filter(node.key, KEY)
        return node


def rewrite(tree: nodes.Template) -> nodes.Template:
    """The same template for the sandbox; `tree` is changed."""
    Rewriter().visit(tree)
    return tree


def _filter(node: nodes.Expr, name: str, args: list[nodes.Expr] | None = None) -> nodes.Filter:
    return _placed(nodes.Filter(node, name, args or [], [], None, None), node)


def _placed(made: _N, at: nodes.Node) -> _N:
    made.set_lineno(at.lineno)
    if at.environment is not None:
        made.set_environment(at.environment)
    return made


# ------------------------------------------------------------------ counting


class CountingGenerator(CodeGenerator):
    """Writes a count of operations at the head of each block, for templates that can repeat themselves."""

    def write_commons(self) -> None:
        super().write_commons()
        self.writeline("tick = context.meter.tick")
        self.writeline("concat = context.meter.concat")

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        block = list(nodes)
        self.writeline(f"tick({weight(block)})")
        super().blockvisit(block, frame)


_BODIES = ("body", "else_")
_COUNTED = (nodes.Filter, nodes.Test, nodes.Call, nodes.BinExpr)


def weight(block: Iterable[nodes.Node]) -> int:
    """The operations of one pass through a block, without the blocks inside it."""
    count = 1
    written = 0
    todo = list(block)
    while todo:
        node = todo.pop()
        count += isinstance(node, _COUNTED)
        if isinstance(node, nodes.Output):
            written += len(node.nodes)
        todo.extend(node.iter_child_nodes(exclude=_BODIES if isinstance(node, nodes.Stmt) else ()))
    return count + written // 8
