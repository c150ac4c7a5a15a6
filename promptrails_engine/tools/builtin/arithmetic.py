"""The operations of the calculator, each bounded before it runs.

Whole numbers stay whole and exact; every result is real and finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

from promptrails_engine.errors import ToolError

Number = int | float
MAX_BITS = 8192
"""Size of the largest whole number: about 2,460 decimal digits, less than Python refuses to print."""
_MOST_PLACES = 400


def checked(value: object) -> Number:
    """The value, if it is a real, finite number within the bounds.

    Raises:
        ToolError: it is not.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        _bound(value.bit_length())
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ToolError("The result is not a finite number.")
        return value
    raise ToolError("The result is not a real number.")


def _bound(bits: int) -> None:
    if bits > MAX_BITS:
        raise ToolError(f"A number would have more than {MAX_BITS} bits: too large to compute exactly.")


def _bits(*values: Number) -> list[int]:
    return [value.bit_length() if isinstance(value, int) else 0 for value in values]


def add(left: Number, right: Number) -> Number:
    _bound(max(_bits(left, right)) + 1)
    return left + right


def subtract(left: Number, right: Number) -> Number:
    _bound(max(_bits(left, right)) + 1)
    return left - right


def multiply(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        _bound(sum(_bits(left, right)))
    return left * right


def divide(left: Number, right: Number) -> Number:
    """A whole number where the division comes out even."""
    if isinstance(left, int) and isinstance(right, int) and right and left % right == 0:
        return left // right
    return left / right


def floor_divide(left: Number, right: Number) -> Number:
    return left // right


def modulo(left: Number, right: Number) -> Number:
    return left % right


def power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0 and abs(base) > 1:
        _bound((abs(base).bit_length() - 1) * exponent)  # a lower bound of the result; `checked` sees the rest
    return cast("Number", base**exponent)


def magnitude(value: Number) -> Number:
    return abs(value)


def square_root(value: Number) -> Number:
    """Whole for the square of a whole number."""
    if isinstance(value, int) and value >= 0:
        root = math.isqrt(value)
        if root * root == value:
            return root
    return math.sqrt(value)


def rounded(value: Number, places: Number = 0) -> Number:
    if not isinstance(places, int) or abs(places) > _MOST_PLACES:
        raise ToolError(f"round(x, n) needs a whole n from -{_MOST_PLACES} to {_MOST_PLACES}.")
    return round(value, places) if places else round(value)


def total(*values: Number) -> Number:
    result: Number = 0
    for value in values:
        result = checked(add(result, value))
    return result


def largest(*values: Number) -> Number:
    return max(values)


def smallest(*values: Number) -> Number:
    return min(values)


class Function:
    """A function of the calculator and how many numbers it takes; `most` is None where any number will do."""

    __slots__ = ("call", "least", "most")

    def __init__(self, call: Callable[..., Number], least: int = 1, most: int | None = 1) -> None:
        self.call = call
        self.least = least
        self.most = most

    def apply(self, name: str, arguments: Sequence[Number]) -> Number:
        """Raises ToolError for a wrong count of arguments."""
        count = len(arguments)
        if count < self.least or (self.most is not None and count > self.most):
            if self.most is None:
                wanted = f"at least {self.least}"
            else:
                wanted = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
            raise ToolError(f"{name}() takes {wanted} number(s), not {count}.")
        return self.call(*arguments)


FUNCTIONS: dict[str, Function] = {
    "abs": Function(magnitude),
    "ceil": Function(math.ceil),
    "cos": Function(math.cos),
    "exp": Function(math.exp),
    "floor": Function(math.floor),
    "log": Function(math.log, 1, 2),
    "log10": Function(math.log10),
    "max": Function(largest, 1, None),
    "min": Function(smallest, 1, None),
    "round": Function(rounded, 1, 2),
    "sin": Function(math.sin),
    "sqrt": Function(square_root),
    "sum": Function(total, 0, None),
    "tan": Function(math.tan),
}
CONSTANTS: dict[str, float] = {"e": math.e, "pi": math.pi}
