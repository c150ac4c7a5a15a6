"""JSON Schema keyword by keyword: what a schema node allows, and whether a changed rule is narrower or wider."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from promptrails_engine.definitions.digest import canonical_json

SchemaNode = Mapping[str, Any]
Effect = tuple[bool, bool]
"""(narrower, wider)."""

NEVER: SchemaNode = {"not": {}}
"""The schema `false`."""

_ANNOTATIONS = frozenset({
    "$schema", "$id", "$comment", "$anchor", "title", "description", "default", "examples", "example", "deprecated",
    "readOnly", "writeOnly", "contentMediaType", "contentEncoding", "contentSchema",
})  # fmt: skip
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_FRACTION = "number with a fraction"
_ALL_TYPES = frozenset({"object", "array", "string", "integer", _FRACTION, "boolean", "null"})
_PYTHON_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"), (str, "string"), (dict, "object"), (list, "array"), (type(None), "null"),
)  # fmt: skip
_PLAIN_NAME = re.compile(r"[^\W\d]\w*(-\w+)*", re.ASCII)
_AROUND_REF = frozenset({"$ref", "$defs", "definitions"})
_MAX_REFS = 50


def node_of(schema: Any) -> SchemaNode:
    """The schema as a mapping; `false` is NEVER."""
    if schema is False:
        return NEVER
    return cast("SchemaNode", schema) if isinstance(schema, Mapping) else {}


def is_annotation(keyword: str) -> bool:
    """Whether the keyword describes and never decides."""
    return keyword in _ANNOTATIONS or keyword.startswith("x-")


def without_annotations(schema: Any) -> SchemaNode:
    return {key: value for key, value in node_of(schema).items() if not is_annotation(key)}


def resolve(schema: Any, root: Mapping[str, Any]) -> tuple[SchemaNode | None, str]:
    """The node behind local references, with the last reference followed ("" for none).

    The node is None where a reference leads out of the schema, nowhere, or round in a circle.
    """
    node, ref = node_of(schema), ""
    for _ in range(_MAX_REFS):
        if "$ref" not in node:
            return node, ref
        beside = {key: value for key, value in node.items() if key not in _AROUND_REF and not is_annotation(key)}
        if beside:
            joined = [{"$ref": node["$ref"]}, *cast("list[Any]", beside.pop("allOf", []))]
            return {**beside, "allOf": joined}, ref
        ref = str(node["$ref"])
        target = _pointed(ref, root)
        if target is None:
            return None, ref
        node = node_of(target)
    return None, ref


def _pointed(ref: str, root: Mapping[str, Any]) -> Any:
    if ref != "#" and not ref.startswith("#/"):
        return None
    place: Any = root
    for token in ref.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, Mapping) or key not in place:
            return None
        place = cast("Mapping[str, Any]", place)[key]
    return place


def join(path: str, name: str) -> str:
    """The path of a property: names joined by points, odd ones in brackets."""
    if not _PLAIN_NAME.fullmatch(name):
        return f"{path}[{json.dumps(name, ensure_ascii=False)}]"
    return f"{path}.{name}" if path else name


# ------------------------------------------------------------------ what a node allows


def allowed_types(node: SchemaNode) -> frozenset[str]:
    """The types that can pass `type` and the listed values together."""
    declared = node.get("type")
    types = _ALL_TYPES if declared is None else frozenset(kind for item in _several(declared) for kind in _expand(item))
    values = allowed_values(node)
    return types if values is None else types & {_type_of(value) for value in values.values()}


def _several(value: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list | tuple) else [value]


def _expand(declared: Any) -> tuple[str, ...]:
    return ("integer", _FRACTION) if declared == "number" else (str(declared),)


def _type_of(value: Any) -> str:
    if isinstance(value, float):
        return "integer" if value.is_integer() else _FRACTION
    return next((name for cls, name in _PYTHON_TYPES if isinstance(value, cls)), "integer")


def type_names(types: frozenset[str]) -> str:
    """The types as a schema writes them."""
    if types >= _ALL_TYPES:
        return "anything"
    names = {"number" if kind == _FRACTION else kind for kind in types}
    if {"integer", _FRACTION} <= types:
        names.discard("integer")
    return " or ".join([*(kind for kind in _TYPES if kind in names), *sorted(names - set(_TYPES))]) or "nothing"


def allowed_values(node: SchemaNode) -> dict[str, Any] | None:
    """The values that `enum` and `const` list, by a key under which equal ones are equal; None where all pass."""
    listed: list[dict[str, Any]] = []
    if isinstance(node.get("enum"), list):
        listed.append({_value_key(value): value for value in node["enum"]})
    if "const" in node:
        listed.append({_value_key(node["const"]): node["const"]})
    if not listed:
        return None
    return {key: value for key, value in listed[0].items() if all(key in other for other in listed[1:])}


def _value_key(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return canonical_json(int(value) if whole else value)


def plain_branches(node: SchemaNode) -> list[Any] | None:
    """The branches of a node that is an `anyOf` and nothing else."""
    branches = node.get("anyOf")
    rules = [key for key in without_annotations(node) if key not in {"$defs", "definitions"}]
    return list(_several(branches)) if rules == ["anyOf"] and isinstance(branches, list) else None


# ------------------------------------------------------------------ rules with an order


def _at_least(old: Any, new: Any) -> Effect:
    return _ordered(old, new, 1)


def _at_most(old: Any, new: Any) -> Effect:
    return _ordered(old, new, -1)


def _ordered(old: Any, new: Any, direction: int) -> Effect:
    for value in (old, new):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            return True, True
    if old is None or new is None:
        return old is None, new is None
    return (new - old) * direction > 0, (new - old) * direction < 0


def _either(old: Any, new: Any) -> Effect:
    return new is not None, old is not None


def _multiple(old: Any, new: Any) -> Effect:
    if isinstance(old, int) and isinstance(new, int) and old and new:
        return bool(old % new), bool(new % old)
    return _either(old, new)


def _switch(old: Any, new: Any) -> Effect:
    return bool(new) and not old, bool(old) and not new


_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
RULES: dict[str, Callable[[Any, Any], Effect]] = {
    **dict.fromkeys(_LOWER, _at_least),
    **dict.fromkeys(_UPPER, _at_most),
    **dict.fromkeys(("pattern", "format"), _either),
    "multipleOf": _multiple,
    "uniqueItems": _switch,
}
"""By keyword: (narrower, wider) of the old and the new value, None where the keyword is absent."""
