"""Schemas in standard form, and what is refused about them."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from promptrails_engine.errors import DefinitionError
from promptrails_engine.schema import compile_schema, normalise_schema

LATEST = "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_schema_accepts_anything(nothing: Any) -> None:
    assert normalise_schema(nothing) == {}
    assert compile_schema(nothing).is_valid([1, "x", None])


def test_parameters_become_an_object_schema() -> None:
    schema = {
        "parameters": [
            {"name": "topic", "type": "string", "required": True, "description": "What about"},
            {"name": "count", "type": "integer", "required": False, "description": "", "default": "3"},
            {"name": "deep", "type": "bool", "default": "TRUE"},
            {"name": "tags", "type": "list", "default": '["a"]'},
            {"name": "tone", "type": "string", "default": ""},
            {"name": "plain"},
        ]
    }
    assert normalise_schema(schema) == {
        "type": "object",
        "properties": {
            "topic": {"type": "string", "description": "What about"},
            "count": {"type": "integer", "default": 3},
            "deep": {"type": "boolean", "default": True},
            "tags": {"type": "array", "default": ["a"]},
            "tone": {"type": "string"},
            "plain": {"type": "string"},
        },
        "required": ["topic"],
    }


def test_required_on_a_property_is_lifted_at_any_depth() -> None:
    schema = {
        "type": "object",
        "required": ["b"],
        "properties": {
            "a": {"type": "string", "required": True},
            "b": {"type": "string", "required": True},
            "c": {"type": "string", "required": False},
            "d": {"type": "object", "properties": {"e": {"type": "text", "required": True}}},
        },
    }
    out = normalise_schema(schema)
    assert out["required"] == ["b", "a"]
    assert out["properties"]["d"] == {"type": "object", "properties": {"e": {"type": "string"}}, "required": ["e"]}
    assert "required" not in out["properties"]["c"]


@pytest.mark.parametrize(
    ("alias", "name"),
    [("text", "string"), ("String", "string"), ("float", "number"), ("int", "integer"), ("list", "array"),
     ("dict", "object"), ("bool", "boolean"), (["str", "none"], ["string", "null"]), (["int", "integer"], ["integer"])],
)  # fmt: skip
def test_other_names_of_types(alias: Any, name: Any) -> None:
    assert normalise_schema({"type": alias}) == {"type": name}


def test_nullable_becomes_a_type() -> None:
    out = normalise_schema({"properties": {"a": {"type": "string", "nullable": True, "enum": ["x"], "example": "x"}}})
    assert out["properties"]["a"] == {"type": ["string", "null"], "enum": ["x", None], "example": "x"}
    assert normalise_schema({"type": "string", "nullable": False}) == {"type": "string"}


def test_the_argument_stays_as_it_is_and_shares_nothing_with_the_result() -> None:
    schema: dict[str, Any] = {
        "type": "dict",
        "properties": {"a": {"type": "text", "required": True, "default": ["x"], "nullable": True}},
    }
    before = copy.deepcopy(schema)
    out = normalise_schema(schema)
    assert schema == before
    out["properties"]["a"]["default"].append("y")
    assert schema == before


@pytest.mark.parametrize(
    "schema",
    [
        {"parameters": [{"name": "a", "type": "int", "required": True, "default": "1"}]},
        {"type": "object", "properties": {"a": {"type": "text", "required": True, "nullable": True}}},
        {"$schema": LATEST, "$defs": {"x": {"type": "str"}}, "$ref": "#/$defs/x"},
        {"properties": {"required": {"type": "boolean"}, "type": {"type": "string"}, "$ref": {"type": "string"}}},
    ],
)
def test_standard_form_stays_as_it_is(schema: dict[str, Any]) -> None:
    once = normalise_schema(schema)
    assert normalise_schema(once) == once
    assert compile_schema(schema).schema == once


def test_order_of_members_is_kept() -> None:
    one = compile_schema({"properties": {"a": {}, "b": {}}})
    other = compile_schema({"properties": {"b": {}, "a": {}}})
    assert list(one.schema["properties"]) == ["a", "b"]
    assert list(other.schema["properties"]) == ["b", "a"]


def test_names_of_members_are_no_keywords() -> None:
    schema = {
        "type": "object",
        "properties": {"pattern": {}, "nonsense": {}, "nullable": {"type": "string"}, "$ref": {}},
    }
    assert normalise_schema(schema) == schema
    data_in_schema = {"enum": [{"nonsense": 1}], "default": {"$ref": "http://x"}, "const": {"type": "text"}}
    assert normalise_schema(data_in_schema) == data_in_schema


@pytest.mark.parametrize("draft", [
    LATEST, LATEST + "#", "http://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-04/schema",
    "http://json-schema.org/draft-06/schema#", "https://json-schema.org/draft/2019-09/schema",
])  # fmt: skip
def test_drafts_that_are_read(draft: str) -> None:
    validator = compile_schema({"$schema": draft, "type": "integer"})
    assert validator.is_valid(1)
    assert not validator.is_valid("1")
    assert validator.violations("1")


def test_older_drafts_keep_their_own_rules() -> None:
    seven = "http://json-schema.org/draft-07/schema#"
    pair = compile_schema({"$schema": seven, "items": [{"type": "integer"}], "additionalItems": False})
    assert pair.is_valid([1])
    assert not pair.is_valid([1, 2])
    four = compile_schema({
        "$schema": "http://json-schema.org/draft-04/schema#", "minimum": 3, "exclusiveMinimum": True,
    })  # fmt: skip
    assert not four.is_valid(3)
    needs = compile_schema({"$schema": seven, "dependencies": {"a": ["b"], "c": {"required": ["d"]}}})
    assert needs.is_valid({"a": 1, "b": 1})
    assert not needs.is_valid({"a": 1})
    assert not needs.is_valid({"c": 1})


REFUSED: list[tuple[Any, str]] = [
    ([], "must be an object"),
    ({"$ref": "http://example.com/x.json"}, "/$ref"),
    ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "/properties/a/$ref"),
    ({"items": {"$ref": "other.json#/x"}}, "/items/$ref"),
    ({"$dynamicRef": "http://example.com/x"}, "/$dynamicRef"),
    ({"$ref": "#/$defs/none"}, "leads to no schema"),
    ({"properties": {"a": {}}, "$ref": "#/properties"}, "leads to no schema"),
    ({"enum": [{}], "$ref": "#/enum/0"}, "leads to no schema"),
    ({"$ref": "#nowhere"}, "leads to no schema"),
    ({"$ref": 3}, "/$ref"),
    ({"$ref": "#"}, "never ends"),
    ({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}, "never ends"),
    ({"$schema": "http://example.com/schema"}, "$schema"),
    ({"$schema": "http://json-schema.org/draft-03/schema#"}, "$schema"),
    ({"properties": {"a": {"$schema": LATEST}}}, "only at the top"),
    ({"properties": {"a": {"$id": "http://x/y"}}}, "only at the top"),
    ({"maximum": math.nan}, "not finite"),
    ({"properties": {"a": {"enum": [1, math.inf]}}}, "/properties/a/enum/1"),
    ({"propertes": {}}, "did you mean 'properties'"),
    ({"properties": {"a/b~c": {"minLenght": 3}}}, "/properties/a~1b~0c/minLenght"),
    ({"additionalItems": False}, "prefixItems"),
    ({"dependencies": {}}, "dependentRequired"),
    ({"type": "strin"}, "/type"),
    ({"type": []}, "/type"),
    ({"properties": []}, "/properties"),
    ({"properties": {"a": "string"}}, "/properties/a"),
    ({"items": [{}]}, "/items"),
    ({"minimum": "3"}, "/minimum"),
    ({"required": "a"}, "/required"),
    ({"required": True}, "/required"),
    ({"anyOf": []}, "/anyOf"),
    ({"nullable": True}, "needs a 'type'"),
    ({"pattern": "("}, "no regular expression"),
    ({"pattern": "a" * 3000}, "2000 characters"),
    ({"patternProperties": {"(a+)+$": {}}}, "take for ever"),
    ({"patternProperties": {"(ab|ba|a|b)*$": {}}}, "take for ever"),
    ({"patternProperties": {"(a)\\1": {}}}, "take for ever"),
    ({"parameters": [{"type": "string"}]}, "needs a 'name'"),
    ({"parameters": ["a"]}, "/parameters/0"),
    ({"parameters": [{"name": "a"}, {"name": "a"}]}, "used before"),
    ({"parameters": [{"name": "a", "type": "integer", "default": "x"}]}, "/parameters/0/default"),
    ({"parameters": [{"name": "a", "required": "maybe"}]}, "true or false"),
    ({"enum": [{1, 2}]}, "/enum/0"),
    ({"properties": {1: {}}}, "keys must be strings"),
    ({"enum": list(range(30_000))}, "20000 values"),
]


@pytest.mark.parametrize(("schema", "says"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused_with_a_reason(schema: Any, says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        normalise_schema(schema)
    assert says in caught.value.message
    with pytest.raises(DefinitionError):
        compile_schema(schema)


def test_too_deep_is_refused_before_anything_recurses() -> None:
    schema: dict[str, Any] = {}
    for _ in range(50_000):
        schema = {"not": schema}
    for read in (normalise_schema, compile_schema):
        with pytest.raises(DefinitionError, match="128 levels"):
            read(schema)


def test_a_reference_by_anchor_and_by_escaped_pointer() -> None:
    schema = {
        "$defs": {"a/b~c d": {"type": "integer"}, "e": {"$anchor": "here", "type": "string"}},
        "properties": {"x": {"$ref": "#/$defs/a~1b~0c%20d"}, "y": {"$ref": "#here"}, "z": {"$ref": "#/properties/x"}},
    }
    validator = compile_schema(schema)
    assert validator.is_valid({"x": 1, "y": "s", "z": 2})
    assert [one.pointer for one in validator.violations({"x": "1", "y": 2, "z": "3"})] == ["/x", "/y", "/z"]


def test_a_recursive_schema_is_no_loop() -> None:
    tree = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}, "required": ["id"]}
    validator = compile_schema(tree)
    assert validator.is_valid({"id": 1, "children": [{"id": 2, "children": []}]})
    assert [one.pointer for one in validator.violations({"id": 1, "children": [{"children": []}]})] == ["/children/0"]


def test_annotations_are_kept_and_never_checked() -> None:
    schema = {
        "title": "T", "x-order": 3, "$comment": "c", "format": "email", "contentEncoding": "base64", "deprecated": True,
        "examples": [1], "discriminator": {"propertyName": "kind"}, "$id": "http://example.com/a",
    }  # fmt: skip
    validator = compile_schema(schema)
    assert validator.schema == schema
    assert validator.is_valid("no address")
    assert validator.violations("no address") == []
