"""The tests of templates (`x is even`), with those of Jinja that print, format or compare wrapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import tests as stock
from jinja2.utils import pass_context

from promptrails_engine.run.sandbox_lists import number
from promptrails_engine.run.sandbox_operators import compare

Test = Callable[..., Any]


def _comparison(name: str) -> Test:
    @pass_context
    def apply(context: Any, value: Any, other: Any, /) -> Any:
        return compare(context.meter, value, name, other)

    return apply


@pass_context
def _divisible_by(context: Any, value: Any, other: Any, /) -> bool:
    return bool(number(value, "divisibleby") % number(other, "divisibleby") == 0)


@pass_context
def _odd(context: Any, value: Any, /) -> bool:
    return bool(number(value, "odd") % 2 == 1)


@pass_context
def _even(context: Any, value: Any, /) -> bool:
    return bool(number(value, "even") % 2 == 0)


def _text_test(check: Callable[[str], bool]) -> Test:
    @pass_context
    def apply(context: Any, value: Any, /) -> bool:
        return check(context.meter.text(value))

    return apply


_SIMPLE_TESTS = (
    "defined", "undefined", "none", "boolean", "false", "true", "integer", "float", "string", "mapping", "number",
    "sequence", "iterable", "sameas",
)  # fmt: skip
_COMPARISON_TESTS = {
    "eq": ("==", "eq", "equalto"),
    "ne": ("!=", "ne"),
    "gt": (">", "gt", "greaterthan"),
    "gteq": (">=", "ge"),
    "lt": ("<", "lt", "lessthan"),
    "lteq": ("<=", "le"),
    "in": ("in",),
}

_STOCK: dict[str, Any] = dict(stock.TESTS)

TESTS: dict[str, Test] = {
    **{name: _STOCK[name] for name in _SIMPLE_TESTS},
    **{name: _comparison(operation) for operation, names in _COMPARISON_TESTS.items() for name in names},
    "divisibleby": _divisible_by,
    "odd": _odd,
    "even": _even,
    "lower": _text_test(str.islower),
    "upper": _text_test(str.isupper),
}
