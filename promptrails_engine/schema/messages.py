"""What a broken rule is called.  Messages name the rule and never repeat the value: that may be secret, or huge."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from promptrails_engine.errors import Violation
from promptrails_engine.schema.instance import pointer, shorten

_SHOWN = 60


def violation(error: Any) -> Violation:
    """The violation for an error of jsonschema."""
    return Violation(pointer(tuple(error.absolute_path)), describe(error))


def describe(error: Any) -> str:
    """What is wrong, in the words of the schema."""
    writer = _WRITERS.get(error.validator)
    if writer is None:
        return "is not allowed here" if error.validator is None else f"breaks the rule '{error.validator}'"
    return writer(error)


def _shown(value: Any) -> str:
    """A value of the schema, short."""
    return shorten(json.dumps(value, ensure_ascii=False), _SHOWN)


def _names(names: list[str]) -> str:
    shown = ", ".join(f"'{shorten(name, 40)}'" for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _type(error: Any) -> str:
    wanted = error.validator_value
    kinds: list[str] = [wanted] if isinstance(wanted, str) else list(wanted)
    article = "an" if kinds[0][:1] in "aeio" else "a"
    return f"must be {article} {' or '.join(kinds)}"


def _required(error: Any) -> str:
    # jsonschema reports each missing member by itself and names it only in its text.
    for name in error.validator_value:
        if error.message.startswith(repr(name)):
            return f"lacks the required member '{shorten(name)}'"
    return f"lacks a required member of {_shown(error.validator_value)}"


def _extra(error: Any) -> str:
    declared = error.schema.get("properties", {})
    extra = sorted(name for name in error.instance if name not in declared)
    if error.schema.get("patternProperties"):
        return "has a member that is not declared"
    return f"has members that are not declared: {_names(extra)}"


def _enum(error: Any) -> str:
    return f"must be one of {_shown(error.validator_value)}"


def _alternatives(error: Any) -> str:
    if error.validator == "oneOf" and not error.context:
        return "fits more than one of the forms of which it must fit exactly one"
    kinds = [inner for inner in error.context if inner.validator == "type" and not inner.relative_path]
    if kinds and len(kinds) == len(error.context):
        named: list[str] = []
        for inner in kinds:
            wanted = inner.validator_value
            named.extend([wanted] if isinstance(wanted, str) else list(wanted))
        return f"must be of type {' or '.join(dict.fromkeys(named))}"
    # The branch that got furthest into the data is most likely the one that was meant.
    nearest = max(error.context, key=lambda inner: (len(inner.relative_path), inner.validator != "type"), default=None)
    if nearest is None:
        return "fits none of the allowed forms"
    return shorten(
        f"fits none of the allowed forms; nearest: {pointer(tuple(nearest.relative_path)) or 'it'} {describe(nearest)}",
        200,
    )


def _dependent(error: Any) -> str:
    return f"lacks a member that another one needs: {_shown(error.validator_value)}"


def _limit(text: str) -> Callable[[Any], str]:
    def write(error: Any) -> str:
        return text.format(_shown(error.validator_value))

    return write


_WRITERS: dict[str, Callable[[Any], str]] = {
    "type": _type,
    "required": _required,
    "additionalProperties": _extra,
    "unevaluatedProperties": _limit("has members that are not declared"),
    "additionalItems": _limit("has more items than are declared"),
    "unevaluatedItems": _limit("has items that are not declared"),
    "items": _limit("has more items than are declared"),
    "enum": _enum,
    "const": _limit("must be {}"),
    "anyOf": _alternatives,
    "oneOf": _alternatives,
    "not": _limit("fits a form that is excluded"),
    "minimum": _limit("must be at least {}"),
    "maximum": _limit("must be at most {}"),
    "exclusiveMinimum": _limit("must be more than {}"),
    "exclusiveMaximum": _limit("must be less than {}"),
    "multipleOf": _limit("must be a multiple of {}"),
    "minLength": _limit("must have at least {} characters"),
    "maxLength": _limit("must have at most {} characters"),
    "pattern": _limit("must match the pattern {}"),
    "minItems": _limit("must have at least {} items"),
    "maxItems": _limit("must have at most {} items"),
    "uniqueItems": _limit("must not hold the same item twice"),
    "contains": _limit("does not hold an item of the required form"),
    "minContains": _limit("must hold at least {} items of the required form"),
    "maxContains": _limit("must hold at most {} items of the required form"),
    "minProperties": _limit("must have at least {} members"),
    "maxProperties": _limit("must have at most {} members"),
    "dependentRequired": _dependent,
    "dependencies": _dependent,
}
