"""Arithmetic for models: an evaluator over a fixed list of syntax-tree nodes; nothing is ever executed as Python."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from promptrails_engine.errors import ToolError
from promptrails_engine.tools.builtin import arithmetic as do
from promptrails_engine.tools.builtin.arithmetic import CONSTANTS, FUNCTIONS, Number, checked
from promptrails_engine.tools.function import tool

MAX_LENGTH = 2000
MAX_DEPTH = 50
_LIST_FUNCTIONS = frozenset({"max", "min", "sum"})
# Signs as models write them: times, middle dot, divided by, minus and the en dash.
_SIGNS = str.maketrans({"\u00d7": "*", "\u00b7": "*", "\u00f7": "/", "\u2212": "-", "\u2013": "-"})

_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: do.add,
    ast.Sub: do.subtract,
    ast.Mult: do.multiply,
    ast.Div: do.divide,
    ast.FloorDiv: do.floor_divide,
    ast.Mod: do.modulo,
    ast.Pow: do.power,
}


def evaluate(expression: str) -> Number:
    """The value of an arithmetic expression: exact for whole numbers, else a float.

    Raises:
        ToolError: it is no arithmetic, too long, too deep or too large, or has no finite real value.
    """
    if len(expression) > MAX_LENGTH:
        raise ToolError(f"The expression is longer than {MAX_LENGTH} characters.")
    try:
        tree = ast.parse(expression.translate(_SIGNS).strip(), mode="eval")
        return _value(tree.body, 0)
    except SyntaxError as error:
        raise ToolError(f"The expression cannot be read: {error.msg}.") from error
    except ZeroDivisionError as error:
        raise ToolError("Division by zero.") from error
    except OverflowError as error:
        raise ToolError("The result is too large for a floating-point number.") from error
    except (RecursionError, MemoryError) as error:
        raise ToolError("The expression is nested too deep.") from error
    except ValueError as error:  # such as the logarithm of a negative number
        raise ToolError(f"The expression has no real value: {error}.") from error


def _value(node: ast.expr, depth: int) -> Number:
    if depth > MAX_DEPTH:
        raise ToolError(f"The expression is nested more than {MAX_DEPTH} levels deep.")
    visit = _VISITORS.get(type(node))
    if visit is None:
        hint = " Write numbers without thousands separators." if isinstance(node, ast.Tuple) else ""
        raise ToolError(
            f"{type(node).__name__} is not arithmetic. Use numbers, + - * / // % **, parentheses and {_names()}.{hint}"
        )
    return checked(visit(node, depth))


def _names() -> str:
    return ", ".join([*FUNCTIONS, *CONSTANTS])


def _constant(node: ast.expr, depth: int) -> Number:
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ToolError(f"A value of type {type(value).__name__} is not a number.")
    return value


def _name(node: ast.expr, depth: int) -> Number:
    name = node.id if isinstance(node, ast.Name) else ""
    if name not in CONSTANTS:
        raise ToolError(f"{name!r} is not known. Known names: {_names()}.")
    return CONSTANTS[name]


def _unary(node: ast.expr, depth: int) -> Number:
    if not isinstance(node, ast.UnaryOp) or not isinstance(node.op, ast.USub | ast.UAdd):
        raise ToolError("Of the signs before a number, only + and - are arithmetic.")
    value = _value(node.operand, depth + 1)
    return -value if isinstance(node.op, ast.USub) else value


def _binary(node: ast.expr, depth: int) -> Number:
    """A chain such as 1+2+3+... leans to the left; walking down it first keeps its depth at one level."""
    chain: list[ast.BinOp] = []
    while isinstance(node, ast.BinOp):
        chain.append(node)
        node = node.left
    result = _value(node, depth + 1)
    for link in reversed(chain):
        operation = _BINARY.get(type(link.op))
        if operation is None:
            hint = " (for a power write **)" if isinstance(link.op, ast.BitXor) else ""
            raise ToolError(f"The operator {type(link.op).__name__} is not arithmetic{hint}.")
        result = checked(operation(result, _value(link.right, depth + 1)))
    return result


def _call(node: ast.expr, depth: int) -> Number:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
        raise ToolError(f"Only these can be called, with plain numbers: {', '.join(FUNCTIONS)}.")
    name = node.func.id
    function = FUNCTIONS.get(name)
    if function is None:
        raise ToolError(f"{name!r} is no function here. Known functions: {', '.join(FUNCTIONS)}.")
    arguments = node.args
    if name in _LIST_FUNCTIONS and len(arguments) == 1 and isinstance(arguments[0], ast.List | ast.Tuple):
        arguments = arguments[0].elts
    return function.apply(name, [_value(argument, depth + 1) for argument in arguments])


_VISITORS: dict[type[ast.expr], Callable[[ast.expr, int], Number]] = {
    ast.BinOp: _binary,
    ast.Call: _call,
    ast.Constant: _constant,
    ast.Name: _name,
    ast.UnaryOp: _unary,
}


@tool(name="calculator", effect="pure")
async def calculator(
    expression: Annotated[str, Field(max_length=MAX_LENGTH, examples=["(12 + 30) * 1.19", "sqrt(2) ** 10"])],
) -> int | float:
    """Work out an arithmetic expression. Whole numbers are exact, angles are in radians.

    Operators: + - * / // % ** and parentheses. Functions: abs, ceil, cos, exp, floor, log(x, base), log10, max, min,
    round(x, digits), sin, sqrt, sum, tan. Constants: pi, e.

    Args:
        expression: What to work out, such as "(12 + 30) * 1.19".
    """
    return evaluate(expression)
