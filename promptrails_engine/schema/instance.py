"""The check that comes before every other: is this JSON data, and small enough to be looked at?

Validators recurse in C or Rust and do not count (a list nested 50,000 deep ends the process), so depth and size are
measured here first, without recursion.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from promptrails_engine.errors import Violation
from promptrails_engine.schema.kinds import class_of, is_array, is_object

MAX_DEPTH = 64
"""Levels of nesting in data; an object of scalars has one."""
MAX_NODES = 200_000
"""Values in data, counted at every level, with the keys of objects."""

_ATOMS = frozenset({str, int, bool, type(None)})
_TEXT = frozenset({str})
_KINDS: dict[type[Any], str] = {str: "a string", int: "a number", float: "a number", bool: "a boolean", list: "a list"}


class Shape:
    """What the walk found: the first thing wrong, if any, and how big the data are."""

    __slots__ = ("depth", "exact", "nodes", "problem")

    def __init__(self) -> None:
        self.nodes = 1
        self.depth = 0
        self.exact = True
        """Only the plain types, which both validator libraries read alike."""
        self.problem: Violation | None = None


def kind_of(value: Any) -> str:
    """What to call the value in a message."""
    return "null" if value is None else _KINDS.get(class_of(value), str(class_of(value).__name__))


def pointer(path: tuple[str | int, ...]) -> str:
    """The JSON pointer of a path (RFC 6901), "" for the root."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def shorten(text: str, limit: int = 80) -> str:
    """The text, cut to the limit with three dots at its end."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def measure(data: Any, *, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES) -> Shape:
    """The shape of the data; `problem` is set where they are no JSON data or too big."""
    shape = Shape()
    # Where a problem lies is found by a second walk: keeping paths would double the cost of the usual case.
    level: list[Any] = [] if class_of(data) in _ATOMS else [data]
    while level:
        below: list[Any] = []
        nested = False
        for value in level:
            kind = class_of(value)
            nested = nested or kind is not float
            members = value if kind is list else _members(value, kind, shape)
            shape.nodes += len(members)
            if shape.nodes > max_nodes:
                shape.problem = Violation("", f"holds more than {max_nodes} values; make it smaller")
            if shape.problem is not None:
                return shape
            if not _ATOMS.issuperset(map(class_of, members)):
                below += [member for member in members if class_of(member) not in _ATOMS]
        shape.depth += nested  # a level of nothing but fractions is none
        if shape.depth > max_depth:
            shape.problem = Violation("", f"is nested deeper than {max_depth} levels; flatten it")
            return shape
        level = below
    return shape


def _members(value: Any, kind: Any, shape: Shape) -> Any:
    """What is inside a value that is neither a plain list nor an atom."""
    if kind is dict:
        shape.nodes += len(value)
        if not _TEXT.issuperset(map(class_of, value)):
            _look_at_keys(value, shape)
        return value.values()
    return _members_of_other(value, shape)


def _look_at_keys(value: dict[Any, Any], shape: Shape) -> None:
    shape.exact = False
    for key in value:
        if not isinstance(key, str):
            shape.problem = Violation("", f"has a key of type {type(key).__name__}; keys must be strings")
            return


def _members_of_other(value: Any, shape: Shape) -> list[Any]:
    """What is inside a float, a subclass of the plain types, or something that is no JSON."""
    if isinstance(value, float):
        shape.exact = shape.exact and class_of(value) is float
        if not isfinite(value):
            shape.problem = Violation("", "holds a number that is not finite (NaN or Infinity)")
        return []
    shape.exact = False
    if is_object(value):
        _look_at_keys(value, shape)
        shape.nodes += len(value)
        return list(value.values())
    if is_array(value):
        return list(value)
    if not isinstance(value, (str, int)):
        shape.problem = Violation("", f"holds a value of type {type(value).__name__}, which is no JSON data")
    return []


def locate(data: Any, problem: Violation) -> Violation:
    """The same problem with the pointer to its place, for the problems that have one."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    while stack:
        path, value = stack.pop()
        if len(path) > MAX_DEPTH:
            return problem
        if is_object(value):
            if not all(map(_is_text, value)):
                return Violation(pointer(path), problem.message)
            stack.extend(((*path, key), member) for key, member in reversed(value.items()))
        elif is_array(value):
            stack.extend(((*path, index), item) for index, item in reversed(list(enumerate(value))))
        elif not isinstance(value, (str, int, float, type(None))) or (isinstance(value, float) and not isfinite(value)):
            return Violation(pointer(path), problem.message)
    return problem


def _is_text(key: Any) -> bool:
    return isinstance(key, str)
