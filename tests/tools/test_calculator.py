"""The calculator: right results, exact whole numbers, and nothing but arithmetic."""

from __future__ import annotations

import ast
import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.errors import ToolError
from promptrails_engine.testing.contexts import tool_context
from promptrails_engine.tools.builtin import builtin
from promptrails_engine.tools.builtin.arithmetic import MAX_BITS
from promptrails_engine.tools.builtin.calculator import MAX_LENGTH, evaluate


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-2 ** 2", -4),
        ("2 ** -1", 0.5),
        ("2 ** 3 ** 2", 512),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("-7 % 3", 2),
        ("7 / 2", 3.5),
        ("10 ** 30 / 10", 10**29),
        ("10 ** 30 + 1", 10**30 + 1),
        ("1 ** 10 ** 40", 1),
        ("(-1) ** (10 ** 40 + 1)", -1),
        ("sqrt(10 ** 1000)", 10**500),
        ("sqrt(2)", math.sqrt(2)),
        ("abs(-3.5)", 3.5),
        ("round(2.567, 2)", 2.57),
        ("round(2.5)", 2),
        ("round(1234, -2)", 1200),
        ("min(3, 1, 2) + max([4, 5])", 6),
        ("sum([1, 2, 3.5])", 6.5),
        ("sum(1, 2)", 3),
        ("sum([])", 0),
        ("floor(-1.5) + ceil(1.2)", 0),
        ("log(e) + log10(1000) + log(8, 2)", 7.0),
        ("exp(0) + sin(0) + cos(0) + tan(0)", 2.0),
        ("2 * pi", 2 * math.pi),
        ("12 \u00d7 3 \u00f7 4 \u2212 1", 8),
        ("  1 +\t1 ", 2),
        ("1_000 + 0x10", 1016),
        ("1e3", 1000.0),
    ],
)
def test_values(expression: str, value: float) -> None:
    result = evaluate(expression)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("9**9**9", "bits"),
        ("9**9**9**9", "bits"),
        ("2**8192", "bits"),
        ("10**2000 * 10**2000", "bits"),
        ("sum([" + "2**8191," * 3 + "])", "bits"),
        ("1e308 * 10", "finite"),
        ("1e999", "finite"),
        ("-1e999", "finite"),
        ("10.0 ** 400", "too large"),
        ("exp(1000)", "too large"),
        ("10**400 / 3", "too large"),
        ("(-8) ** (1/3)", "real number"),
        ("1j", "complex"),
        ("sqrt(-1)", "no real value"),
        ("log(0)", "no real value"),
        ("log(-1)", "no real value"),
        ("log(10, 1)", "Division by zero"),
        ("1 / 0", "Division by zero"),
        ("1 % 0", "Division by zero"),
        ("0 ** -1", "Division by zero"),
        ("round(1, 10**9)", "whole n"),
        ("round(10**2000, -10**9)", "whole n"),
        ("2 ^ 3", r"write \*\*"),
        ("1 << 100000000", "LShift"),
        ("~1", r"\+ and -"),
        ("not 1", r"\+ and -"),
        ("1,000 + 1", "thousands"),
        ("'a' * 3", "str"),
        ("b'a'", "bytes"),
        ("True + 1", "bool"),
        ("None", "NoneType"),
        ("...", "ellipsis"),
        ("f'{1}'", "JoinedStr"),
        ("x", "'x' is not known"),
        ("inf", "'inf' is not known"),
        ("__builtins__", "not known"),
        ("(1).real", "Attribute"),
        ("().__class__.__bases__", "Attribute"),
        ("[1][0]", "Subscript"),
        ("[1, 2]", "List"),
        ("{1: 2}", "Dict"),
        ("[x for x in [1]]", "ListComp"),
        ("sum(x for x in [1])", "GeneratorExp"),
        ("lambda: 1", "Lambda"),
        ("1 if 1 else 2", "IfExp"),
        ("1 < 2", "Compare"),
        ("1 and 2", "BoolOp"),
        ("(x := 1)", "NamedExpr"),
        ("sum(*[1, 2])", "Starred"),
        ("round(1.5, ndigits=0)", "plain numbers"),
        ("(abs)(1)(2)", "Only these"),
        ("__import__('os').system('true')", "Only these"),
        ("__import__('os')", "no function here"),
        ("eval('1')", "no function here"),
        ("factorial(9)", "no function here"),
        ("pi(1)", "no function here"),
        ("sqrt()", "takes 1 number"),
        ("sqrt(1, 2)", "takes 1 number"),
        ("round(1, 2, 3)", "takes 1 to 2"),
        ("max()", "at least 1"),
        ("max([])", "at least 1"),
        ("await x", "Await|cannot be read"),
        ("yield", "Yield|cannot be read"),
        ("1; 2", "cannot be read"),
        ("import os", "cannot be read"),
        ("x = 1", "cannot be read"),
        ("1 +", "cannot be read"),
        ("", "cannot be read"),
        ("1\x00", "null bytes"),
        ("1\n2", "cannot be read"),
        ("(" * 60 + "1" + ")" * 59, "cannot be read"),
        ("(" * 900 + "1" + ")" * 900, "cannot be read|too deep"),
        ("-" * 51 + "1", "levels deep"),
        ("-" * (MAX_LENGTH - 1) + "1", "deep"),
        ("abs(" * 60 + "1" + ")" * 60, "levels deep"),
        ("1+" * MAX_LENGTH + "1", "longer than"),
        ("9" * MAX_LENGTH + "0", "longer than"),
    ],
)
def test_refusals(expression: str, reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        evaluate(expression)


def test_long_sums_are_not_deep() -> None:
    assert evaluate("+".join(["1"] * (MAX_LENGTH // 2))) == MAX_LENGTH // 2


def test_the_largest_whole_number_can_be_printed() -> None:
    assert len(str(evaluate(f"2 ** {MAX_BITS - 1}"))) == 2466


NUMBERS = st.integers(-(10**6), 10**6).map(str) | st.decimals(-1000, 1000, places=3).map(str)
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner),
    max_leaves=12,
)


def _reference(expression: str) -> Any:
    try:
        return eval(expression, {"__builtins__": {}})
    except (ArithmeticError, ValueError):
        return None


@given(EXPRESSIONS.filter(lambda text: "**" not in text))
def test_it_agrees_with_python(expression: str) -> None:
    expected = _reference(expression)
    try:
        value = evaluate(expression)
    except ToolError:
        assert expected is None or not math.isfinite(expected)
    else:
        assert expected is not None
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(
    st.recursive(st.integers(-99, 99).map(str), lambda i: st.builds("({}{}{})".format, i, st.sampled_from("+-*"), i))
)
def test_whole_numbers_are_exact(expression: str) -> None:
    value = evaluate(expression)
    assert isinstance(value, int)
    assert Fraction(value) == Fraction(eval(expression))


@given(st.text(max_size=60) | EXPRESSIONS)
def test_any_text_gives_a_finite_number_or_a_tool_error(text: str) -> None:
    try:
        value = evaluate(text)
    except ToolError:
        return
    assert type(value) in (int, float)
    assert math.isfinite(value) if isinstance(value, float) else value.bit_length() <= MAX_BITS


def test_every_expression_node_but_five_is_refused() -> None:
    samples = {
        ast.BoolOp: "1 or 2", ast.NamedExpr: "(a := 1)", ast.Lambda: "lambda: 1", ast.IfExp: "1 if 1 else 1",
        ast.Dict: "{}", ast.Set: "{1}", ast.ListComp: "[1 for a in b]", ast.SetComp: "{1 for a in b}",
        ast.DictComp: "{1: 1 for a in b}", ast.GeneratorExp: "(1 for a in b)", ast.Compare: "1 == 1",
        ast.JoinedStr: "f''", ast.Attribute: "a.b", ast.Subscript: "a[1]", ast.List: "[1]", ast.Tuple: "(1,)",
    }  # fmt: skip
    for node, text in samples.items():
        assert isinstance(ast.parse(text, mode="eval").body, node)
        with pytest.raises(ToolError):
            evaluate(text)


async def test_the_tool_returns_the_number() -> None:
    assert await builtin("math").call({"expression": "6 * 7"}, tool_context()) == 42
    assert builtin("math").effect == "pure"
