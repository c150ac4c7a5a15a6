"""The methods that a template may call, by the class that has them.  All others do not exist there.

A method is looked up and called in one go, so a template never holds one: there is nothing to call, print or look into.
"""

from __future__ import annotations

from collections.abc import Callable
from string import Formatter
from typing import Any

from jinja2.runtime import LoopContext
from jinja2.utils import Cycler

from promptrails_engine.run.sandbox_meter import LimitReachedError, Meter, RefusedError, class_of
from promptrails_engine.run.sandbox_operators import MAX_WIDTH

Method = Callable[..., Any]
"""Called with the meter, the object, and the arguments of the call."""

_MAX_SEPARATOR = 1_000


def _arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse arguments that a method of a text would search for at length."""
    for value in (*args, *kwargs.values()):
        if class_of(value) is str and len(value) > _MAX_SEPARATOR:
            raise LimitReachedError(f"a text method has an argument of more than {_MAX_SEPARATOR} characters")


def _plain(name: str, growth: int = 1) -> Method:
    """A method of str whose result is at most `growth` times as long as the text."""
    function: Callable[..., Any] = getattr(str, name)

    def call(meter: Meter, text: str, /, *args: Any, **kwargs: Any) -> Any:
        _arguments(args, kwargs)
        meter.charge(len(text) * growth)
        return function(text, *args, **kwargs)

    return call


def _pieces(name: str) -> Method:
    """A method of str that cuts a text into a list."""
    function: Callable[..., Any] = getattr(str, name)

    def call(meter: Meter, text: str, /, *args: Any, **kwargs: Any) -> Any:
        _arguments(args, kwargs)
        meter.tick(len(text) // 64)
        meter.charge(len(text) * 4)
        return function(text, *args, **kwargs)

    return call


def _padded(name: str) -> Method:
    function: Callable[..., Any] = getattr(str, name)

    def call(meter: Meter, text: str, /, width: int = 0, *args: Any) -> Any:
        meter.charge(max(len(text), int(width)))
        return function(text, int(width), *args)

    return call


def replace(meter: Meter, text: str, /, old: Any, new: Any, count: Any = -1) -> str:
    """`text.replace(old, new, count)`."""
    old, new = meter.text(old), meter.text(new)
    times = text.count(old)
    if class_of(count) is int and 0 <= count < times:
        times = count
    meter.charge(len(text) + max(0, times * (len(new) - len(old))))
    return text.replace(old, new, -1 if count is None else count)


def _expandtabs(meter: Meter, text: str, /, tabsize: int = 8) -> str:
    meter.charge(len(text) + text.count("\t") * max(0, int(tabsize)))
    return text.expandtabs(int(tabsize))


def join(meter: Meter, separator: str, /, values: Any) -> str:
    """`separator.join(values)`, with each value as it is printed."""
    pieces = [meter.text(value) for value in meter.listing(values)]
    meter.charge(sum(map(len, pieces)) + len(separator) * max(0, len(pieces) - 1))
    return separator.join(pieces)


class _MeteredFormatter(Formatter):
    """`str.format` on plain data: fields are looked up by the environment, widths are limited."""

    def __init__(self, meter: Meter, getitem: Callable[[Any, Any], Any]) -> None:
        self._meter = meter
        self._getitem = getitem

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        first, *rest = field_name.replace("]", "").replace("[", ".").split(".")
        value = self.get_value(int(first) if first.isdecimal() else first, args, kwargs)
        for part in rest:
            value = self._getitem(value, int(part) if part.isdecimal() else part)
        return value, first

    def format_field(self, value: Any, format_spec: str) -> Any:
        digits = "".join(char if char.isdecimal() else " " for char in format_spec).split()
        if any(len(number) > 5 or int(number) > MAX_WIDTH for number in digits):
            raise LimitReachedError(f"a format in it pads a value to more than {MAX_WIDTH} characters")
        self._meter.tick()
        number = class_of(value) in (int, float, bool)
        text = format(value if number else self._meter.text(value), format_spec)
        self._meter.charge(len(text))
        return text

    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion not in (None, "s"):
            raise RefusedError("a format may convert with '!s' only")
        return super().convert_field(self._meter.text(value) if conversion else value, conversion)


def format_text(meter: Meter, getitem: Callable[[Any, Any], Any], text: str, args: Any, kwargs: Any) -> str:
    """`text.format(*args, **kwargs)`."""
    meter.charge(len(text))
    return _MeteredFormatter(meter, getitem).vformat(text, args, kwargs)


def _find_in_list(name: str) -> Method:
    function: Callable[..., Any] = getattr(list, name)

    def call(meter: Meter, items: list[Any], /, value: Any) -> Any:
        if class_of(value) not in (str, int, float, bool, type(None)):
            meter.comparable(items)
            meter.comparable(value)
        meter.tick(len(items) // 64)
        return function(items, value)

    return call


def _dict_get(meter: Meter, members: dict[Any, Any], /, key: Any, default: Any = None) -> Any:
    return members.get(meter.key(key), default)


def _view(name: str) -> Method:
    function: Callable[..., Any] = getattr(dict, name)

    def call(meter: Meter, members: dict[Any, Any], /) -> Any:
        return function(members)

    return call


def _changed(meter: Meter, loop: LoopContext, /, *values: Any) -> bool:
    for value in values:
        meter.comparable(value)
    return loop.changed(*values)


def _own(name: str) -> Method:
    def call(meter: Meter, subject: Any, /, *args: Any) -> Any:
        return getattr(subject, name)(*args)

    return call


_SAME_LENGTH = (
    "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "startswith", "endswith", "find", "index", "count",
    "isalnum", "isalpha", "isdigit", "isdecimal", "isnumeric", "islower", "isupper", "istitle", "isspace",
)  # fmt: skip

METHODS: dict[Any, dict[str, Method]] = {
    str: {
        **{name: _plain(name) for name in _SAME_LENGTH},
        # One character can become three in another case.
        **{name: _plain(name, 3) for name in ("upper", "lower", "title", "capitalize", "swapcase", "casefold")},
        **{name: _pieces(name) for name in ("split", "rsplit", "splitlines", "partition", "rpartition")},
        **{name: _padded(name) for name in ("center", "ljust", "rjust", "zfill")},
        "replace": replace,
        "expandtabs": _expandtabs,
        "join": join,
    },
    list: {"index": _find_in_list("index"), "count": _find_in_list("count")},
    dict: {"get": _dict_get, "items": _view("items"), "keys": _view("keys"), "values": _view("values")},
    float: {"is_integer": _own("is_integer")},
    LoopContext: {"cycle": _own("cycle"), "changed": _changed},
    Cycler: {"next": _own("next"), "reset": _own("reset")},
}
