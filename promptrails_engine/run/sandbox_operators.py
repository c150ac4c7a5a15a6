"""The operators of templates: each looks at the size of its result first."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from jinja2.runtime import Undefined

from promptrails_engine.run.sandbox_meter import (
    MAX_BITS,
    SCALARS,
    LimitReachedError,
    Meter,
    RefusedError,
    class_of,
    name_of,
    small_int,
)

MAX_WIDTH = 10_000
"""Characters that a format may pad a value to."""

_NUMBERS = frozenset({int, float, bool})
_FORMAT = re.compile(
    r"%(?:\((?P<key>[^()]*)\))?[-#0 +]*(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d*))?[hlL]?(?P<kind>.)?"
)

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
    "%": lambda left, right: left % right,
    "**": lambda left, right: left**right,
}

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
    "in": lambda value, within: value in within,
    "notin": lambda value, within: value not in within,
}


def calculate(meter: Meter, sign: str, left: Any, right: Any) -> Any:
    """`left sign right`."""
    one, two = class_of(left), class_of(right)
    if one in _NUMBERS and two in _NUMBERS:
        if one is not float and two is not float:
            _check_bits(sign, left, right)
        return _ARITHMETIC[sign](left, right)
    if isinstance(left, Undefined) or isinstance(right, Undefined):
        return _ARITHMETIC[sign](left, right)  # the error that names the variable
    if sign == "%" and one is str:
        return formatted(meter, left, right)
    if sign == "+" and one is two and one in (str, list, tuple):
        return _joined(meter, left, right, one)
    if sign == "*" and {one, two} & {int} and {one, two} & {str, list, tuple}:
        return _repeated(meter, left, right)
    raise RefusedError(f"'{sign}' does not work on '{name_of(left)}' and '{name_of(right)}'")


def _check_bits(sign: str, left: int, right: int) -> None:
    bits = small_int(left).bit_length()
    if sign == "*":
        bits += small_int(right).bit_length()
    elif sign == "**":
        bits *= max(right, 1)
    else:
        small_int(right)
    if bits > MAX_BITS:
        raise LimitReachedError("a number in it is too big")


def _joined(meter: Meter, left: Any, right: Any, kind: Any) -> Any:
    meter.charge((len(left) + len(right)) * (1 if kind is str else 8))
    return left + right


def _repeated(meter: Meter, left: Any, right: Any) -> Any:
    times, what = (left, right) if class_of(left) is int else (right, left)
    meter.charge(len(what) * max(times, 0) * (1 if class_of(what) is str else 8))
    return what * times


def formatted(meter: Meter, pattern: str, values: Any) -> str:
    """`pattern % values`, with the fields of `%` looked at first."""
    given: Any = values
    if class_of(values) is tuple:
        longest = max((_length(meter, value) for value in values), default=0)
        given = tuple(_printable(meter, value) for value in values)
    elif class_of(values) is dict:
        longest = max((_length(meter, value) for value in values.values()), default=0)
        given = {key: _printable(meter, value) for key, value in values.items()}
    else:
        longest = _length(meter, values)
        given = _printable(meter, values)
    fields = 0
    widest = 0
    for match in _FORMAT.finditer(pattern):
        fields += 1
        for number in (match["width"], match["precision"]):
            if number == "*" or (number and (len(number) > 5 or int(number) > MAX_WIDTH)):
                raise LimitReachedError(f"a format in it pads a value to more than {MAX_WIDTH} characters")
            widest += int(number or 0)
    meter.tick(fields)
    meter.reserve(len(pattern) + fields * (longest + 400) + widest)
    text: str = pattern % given
    meter.charge(len(text))
    return text


def _length(meter: Meter, value: Any) -> int:
    # A text can grow tenfold where the format asks for its source form (%r).
    return 10 * len(value) if class_of(value) is str else meter.measure(value)


def _printable(meter: Meter, value: Any) -> Any:
    return value if class_of(value) in SCALARS else meter.text(value)


def compare(meter: Meter, left: Any, *rest: Any) -> bool:
    """`left op value op value ...`; the rest alternates names of operators and values."""
    for name, right in zip(rest[::2], rest[1::2], strict=True):
        known = class_of(left) in SCALARS
        if name in ("in", "notin"):
            meter.tick(len(meter.each(right)) // 64)
        else:
            known = known or class_of(right) in SCALARS
        if not known:
            meter.comparable(left)
            meter.comparable(right)
        if not COMPARISONS[name](left, right):
            return False
        left = right
    return True
