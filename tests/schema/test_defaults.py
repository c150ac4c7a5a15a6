"""Defaults, filled in at any depth."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from promptrails_engine.errors import DefinitionError
from promptrails_engine.schema import compile_schema

COLOUR = {"type": "object", "properties": {"r": {"default": 0}, "g": {"default": 1}, "names": {"default": ["x"]}}}


@pytest.mark.parametrize(
    ("schema", "data", "filled"),
    [
        ({"properties": {"a": {"default": 1}}}, {}, {"a": 1}),
        ({"properties": {"a": {"default": 1}}}, {"b": 2}, {"b": 2, "a": 1}),
        ({"properties": {"a": {"default": None}}}, {}, {"a": None}),
        ({"properties": {"c": COLOUR}}, {"c": {"r": 5}}, {"c": {"r": 5, "g": 1, "names": ["x"]}}),
        ({"properties": {"c": COLOUR}}, {}, {}),
        ({"properties": {"c": {**COLOUR, "default": {}}}}, {}, {"c": {"r": 0, "g": 1, "names": ["x"]}}),
        ({"items": COLOUR}, [{"r": 1}, 3], [{"r": 1, "g": 1, "names": ["x"]}, 3]),
        ({"prefixItems": [{}, COLOUR]}, [{}, {}, {}], [{}, {"r": 0, "g": 1, "names": ["x"]}, {}]),
        ({"additionalProperties": COLOUR}, {"k": {"r": 1}}, {"k": {"r": 1, "g": 1, "names": ["x"]}}),
        ({"patternProperties": {"^k": COLOUR}}, {"k": {}, "z": {}},
         {"k": {"r": 0, "g": 1, "names": ["x"]}, "z": {}}),
        ({"$defs": {"c": COLOUR}, "properties": {"c": {"$ref": "#/$defs/c"}}}, {"c": {}},
         {"c": {"r": 0, "g": 1, "names": ["x"]}}),
        ({"$defs": {"n": {"type": "integer", "default": 7}}, "properties": {"n": {"$ref": "#/$defs/n"}}}, {}, {"n": 7}),
        ({"allOf": [{"properties": {"a": {"default": 1}}}], "properties": {"a": {"default": 2}}}, {}, {"a": 2}),
        ({"properties": {"c": {"anyOf": [COLOUR, {"type": "null"}]}}}, {"c": None}, {"c": None}),
        ({"properties": {"c": {"anyOf": [{"type": "null"}, COLOUR]}}}, {"c": {}},
         {"c": {"r": 0, "g": 1, "names": ["x"]}}),
        ({"oneOf": [{"properties": {"k": {"const": 1}, "a": {"default": 1}}, "required": ["k"]},
                    {"properties": {"k": {"const": 2}, "a": {"default": 2}}, "required": ["k"]}]},
         {"k": 2}, {"k": 2, "a": 2}),
        ({"if": {"required": ["x"]}, "then": {"properties": {"a": {"default": 1}}},
          "else": {"properties": {"a": {"default": 2}}}}, {"x": 0}, {"x": 0, "a": 1}),
        ({"dependentSchemas": {"x": {"properties": {"a": {"default": 1}}}}}, {"x": 0}, {"x": 0, "a": 1}),
        ({"dependentSchemas": {"x": {"properties": {"a": {"default": 1}}}}}, {"y": 0}, {"y": 0}),
    ],
)  # fmt: skip
def test_filled(schema: dict[str, Any], data: Any, filled: Any) -> None:
    validator = compile_schema(schema)
    before = copy.deepcopy(data)
    out = validator.with_defaults(data)
    assert out == filled
    assert data == before
    assert (out is data) is (filled == data)
    assert validator.with_defaults(out) is out


@pytest.mark.parametrize("data", ["text", 3, None, [1], {"a": 1, "c": {"r": 1, "g": 2, "names": []}}])
def test_the_same_object_where_nothing_is_absent(data: Any) -> None:
    schema = {"properties": {"a": {"default": 1}, "c": COLOUR}}
    assert compile_schema(schema).with_defaults(data) is data
    assert compile_schema({"properties": {"a": {}}}).with_defaults(data) is data


def test_defaults_are_copies() -> None:
    for schema in ({"properties": {"a": {"default": []}}}, {"properties": {"a": {"default": []}, "c": COLOUR}}):
        validator = compile_schema(schema)
        first = validator.with_defaults({})
        first["a"].append(1)
        assert validator.with_defaults({}) == {"a": []}


def test_what_was_there_is_shared() -> None:
    inner = {"deep": [1]}
    out = compile_schema({"properties": {"a": {"default": 1}, "c": COLOUR}}).with_defaults({"x": inner})
    assert out["x"] is inner


def test_recursive_data() -> None:
    tree = {"properties": {"open": {"default": True}, "children": {"items": {"$ref": "#"}}}}
    assert compile_schema(tree).with_defaults({"children": [{"children": [{}]}]}) == {
        "open": True,
        "children": [{"open": True, "children": [{"open": True}]}],
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#", "default": {}}}},
        {"properties": {"a": {"$ref": "#", "default": {}}, "b": {"$ref": "#", "default": {}}}},
        {"properties": {"x": {"properties": {"a": {"$ref": "#/properties/x", "default": {}}}}}},
    ],
)
def test_defaults_without_end_are_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match="never end"):
        compile_schema(schema)


def test_data_too_deep_to_be_checked_come_back() -> None:
    data: Any = {}
    for _ in range(5_000):
        data = {"a": data}
    tree = {"properties": {"a": {"$ref": "#"}, "b": {"default": 1}}}
    assert compile_schema(tree).with_defaults(data) is data
