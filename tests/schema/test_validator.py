"""Validators: yes or no, what is wrong, and how much that may cost."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from typing import Any

import pytest

from promptrails_engine.errors import Violation
from promptrails_engine.schema import SchemaValidator, compile_schema
from promptrails_engine.schema.instance import measure

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}


def check(validator: SchemaValidator, data: Any, *expected: Violation) -> None:
    """Both answers, which must agree."""
    assert validator.violations(data) == list(expected)
    assert validator.is_valid(data) is (not expected)


def test_every_broken_rule_with_its_place() -> None:
    schema = {"type": "object", "properties": {"people": {"type": "array", "items": PERSON}, "a/b~": {"type": "null"}}}
    check(
        compile_schema(schema),
        {"people": [{"name": "Ann", "age": -1}, {"age": "x"}, {"name": "", "extra": 1}], "a/b~": 1},
        Violation("/a~1b~0", "must be a null"),
        Violation("/people/0/age", "must be at least 0"),
        Violation("/people/1", "lacks the required member 'name'"),
        Violation("/people/1/age", "must be an integer"),
        Violation("/people/2", "has members that are not declared: 'extra'"),
        Violation("/people/2/name", "must have at least 1 characters"),
    )


@pytest.mark.parametrize(
    ("schema", "data", "message"),
    [
        ({"type": ["string", "null"]}, 1, "must be a string or null"),
        ({"enum": ["a", "b"]}, "c", 'must be one of ["a", "b"]'),
        ({"const": 3}, 4, "must be 3"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1, "must be of type string or null"),
        ({"oneOf": [{}, {}]}, 1, "fits more than one of the forms of which it must fit exactly one"),
        ({"not": {"type": "integer"}}, 1, "fits a form that is excluded"),
        ({"multipleOf": 0.5}, 0.7, "must be a multiple of 0.5"),
        ({"exclusiveMaximum": 3}, 3, "must be less than 3"),
        ({"maxItems": 1}, [1, 2], "must have at most 1 items"),
        ({"uniqueItems": True}, [1, 1.0], "must not hold the same item twice"),
        ({"contains": {"type": "string"}}, [1], "does not hold an item of the required form"),
        ({"pattern": "^a+$"}, "b", 'must match the pattern "^a+$"'),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, 'lacks a member that another one needs: {"a": ["b"]}'),
        ({"prefixItems": [{}], "items": False}, [1, 2], "has more items than are declared"),
        ({"patternProperties": {"^x": {}}, "additionalProperties": False}, {"y": 1},
         "has a member that is not declared"),
        ({"propertyNames": {"maxLength": 2}}, {"abc": 1}, "must have at most 2 characters"),
        ({"unevaluatedProperties": False}, {"a": 1}, "has members that are not declared"),
        (False, 1, "is not allowed here"),
    ],
)  # fmt: skip
def test_messages(schema: Any, data: Any, message: str) -> None:
    check(compile_schema({"allOf": [schema]} if schema is False else schema), data, Violation("", message))


def test_the_nearest_form_of_a_union_is_named() -> None:
    forms = [
        {"properties": {"kind": {"const": "circle"}, "radius": {"type": "number"}}, "required": ["kind"]},
        {"properties": {"kind": {"const": "square"}, "side": {"type": "number"}}, "required": ["kind"]},
    ]
    (only,) = compile_schema({"oneOf": forms}).violations({"kind": "triangle"})
    assert "fits none of the allowed forms" in only.message
    assert "/kind" in only.message


def test_messages_never_repeat_the_value() -> None:
    secret = "sk-very-secret-value-" + "x" * 500
    schema = {
        "properties": {"a": {"type": "integer"}, "b": {"enum": [1]}, "c": {"pattern": "^z"}, "d": {"const": "q"},
                       "e": {"anyOf": [{"type": "integer"}, {"maxLength": 2}]}, "f": {"not": {}}, "g": False}
    }  # fmt: skip
    found = compile_schema(schema).violations(dict.fromkeys("abcdefg", secret))
    assert len(found) == 7
    assert all("secret" not in one.message and len(one.message) <= 200 for one in found)
    (extra,) = compile_schema({"additionalProperties": False}).violations({"k" * 500: 1})
    assert len(extra.message) < 120


def test_what_is_no_json() -> None:
    anything = compile_schema({})
    check(anything, {"a": [1, {"b~": math.nan}]},
          Violation("/a/1/b~0", "holds a number that is not finite (NaN or Infinity)"))  # fmt: skip
    check(anything, -math.inf, Violation("", "holds a number that is not finite (NaN or Infinity)"))
    check(anything, {"a": {1: 2}}, Violation("/a", "has a key of type int; keys must be strings"))
    check(anything, {"a": (1, 2)}, Violation("/a", "holds a value of type tuple, which is no JSON data"))
    check(anything, {"a": b"x"}, Violation("/a", "holds a value of type bytes, which is no JSON data"))
    for flat in ({1: "x"}, {"a": math.nan}, {"a": {1, 2}}):
        assert not anything.is_valid(flat)


def test_subclasses_of_the_plain_types_are_data() -> None:
    class Name(str):
        __slots__ = ()

    validator = compile_schema(PERSON)
    check(validator, OrderedDict(name=Name("Ann")))
    check(validator, OrderedDict(name=Name("")), Violation("/name", "must have at least 1 characters"))


def test_lone_surrogates_and_big_integers_are_data() -> None:
    check(compile_schema({"type": "object"}), {"a": "\ud800"})
    check(compile_schema({"properties": {"a": {"pattern": "x"}}}), {"a": "\ud800"},
          Violation("/a", 'must match the pattern "x"'))  # fmt: skip
    big = compile_schema({"properties": {"a": {"type": "integer", "maximum": 2**70}}})
    check(big, {"a": 2**70})
    check(big, {"a": 2**70 + 1}, Violation("/a", f"must be at most {2**70}"))


@pytest.mark.parametrize("deep", [65, 1_000, 200_000])
def test_deep_data_are_refused(deep: int) -> None:
    data: Any = 1
    for _ in range(deep):
        data = [data]
    check(compile_schema({}), data, Violation("", "is nested deeper than 64 levels; flatten it"))
    check(compile_schema({}), {"a": data}, Violation("", "is nested deeper than 64 levels; flatten it"))


def test_sixty_four_levels_are_read() -> None:
    tree = compile_schema({"type": ["array", "integer"], "items": {"$ref": "#"}})
    data: Any = 1
    for _ in range(64):
        data = [data]
    check(tree, data)


def test_data_with_too_many_values_are_refused() -> None:
    check(compile_schema({}), [0] * 200_001, Violation("", "holds more than 200000 values; make it smaller"))
    check(compile_schema({}), [[0] * 300] * 700, Violation("", "holds more than 200000 values; make it smaller"))
    assert compile_schema({"items": {"type": "integer"}}).is_valid([0] * 190_000)


def test_a_tower_of_choices_ends() -> None:
    schema: dict[str, Any] = {"$defs": {"s0": {"type": "string"}}, "$ref": "#/$defs/s40"}
    for level in range(1, 41):
        schema["$defs"][f"s{level}"] = {"anyOf": [{"$ref": f"#/$defs/s{level - 1}"}] * 2}
    validator = compile_schema(schema)
    assert validator.is_valid("yes")
    assert not validator.is_valid(1)
    assert validator.violations(1) == [
        Violation("", "is too big for this schema to be checked completely; make it smaller, or the schema simpler")
    ]


def test_a_recursive_choice_ends() -> None:
    branch = {"properties": {"a": {"$ref": "#"}}}
    schema = {"anyOf": [{**branch, "required": ["x"]}, {**branch, "required": ["y"]}]}
    data: dict[str, Any] = {"x": 1}
    for _ in range(60):
        data = {"a": data, "y": 1}
    validator = compile_schema(schema)
    assert validator.is_valid({"a": {"a": {"x": 1}, "y": 1}, "y": 1})
    assert not validator.is_valid({**data, "y": 1, "a": {"a": data}})
    assert not validator.is_valid({"a": 1})


def test_unique_items_take_time_in_proportion() -> None:
    items = [{"id": number, "tags": [str(number), None]} for number in range(5_000)]
    validator = compile_schema({"uniqueItems": True})
    assert validator.is_valid(items)
    check(validator, [*items, {"tags": ["7", None], "id": 7.0}], Violation("", "must not hold the same item twice"))
    check(validator, [1, True, "1", None, False, 0])


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|a)*b", "^(.*)*$", "(x+x+)+y", r"^(a+)+\1$", "(?=(a+)+b)c"])
def test_a_catastrophic_pattern_ends(pattern: str) -> None:
    validator = compile_schema({"properties": {"a": {"pattern": pattern}}})
    text = "a" * 5_000 + "!"
    validator.is_valid({"a": text})
    assert isinstance(validator.violations({"a": "x" * 5_000}), list)


def test_compiled_once() -> None:
    schema = {"type": "object", "title": "compiled once"}
    assert compile_schema(schema) is compile_schema(dict(schema))
    assert compile_schema(json.loads(json.dumps(schema))) is compile_schema(schema)
    assert compile_schema({"title": "another"}) is not compile_schema(schema)


def test_the_shape_of_data() -> None:
    shape = measure({"a": [1, 2.5, {"b": None}], "c": "x"})
    assert (shape.problem, shape.depth, shape.nodes, shape.exact) == (None, 3, 1 + 4 + 3 + 2, True)
    assert measure("x").depth == 0
    assert not measure({"a": OrderedDict()}).exact
