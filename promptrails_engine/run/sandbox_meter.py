"""What one rendering may use up: operations, characters, seconds, depth; counted before anything is made.

The stock sandbox keeps a template from reaching Python; it does not keep `'a' * 10**9`, a list doubled forty times in
a namespace or three nested loops over nothing from taking all memory or all day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Any, cast

from jinja2.runtime import Undefined
from jinja2.utils import Namespace


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """The limits of one rendering.

    operations: turns of loops, calls, filters, operators and items that filters go through.
    output_chars: characters of the result; everything made on the way may have eight times as many together.
    seconds: processor time of the rendering thread.
    """

    operations: int = 100_000
    output_chars: int = 1_048_576
    seconds: float = 0.25


class LimitReachedError(Exception):
    """A limit of this rendering is used up."""


class RefusedError(Exception):
    """The template asks for something that templates may not do."""


class Group(tuple[Any, list[Any]]):
    """One group of `groupby`: `(grouper, list)`, with both also by name."""

    __slots__ = ()

    @property
    def grouper(self) -> Any:
        return self[0]

    @property
    def list(self) -> Any:
        return self[1]


_WORK = 8
"""How many times the characters of the result may be made on the way."""
_SLOT = 8
"""What an item of a list counts in characters."""
MAX_CALLS_DEEP = 40
MAX_BITS = 4_096
"""Bits of an integer: more is not needed in a prompt, and arithmetic on it does not stay cheap."""
_CHECK_CLOCK_ABOVE = 4_096

class_of: Callable[[Any], Any] = type
"""The class of a value, without the narrowing that type checkers do on `type(value)`."""

SCALARS: frozenset[Any] = frozenset({str, int, float, bool, type(None)})
PLAIN: frozenset[Any] = SCALARS | {list, dict, tuple}
_PRINTED = frozenset({float, bool, type(None)})
_EMPTY: dict[str, Any] = {}
_VIEWS: frozenset[Any] = frozenset(map(class_of, (_EMPTY.keys(), _EMPTY.values(), _EMPTY.items())))
_SEQUENCES: frozenset[Any] = frozenset({list, tuple, Group})
LOOPED: frozenset[Any] = _SEQUENCES | _VIEWS | {dict, str, range}


class Meter:
    """Counts for one rendering."""

    __slots__ = ("_cpu", "_deadline", "_seconds", "depth", "operations", "output_chars", "units")

    def __init__(self, limits: RenderLimits) -> None:
        self.operations = limits.operations
        self.output_chars = limits.output_chars
        self.units = limits.output_chars * _WORK
        self.depth = 0
        self._seconds = limits.seconds
        self._cpu = -1.0
        self._deadline = perf_counter() + limits.seconds

    def tick(self, count: int = 1) -> None:
        """Count operations, and look at the clock."""
        self.operations -= count
        if self.operations < 0:
            raise LimitReachedError("too many operations: shorten its loops, or what they go through")
        if perf_counter() > self._deadline:
            self._late()

    def _late(self) -> None:
        # Only this thread's own time counts: a busy machine must not stop a template that is cheap.  Asking for it is
        # dear, and few renderings get here: what is counted begins at the first time that the limit has passed.
        if self._cpu < 0:
            self._cpu = thread_time()
        left = self._seconds - (thread_time() - self._cpu)
        if left <= 0:
            raise LimitReachedError("it took too long: shorten its loops, or what they go through")
        self._deadline = perf_counter() + left

    def reserve(self, units: int) -> None:
        """Refuse what would be bigger than what is left, before it is made."""
        if units > self.units:
            raise LimitReachedError("it makes too much text: shorten what it repeats, pads or joins")

    def charge(self, units: int) -> None:
        """Count what has been made, or is about to be."""
        self.reserve(units)
        self.units -= units
        if units > _CHECK_CLOCK_ABOVE and perf_counter() > self._deadline:
            self._late()

    # -------------------------------------------------------------- text

    def text(self, value: Any) -> str:
        """The value as Jinja would print it."""
        kind = class_of(value)
        if kind is str:
            return cast("str", value)
        if kind is int:
            return str(small_int(value))
        if kind in _PRINTED or isinstance(value, Undefined):
            return str(value)
        self.reserve(self.measure(value))
        text = str(value)
        self.charge(len(text))
        return text

    def concat(self, pieces: Iterable[str]) -> str:
        """The pieces as one text: what a macro, a `set` block or a `filter` block comes to."""
        made = list(pieces)
        self.charge(sum(map(len, made)))
        return "".join(made)

    # -------------------------------------------------------------- containers

    def each(self, value: Any) -> Any:
        """The value itself if it may be looped over."""
        if class_of(value) in LOOPED:
            return value
        if isinstance(value, Undefined):
            return list(value)  # nothing, or the error of a strict template
        raise RefusedError(f"a value of type '{name_of(value)}' cannot be looped over")

    def listing(self, value: Any) -> list[Any]:
        """A new list of the items."""
        items = self.each(value)
        count = len(cast("Sized", items))
        self.tick(count)
        self.charge(count * _SLOT)
        return list(items)

    def measure(self, value: Any) -> int:
        """At least the characters that the value has as text, going through all that is inside it.

        A list that holds another one twice, forty times over, has 2^40 items: each is counted as often as it would be
        printed, so the count stops such a value.
        """
        chars = 0
        start = left = self.operations * 4
        stack: list[Any] = [value]
        while stack:
            current = stack.pop()
            kind = class_of(current)
            if kind is str:
                chars += (len(current) if current.isprintable() else 10 * len(current)) + 4
                continue
            chars += 24
            if kind in SCALARS:
                if kind is int:
                    small_int(current)
                    chars += current.bit_length() // 3
                continue
            inside = _inside(current, kind)
            left -= len(inside) + 1
            if not left & 63:
                self.tick(0)
            if left < 0 or chars > self.units:
                raise LimitReachedError("a value in it is too big to be written out or compared")
            stack.extend(inside)
        self.tick((start - left) // 4)
        return chars

    def comparable(self, value: Any) -> Any:
        """The value, counted if comparing it could mean going through all that is inside it."""
        if class_of(value) not in SCALARS and not isinstance(value, Undefined):
            self.measure(value)
        return value

    def key(self, value: Any) -> Any:
        """The value if it may be a key of an object."""
        if class_of(value) not in SCALARS:
            raise RefusedError(f"a value of type '{name_of(value)}' cannot be a key")
        return value


def _inside(value: Any, kind: Any) -> list[Any]:
    if kind in _SEQUENCES or kind in _VIEWS:
        return list(value)
    if kind is dict:
        return [*value.keys(), *value.values()]
    if kind is range or isinstance(value, Undefined):
        return []
    if kind is Namespace:
        raise RefusedError("a namespace cannot be written as text or compared; use its attributes")
    raise RefusedError(f"a value of type '{name_of(value)}' is no plain data; pass text, numbers, lists and objects")


def small_int(value: int) -> int:
    """The integer, if it has a size that is worth printing or calculating with."""
    if value.bit_length() > MAX_BITS:
        raise LimitReachedError("a number in it is too big")
    return value


def name_of(value: Any) -> str:
    """The name of the value's class."""
    return str(class_of(value).__name__)
