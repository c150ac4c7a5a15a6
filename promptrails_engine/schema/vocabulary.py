"""The words of JSON Schema: which drafts and keywords are read, and where a keyword holds further schemas.

Source: the vocabularies of draft 2020-12 (json-schema.org/draft/2020-12/schema) and the keywords of drafts 4, 6, 7 and
2019-09 that it replaced.
"""

from __future__ import annotations

from enum import Enum


class Place(Enum):
    """How a keyword holds schemas, and to what they apply."""

    SAME = "the same value"
    SAME_LIST = "the same value, a list of schemas"
    SAME_MAP = "the same value, schemas by name"
    CHILD = "a member or an item"
    CHILD_LIST = "items, a list of schemas"
    CHILD_MAP = "members, schemas by name"
    NONE = "nothing by itself"
    NONE_MAP = "nothing by itself, schemas by name"


PLACES: dict[str, Place] = {
    "allOf": Place.SAME_LIST,
    "anyOf": Place.SAME_LIST,
    "oneOf": Place.SAME_LIST,
    "not": Place.SAME,
    "if": Place.SAME,
    "then": Place.SAME,
    "else": Place.SAME,
    "dependentSchemas": Place.SAME_MAP,
    "dependencies": Place.SAME_MAP,
    "properties": Place.CHILD_MAP,
    "patternProperties": Place.CHILD_MAP,
    "additionalProperties": Place.CHILD,
    "unevaluatedProperties": Place.CHILD,
    "propertyNames": Place.CHILD,
    "items": Place.CHILD,
    "additionalItems": Place.CHILD,
    "unevaluatedItems": Place.CHILD,
    "contains": Place.CHILD,
    "prefixItems": Place.CHILD_LIST,
    "contentSchema": Place.NONE,
    "$defs": Place.NONE_MAP,
    "definitions": Place.NONE_MAP,
}

ASSERTIONS = frozenset(
    {
        "$ref", "$anchor", "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
        "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains",
        "minContains", "maxProperties", "minProperties", "required", "dependentRequired", "$schema",
    }
)  # fmt: skip

ANNOTATIONS = frozenset(
    {
        "$comment", "title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples", "example",
        "format", "contentEncoding", "contentMediaType", "contentSchema", "discriminator", "externalDocs", "xml",
    }
)  # fmt: skip
"""Kept in the schema, never checked; `example`, `discriminator`, `externalDocs` and `xml` are OpenAPI's."""

DRAFTS: dict[str, str] = {
    "json-schema.org/draft/2020-12/schema": "Draft202012Validator",
    "json-schema.org/draft/2019-09/schema": "Draft201909Validator",
    "json-schema.org/draft-07/schema": "Draft7Validator",
    "json-schema.org/draft-06/schema": "Draft6Validator",
    "json-schema.org/draft-04/schema": "Draft4Validator",
    "json-schema.org/schema": "Draft202012Validator",
}
"""`$schema` without its scheme and `#`, and the class of both validator libraries that reads it."""

LATEST = "Draft202012Validator"

# In the newest draft these are either gone or mean nothing, which would silently check less than was asked for.
REPLACED: dict[str, str] = {
    "dependencies": "use 'dependentRequired' or 'dependentSchemas'",
    "additionalItems": "use 'prefixItems' with 'items'",
    "$recursiveRef": "use '$dynamicRef' or '$ref'",
    "$recursiveAnchor": "use '$dynamicAnchor' or '$anchor'",
}
_ONLY_OLDER = frozenset(REPLACED) | {"id"}
_ONLY_LATEST = frozenset({"prefixItems", "$dynamicRef", "$dynamicAnchor"})
_SINCE_2019 = frozenset(
    {
        "dependentSchemas", "dependentRequired", "unevaluatedItems", "unevaluatedProperties", "maxContains",
        "minContains", "$anchor",
    }
)  # fmt: skip
_RECURSIVE = frozenset({"$recursiveRef", "$recursiveAnchor"})

TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})

TYPE_ALIASES: dict[str, str] = {
    "str": "string", "text": "string", "char": "string", "varchar": "string", "uuid": "string", "date": "string",
    "datetime": "string", "enum": "string", "float": "number", "double": "number", "decimal": "number",
    "int": "integer", "long": "integer", "int32": "integer", "int64": "integer", "bool": "boolean", "list": "array",
    "tuple": "array", "dict": "object", "map": "object", "json": "object", "none": "null",
}  # fmt: skip


def keywords(draft: str) -> frozenset[str]:
    """The keywords that a schema of this draft may use."""
    known = ASSERTIONS | ANNOTATIONS | frozenset(PLACES) | _ONLY_LATEST | _ONLY_OLDER | {"$id"}
    if draft == LATEST:
        return known - _ONLY_OLDER
    if draft == "Draft201909Validator":
        return known - _ONLY_LATEST - {"id"}
    return known - _ONLY_LATEST - _SINCE_2019 - _RECURSIVE


def draft_of(declared: str) -> str | None:
    """The validator class for a `$schema`, or None where it is not one that is read."""
    for scheme in ("https://", "http://"):
        if declared.startswith(scheme):
            return DRAFTS.get(declared.removeprefix(scheme).removesuffix("#").rstrip("/"))
    return None
