"""A JSON Schema as a graph of its schemas: who applies to the same value, and who to its members and items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from promptrails_engine.errors import DefinitionError
from promptrails_engine.schema.instance import pointer
from promptrails_engine.schema.kinds import is_array, is_object
from promptrails_engine.schema.vocabulary import PLACES, Place

Path = tuple[str | int, ...]

_LISTS = frozenset({Place.SAME_LIST, Place.CHILD_LIST})
_MAPS = frozenset({Place.SAME_MAP, Place.CHILD_MAP, Place.NONE_MAP})
_SAME = frozenset({Place.SAME, Place.SAME_LIST, Place.SAME_MAP})
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


@dataclass(slots=True)
class Node:
    """One schema of the tree, with the paths of the schemas that it applies."""

    path: Path
    schema: dict[str, Any]
    same: list[Path] = field(default_factory=list[Path])
    """Schemas applied to the same value, references among them."""
    children: dict[str, list[Path]] = field(default_factory=dict[str, list[Path]])
    """Schemas applied to members and items, by keyword."""


def subschemas(schema: dict[str, Any]) -> Iterator[tuple[str, Place, Path, Any]]:
    """Every schema directly inside one: its keyword, how that holds it, the path from here, and the schema itself."""
    for keyword, value in schema.items():
        place = PLACES.get(keyword)
        if place is None:
            continue
        if is_array(value):
            single = place in _LISTS or keyword == "items"  # drafts before 2020-12 hold a list there
            if single:
                for index, item in enumerate(value):
                    yield keyword, place, (keyword, index), item
        elif place in _MAPS and is_object(value):
            for name, item in value.items():
                if not (keyword == "dependencies" and is_array(item)):
                    yield keyword, place, (keyword, name), item
        elif place not in _LISTS and place not in _MAPS:
            yield keyword, place, (keyword,), value


def nodes_of(schema: dict[str, Any]) -> dict[Path, Node]:
    """All object schemas by path, root first; `true` and `false` have no node.

    Raises:
        DefinitionError: something that must be a schema is none, or a reference leads nowhere.
    """
    found: dict[Path, Node] = {}
    booleans: set[Path] = set()
    stack: list[tuple[Path, Any]] = [((), schema)]
    while stack:
        path, current = stack.pop()
        if isinstance(current, bool):
            booleans.add(path)
            continue
        if not is_object(current):
            kind = type(current).__name__
            raise DefinitionError(f"the schema at '{pointer(path)}' must be an object, true or false, not {kind}")
        node = found[path] = Node(path, current)
        for keyword, place, step, inner in subschemas(node.schema):
            below = (*path, *step)
            stack.append((below, inner))
            if isinstance(inner, bool):
                continue
            if place in _SAME:
                node.same.append(below)
            elif place not in (Place.NONE, Place.NONE_MAP):
                node.children.setdefault(keyword, []).append(below)
    _link(schema, found, booleans)
    return found


def _link(schema: dict[str, Any], found: dict[Path, Node], booleans: set[Path]) -> None:
    """Add the references to the edges that stay on the same value."""
    anchors = {
        node.schema[word]: path
        for path, node in found.items()
        for word in ("$anchor", "$dynamicAnchor")
        if isinstance(node.schema.get(word), str)
    }
    for path, node in found.items():
        for word in _REFERENCES:
            if word in node.schema:
                where = f"{pointer(path)}/{word}"
                target = _target(schema, node.schema[word], where, anchors)
                if target in found:
                    node.same.append(target)
                elif target is None or target not in booleans:
                    raise DefinitionError(
                        f"the reference at '{where}' leads to no schema; "
                        "define it under '$defs' and refer to it as '#/$defs/NAME'"
                    )


def _target(schema: Any, reference: Any, where: str, anchors: dict[Any, Path]) -> Path | None:
    """The path of the schema that a local reference names, or None where there is none."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise DefinitionError(
            f"the reference at '{where}' leaves this schema; only '#...' is read, nothing is fetched: "
            "copy what it refers to under '$defs'"
        )
    fragment = unquote(reference[1:])
    if fragment and not fragment.startswith("/"):
        return anchors.get(fragment)
    path: list[str | int] = []
    current = schema
    for escaped in fragment.split("/")[1:]:
        part = escaped.replace("~1", "/").replace("~0", "~")
        if is_object(current):
            current = current.get(part)
            path.append(part)
        elif is_array(current) and part.isdecimal() and int(part) < len(current):
            current = current[int(part)]
            path.append(int(part))
        else:
            return None
    return tuple(path) if isinstance(current, (dict, bool)) else None


def refuse_loops(found: dict[Path, Node]) -> list[Path]:
    """The paths in an order in which each comes after all that it applies to the same value.

    Raises:
        DefinitionError: a schema applies itself to the same value, so checking it would not end.
    """
    order: list[Path] = []
    state: dict[Path, bool] = {}  # False while its targets are being visited, True when it is done
    for start, node in found.items():
        stack: list[tuple[Path, Iterator[Path]]] = []
        if start not in state:
            state[start] = False
            stack.append((start, iter(node.same)))
        while stack:
            path, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                stack.pop()
                state[path] = True
                order.append(path)
            elif target not in state:
                state[target] = False
                stack.append((target, iter(found[target].same)))
            elif not state[target]:
                raise DefinitionError(
                    f"the schema at '{pointer(target)}' refers back to itself without going into the data; "
                    "such a reference never ends: put it under 'properties' or 'items'"
                )
    return order
