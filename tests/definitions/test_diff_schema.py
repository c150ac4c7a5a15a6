"""Schema diffs: golden cases, and a proof by sampling that what is called harmless is."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from promptrails_engine.definitions.diff_schema import diff_schema


def obj(*required: str, closed: bool = False, **properties: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return schema | ({"additionalProperties": False} if closed else {})


TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
REF = {"$ref": "#/$defs/A"}

# old, new, [(path, aspect, kind, breaks callers of an input, breaks consumers of an output)]
GOLDEN: dict[str, tuple[Any, Any, list[tuple[str, str, str, bool, bool]]]] = {
    "optional property added": (obj(), obj(a=TEXT), [("a", "", "added", False, False)]),
    "required property added": (obj(), obj("a", a=TEXT), [("a", "", "added", True, False)]),
    "added to a closed object": (obj(closed=True), obj(a=TEXT, closed=True), [("a", "", "added", False, True)]),
    "property removed": (obj(a=TEXT), obj(), [("a", "", "removed", False, True)]),
    "removed from a closed object": (obj(a=TEXT, closed=True), obj(closed=True), [("a", "", "removed", True, True)]),
    "became required": (obj(a=TEXT), obj("a", a=TEXT), [("a", "required", "changed", True, False)]),
    "became optional": (obj("a", a=TEXT), obj(a=TEXT), [("a", "required", "changed", False, True)]),
    "type changed": (obj(a=TEXT), obj(a=WHOLE), [("a", "type", "changed", True, True)]),
    "type widened": (obj(a=WHOLE), obj(a=NUMBER), [("a", "type", "changed", False, True)]),
    "type narrowed": (obj(a=NUMBER), obj(a=WHOLE), [("a", "type", "changed", True, False)]),
    "null allowed": (obj(a=TEXT), obj(a={"type": ["string", "null"]}), [("a", "type", "changed", False, True)]),
    "null allowed by anyOf": (
        obj(a={**TEXT, "title": "A"}), obj(a={"anyOf": [TEXT, {"type": "null"}], "title": "A"}),
        [("a", "anyOf", "added", False, True)],
    ),
    "enum value added": (obj(a={"enum": ["x"]}), obj(a={"enum": ["x", "y"]}), [("a", "enum", "changed", False, True)]),
    "enum value removed": (obj(a={"enum": [1, 2]}), obj(a={"enum": [2.0]}), [("a", "enum", "changed", True, False)]),
    "enum added": (obj(a=TEXT), obj(a={**TEXT, "enum": ["x"]}), [("a", "enum", "added", True, False)]),
    "const changed": (obj(a={"const": 1}), obj(a={"const": 2}), [("a", "enum", "changed", True, True)]),
    "minimum raised": (obj(a={"minimum": 1}), obj(a={"minimum": 2}), [("a", "minimum", "changed", True, False)]),
    "maximum raised": (obj(a={"maximum": 1}), obj(a={"maximum": 2}), [("a", "maximum", "changed", False, True)]),
    "length limited": (obj(a=TEXT), obj(a={**TEXT, "maxLength": 5}), [("a", "maxLength", "added", True, False)]),
    "pattern changed": (
        obj(a={**TEXT, "pattern": "a"}), obj(a={**TEXT, "pattern": "b"}), [("a", "pattern", "changed", True, True)],
    ),
    "multiple of more": (
        obj(a={"multipleOf": 2}), obj(a={"multipleOf": 4}), [("a", "multipleOf", "changed", True, False)],
    ),
    "unique": (
        obj(a={"type": "array"}), obj(a={"type": "array", "uniqueItems": True}),
        [("a", "uniqueItems", "added", True, False)],
    ),
    "closed": (obj(a=TEXT), obj(a=TEXT, closed=True), [("", "additionalProperties", "changed", True, False)]),
    "nested": (obj(a=obj(b=TEXT)), obj(a=obj("b", b=TEXT)), [("a.b", "required", "changed", True, False)]),
    "item type": (
        obj(a={"type": "array", "items": obj(b=WHOLE)}), obj(a={"type": "array", "items": obj(b=TEXT)}),
        [("a[].b", "type", "changed", True, True)],
    ),
    "odd names": (obj(**{"a.b": TEXT}), obj(**{"a.b": WHOLE}), [('["a.b"]', "type", "changed", True, True)]),
    "description": (
        obj(a={**TEXT, "description": "x"}), obj(a={**TEXT, "description": "y"}),
        [("a", "description", "changed", False, False)],
    ),
    "order of words": (obj("a", "b"), obj("b", "a"), [("", "", "changed", False, False)]),
    "through a reference": (
        {**obj(a=REF), "$defs": {"A": obj(b=TEXT)}}, {**obj(a=REF), "$defs": {"A": obj(b=WHOLE)}},
        [("a.b", "type", "changed", True, True)],
    ),
    "reference put in place": (
        obj(a=TEXT), {**obj(a=REF), "$defs": {"A": {"type": "string"}}}, [("", "", "changed", False, False)],
    ),
    "a rule beside a reference": (
        {**obj(a=REF), "$defs": {"A": WHOLE}}, {**obj(a={**REF, "minimum": 1}), "$defs": {"A": WHOLE}},
        [
            ("a", "minimum", "added", True, False), ("a", "allOf", "added", True, False),
            ("a", "type", "removed", False, True),
        ],
    ),
    "a recursive definition": (
        {**obj(a=REF), "$defs": {"A": obj(next=REF, v=TEXT)}}, {**obj(a=REF), "$defs": {"A": obj(next=REF, v=WHOLE)}},
        [("a.v", "type", "changed", True, True)],
    ),
    "what cannot be compared": (
        obj(a={"oneOf": [TEXT, WHOLE]}), obj(a={"oneOf": [TEXT, WHOLE, NUMBER]}),
        [("a", "oneOf", "changed", True, True)],
    ),
    "a branch more": (
        {"allOf": [obj(a=TEXT)]}, {"allOf": [obj(a=TEXT), obj("b")]}, [("", "allOf", "added", True, False)],
    ),
    "schema where there was none": (
        {}, obj("a", b=TEXT), [("b", "", "added", False, False), ("a", "", "added", True, False)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), GOLDEN.values(), ids=GOLDEN.keys())
def test_golden(old: Any, new: Any, expected: list[tuple[str, str, str, bool, bool]]) -> None:
    found = list(diff_schema("input_schema", old, new))
    assert sorted((c.path, c.aspect, c.kind, c.breaking) for c in found) == sorted(e[:4] for e in expected)
    if old:
        found = list(diff_schema("output_schema", old, new))
        assert sorted((c.path, c.aspect, c.kind, c.breaking) for c in found) == sorted((*e[:3], e[4]) for e in expected)


def test_an_output_schema_that_comes_or_goes_changes_the_form_of_the_output() -> None:
    for old, new, kind in (({}, obj(), "added"), (obj(), None, "removed")):
        [change] = diff_schema("output_schema", old, new)
        assert (change.kind, change.breaking) == (kind, True)


def test_summaries() -> None:
    old = obj("a", a=WHOLE, b={"enum": ["x", "y"]}, c={"minimum": 1})
    new = obj("a", a={"type": ["string", "null"]}, b={"enum": ["y", "z"]}, c={"minimum": 2}, d=TEXT)
    assert [change.summary for change in diff_schema("input_schema", old, new)] == [
        "a: type changed from integer to string or null",
        'b: enum without "x" and with "z"',
        "c: minimum changed: 1 -> 2",
        "d: added (optional)",
    ]


def test_a_schema_too_large_to_compare_counts_as_breaking() -> None:
    def tree(depth: int, leaf: Any) -> Any:
        return leaf if depth == 0 else obj(a=tree(depth - 1, leaf), b=tree(depth - 1, leaf))

    def folded(leaf: Any) -> Any:
        defs = {f"d{n}": obj(a={"$ref": f"#/$defs/d{n - 1}"}, b={"$ref": f"#/$defs/d{n - 1}"}) for n in range(1, 30)}
        return {"$ref": "#/$defs/d29", "$defs": {"d0": leaf, **defs}}

    assert not any(c.breaking for c in diff_schema("input_schema", tree(5, WHOLE), tree(5, NUMBER)))
    assert any(c.breaking for c in diff_schema("input_schema", folded(WHOLE), folded(NUMBER)))


# ------------------------------------------------------------------ soundness

LEAVES: list[Any] = [
    True, {}, TEXT, WHOLE, NUMBER, {"type": "null"}, {"type": ["string", "null"]}, {"enum": ["x", 1]}, {"enum": ["x"]},
    {"const": 1}, {"minimum": 1}, {"minimum": 2}, {"exclusiveMinimum": 1}, {"maximum": 1}, {"minLength": 1},
    {"maxLength": 1}, {"type": "integer", "minimum": 2}, {"multipleOf": 2}, {"pattern": "x"},
    {"type": "array", "items": WHOLE}, {"type": "array", "items": NUMBER}, {"type": "array", "minItems": 1},
    {"prefixItems": [WHOLE]}, {"prefixItems": [TEXT], "items": WHOLE}, {"contains": WHOLE}, {"contains": NUMBER},
    {"contains": WHOLE, "minContains": 0}, {"uniqueItems": True}, {"not": WHOLE}, {"not": NUMBER}, False,
    {"anyOf": [TEXT, WHOLE]}, {"anyOf": [TEXT, NUMBER]}, {"anyOf": [WHOLE, {"type": "null"}], "title": "t"},
    {"anyOf": [TEXT, WHOLE], "minimum": 2}, {"oneOf": [WHOLE, NUMBER]}, {"oneOf": [TEXT, WHOLE]},
    {"allOf": [NUMBER, {"minimum": 1}]}, {"allOf": [NUMBER]}, {"$ref": "#/$defs/A"},
    {"$ref": "#/$defs/A", "minimum": 1}, {"$ref": "#/$defs/gone"}, {"anyOf": [{"$ref": "#/$defs/A"}, TEXT]},
]  # fmt: skip
NAMED = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(LEAVES), max_size=2)
RULES = st.sampled_from([
    {}, {}, {}, {"minProperties": 1}, {"maxProperties": 1}, {"patternProperties": {"a": NUMBER}},
    {"propertyNames": {"maxLength": 1}}, {"unevaluatedProperties": False}, {"dependentRequired": {"a": ["b"]}},
    {"additionalProperties": True}, {"additionalProperties": False}, {"additionalProperties": TEXT},
])  # fmt: skip
OBJECTS = st.builds(
    lambda properties, required, more: {"type": "object", "properties": properties, "required": required, **more},
    NAMED,
    st.lists(st.sampled_from(["a", "b"]), unique=True),
    RULES,
)
ROOTS = st.builds(
    lambda schema, a: {**schema, "$defs": {"A": a}},
    st.one_of(OBJECTS, st.builds(lambda x, y: {"anyOf": [x, y]}, OBJECTS, OBJECTS), st.just({"$ref": "#/$defs/A"})),
    st.sampled_from([leaf for leaf in LEAVES if "$ref" not in str(leaf)]),
)
VALUES = ["x", "", "xy", 0, 1, 2, 1.0, 1.5, 4, None, True, [], [1], ["x"], [1.5, 1.5], [1, "x"], {}]
ABSENT = object()


def instances(names: set[str]) -> list[dict[str, Any]]:
    """Objects whose properties have these names."""
    choices = [[ABSENT, *VALUES] if name in names else [ABSENT] for name in ("a", "b")]
    return [
        {name: value for name, value in zip(("a", "b"), pair, strict=True) if value is not ABSENT}
        for pair in itertools.product(*choices)
    ]


def accepts(schema: Any, data: Any) -> bool:
    try:
        return bool(Draft202012Validator(schema).is_valid(data))
    except Exception:  # a reference that leads nowhere
        return False


def named(schema: dict[str, Any]) -> set[str]:
    nodes = schema.get("anyOf", [schema])
    return set.intersection(*({*node.get("properties", {}), *node.get("required", [])} for node in nodes))


@settings(max_examples=150, deadline=None)
@given(old=ROOTS, new=ROOTS)
def test_a_change_that_is_not_called_breaking_breaks_nothing(old: dict[str, Any], new: dict[str, Any]) -> None:
    if not any(change.breaking for change in diff_schema("input_schema", old, new)):
        for data in instances(named(old)):
            assert not accepts(old, data) or accepts(new, data), f"{data} is refused now"
    if not any(change.breaking for change in diff_schema("output_schema", old, new)):
        for data in instances({"a", "b"}):
            assert not accepts(new, data) or accepts(old, data), f"{data} can come out now"


def test_no_pair_of_rules_is_called_harmless_that_is_not() -> None:
    roots = [{**obj("a", a=leaf), "$defs": {"A": NUMBER}} for leaf in LEAVES]
    accepted = [{i for i, value in enumerate(VALUES) if accepts(root, {"a": value})} for root in roots]
    harmless = 0
    for (old, before), (new, after) in itertools.product(zip(roots, accepted, strict=True), repeat=2):
        if not any(change.breaking for change in diff_schema("input_schema", old, new)):
            assert before <= after, f"{old} -> {new}"
            harmless += 1
        if not any(change.breaking for change in diff_schema("output_schema", old, new)):
            assert after <= before, f"{old} -> {new}"
    assert harmless > 100
