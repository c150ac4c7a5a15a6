"""The two validator libraries say the same about schemas and data of every kind that the fast one is trusted with."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine.schema import compile_schema

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jsonschema_rs") is None, reason="needs jsonschema-rs")

NAMES = st.sampled_from(["a", "b", "c", "é"])
NUMBERS = st.one_of(
    st.integers(-5, 5), st.integers(-(10**20), 10**20), st.floats(-5, 5).map(lambda x: round(x, 2)), st.just(1e300)
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.text("ab1 é\n", max_size=4))
DATA = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)
TYPES = st.sampled_from(["string", "number", "integer", "boolean", "null", "array", "object"])
SMALL = st.integers(0, 3)


def _one_of_these(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=options)


FLAT = _one_of_these(
    type=st.one_of(TYPES, st.lists(TYPES, min_size=1, max_size=3, unique=True)),
    enum=st.lists(DATA, min_size=1, max_size=3),
    const=DATA,
    minimum=NUMBERS,
    maximum=NUMBERS,
    exclusiveMinimum=NUMBERS,
    exclusiveMaximum=NUMBERS,
    multipleOf=st.integers(1, 4),
    minLength=SMALL,
    maxLength=SMALL,
    pattern=st.sampled_from(["^a", "b$", "[0-9]", "^$", "a b", "^(a|b)*$", r"\d"]),
    minItems=SMALL,
    maxItems=SMALL,
    uniqueItems=st.booleans(),
    minProperties=SMALL,
    maxProperties=SMALL,
    required=st.lists(NAMES, max_size=2, unique=True),
    dependentRequired=st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2),
    format=st.sampled_from(["email", "date"]),
)


def _larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    some = st.lists(inner, min_size=1, max_size=3)
    nested = _one_of_these(
        properties=st.dictionaries(NAMES, inner, max_size=3),
        additionalProperties=inner,
        propertyNames=inner,
        dependentSchemas=st.dictionaries(NAMES, inner, max_size=2),
        items=inner,
        prefixItems=some,
        contains=inner,
        minContains=SMALL,
        maxContains=SMALL,
        allOf=some,
        anyOf=some,
        oneOf=some,
    )
    more = st.fixed_dictionaries({}, optional={"not": inner, "if": inner, "then": inner, "else": inner})
    return st.builds(lambda *parts: {k: v for part in parts for k, v in part.items()}, FLAT, nested, more)


SCHEMAS = st.recursive(st.one_of(FLAT, st.booleans()), _larger, max_leaves=6).filter(lambda s: isinstance(s, dict))


@settings(max_examples=100)
@given(schema=SCHEMAS, data=st.lists(DATA, min_size=1, max_size=4))
def test_yes_means_no_violation(schema: dict[str, Any], data: list[Any]) -> None:
    validator = compile_schema(schema)
    assert validator._fast is not None
    for one in data:
        reference = validator._reference.violations(one)
        assert not validator._fast(one) or reference == [], (schema, one, reference)  # only its yes is believed
        assert validator.is_valid(one) is (reference == [])
        assert validator.violations(one) == reference


@settings(max_examples=40)
@given(schema=SCHEMAS, data=DATA)
def test_draft_seven_as_well(schema: dict[str, Any], data: Any) -> None:
    new = ("prefixItems", "dependentRequired", "dependentSchemas", "minContains", "maxContains")
    older: dict[str, Any] = json.loads(json.dumps(schema))

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(inner) for key, inner in value.items() if key not in new}
        return [strip(inner) for inner in value] if isinstance(value, list) else value

    validator = compile_schema({"$schema": "http://json-schema.org/draft-07/schema#", **strip(older)})
    assert validator._fast is not None
    reference = validator._reference.violations(data)
    assert not validator._fast(data) or reference == []  # its no is asked again: 1e300 is no multiple of 3 to it
    assert validator.is_valid(data) is (reference == [])


@pytest.mark.parametrize(
    "schema",
    [{"multipleOf": 0.1}, {"patternProperties": {"^a": {}}}, {"unevaluatedProperties": False},
     {"unevaluatedItems": False}],
)  # fmt: skip
def test_where_they_differ_jsonschema_decides(schema: dict[str, Any]) -> None:
    assert compile_schema(schema)._fast is None
    assert compile_schema({"properties": {"x": schema}})._fast is None


def test_fractions_follow_jsonschema() -> None:
    validator = compile_schema({"multipleOf": 0.1})
    assert validator.is_valid(0.5)
    assert validator.is_valid(0.3) is (validator.violations(0.3) == [])
