"""Any schema that a user may write, in one standard form: a JSON Schema that can be checked safely."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, cast

from promptrails_engine.errors import DefinitionError
from promptrails_engine.schema.check import check_schema
from promptrails_engine.schema.graph import Path, subschemas
from promptrails_engine.schema.instance import locate, measure, pointer
from promptrails_engine.schema.kinds import is_array, is_object
from promptrails_engine.schema.vocabulary import LATEST, REPLACED, TYPE_ALIASES, TYPES, draft_of, keywords

MAX_SCHEMA_DEPTH = 128
"""Levels of nesting in a schema; each level of the data that it describes takes two."""
MAX_SCHEMA_NODES = 20_000
"""Values in a schema, counted at every level."""

_PARAMETER_KEYS = frozenset({"name", "type", "required", "default"})
_BESIDE_PARAMETERS = frozenset({"parameters", "title", "description"})
_FALSE_TRUE = {"false": False, "true": True, "0": False, "1": True, "no": False, "yes": True}


def normalise_schema(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The schema as a JSON Schema in standard form, a new object; {} (anything goes) for none.

    Reads JSON Schema of draft 2020-12, and of drafts 4 to 2019-09 where `$schema` says so, and the form
    `{"parameters": [{"name", "type", "required", "description", "default"}]}`.  Lifts `"required": true` from a
    property to its object, replaces other names of types (`text`, `float`, `list`, ...), and turns OpenAPI's
    `nullable` into a type.  Annotations (`title`, `format`, `examples`, OpenAPI's `example` and `discriminator`,
    everything that begins with `x-`) are kept and never checked.  Idempotent.

    Raises:
        DefinitionError: it is no schema, has an unknown keyword, refers to something outside, or is too big.
    """
    if schema is None:
        return {}
    if not isinstance(schema, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise DefinitionError(f"a schema must be an object, not {type(schema).__name__}")
    root = dict(schema)
    shape = measure(root, max_depth=MAX_SCHEMA_DEPTH, max_nodes=MAX_SCHEMA_NODES)
    if shape.problem is not None:
        problem = locate(root, shape.problem)
        raise DefinitionError(f"the schema at '{problem.pointer}' {problem.message}")
    if is_array(root.get("parameters")) and not (root.keys() - _BESIDE_PARAMETERS):
        root = _from_parameters(root)
    draft = _draft(root)
    copied = cast("dict[str, Any]", _copy(root))
    _standardise(copied, draft)
    check_schema(copied, draft)
    return copied


def _draft(root: dict[str, Any]) -> str:
    declared = root.get("$schema")
    if declared is None:
        return LATEST
    draft = draft_of(declared) if isinstance(declared, str) else None
    if draft is None:
        raise DefinitionError(
            "the '$schema' of this schema is not one that is read; leave it out, or use "
            "'https://json-schema.org/draft/2020-12/schema' (drafts 4 to 2019-09 of json-schema.org are read as well)"
        )
    return draft


def _copy(value: Any) -> Any:
    """A deep copy; what is no JSON has been refused before."""
    if is_object(value):
        return {key: _copy(member) for key, member in value.items()}
    if is_array(value):
        return [_copy(item) for item in value]
    return value


# ------------------------------------------------------------------ the form of parameters


def _from_parameters(root: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for index, entry in enumerate(root["parameters"]):
        where = f"/parameters/{index}"
        if not is_object(entry):
            raise DefinitionError(f"the schema at '{where}' must be an object with a 'name'")
        parameter = entry
        name = parameter.get("name")
        if not isinstance(name, str) or not name:
            raise DefinitionError(f"the parameter at '{where}' needs a 'name'")
        if name in properties:
            raise DefinitionError(f"the parameter at '{where}' has a name that is used before; names must differ")
        properties[name] = _property(parameter, where)
        if _truth(parameter.get("required", False), f"{where}/required"):
            required.append(name)
    out: dict[str, Any] = {key: root[key] for key in ("title", "description") if key in root}
    out.update(type="object", properties=properties)
    if required:
        out["required"] = required
    return out


def _property(parameter: dict[str, Any], where: str) -> dict[str, Any]:
    rest = {key: value for key, value in parameter.items() if key not in _PARAMETER_KEYS}
    if not rest.get("description"):
        rest.pop("description", None)
    declared = parameter.get("type") or "string"
    kind = _type_name(declared) if isinstance(declared, str) else declared
    default = parameter.get("default")
    # Defaults travel as text there, and an absent one as "".
    if isinstance(default, str) and kind != "string":
        default = _parsed_default(default, kind, where) if default.strip() else None
    if default is None or default == "":
        return {"type": kind, **rest}
    return {"type": kind, **rest, "default": default}


def _parsed_default(text: str, kind: Any, where: str) -> Any:
    try:
        value = _FALSE_TRUE[text.strip().lower()] if kind == "boolean" else json.loads(text)
    except (KeyError, ValueError):
        raise DefinitionError(f"the default at '{where}/default' is no value of type '{kind}'") from None
    return value


def _truth(value: Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _FALSE_TRUE:
        return _FALSE_TRUE[value.lower()]
    raise DefinitionError(f"the value at '{where}' must be true or false")


# ------------------------------------------------------------------ one schema after the other


def _standardise(root: dict[str, Any], draft: str) -> None:
    """Bring every schema of the copy into standard form, in place."""
    known = keywords(draft)
    stack: list[tuple[Path, Any]] = [((), root)]
    while stack:
        path, schema = stack.pop()
        if not is_object(schema):
            continue  # a boolean, or something that the check refuses with its place
        current = schema
        _lift_required(current)
        _name_types(current)
        _read_nullable(current, path)
        _refuse_unknown(current, path, known)
        stack.extend(((*path, *step), inner) for _, _, step, inner in subschemas(current))


def _lift_required(schema: dict[str, Any]) -> None:
    properties = schema.get("properties")
    if not is_object(properties):
        return
    lifted: list[str] = []
    for name, inner in properties.items():
        if is_object(inner):
            member = inner
            if isinstance(member.get("required"), bool) and member.pop("required"):
                lifted.append(name)
    if lifted:
        present = schema.get("required")
        before = present if is_array(present) else []
        schema["required"] = before + [name for name in lifted if name not in before]


def _name_types(schema: dict[str, Any]) -> None:
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = _type_name(kind)
    elif is_array(kind):
        named = [_type_name(item) if isinstance(item, str) else item for item in kind]
        schema["type"] = [item for index, item in enumerate(named) if item not in named[:index]]


def _type_name(name: str) -> str:
    lower = name.strip().lower()
    return lower if lower in TYPES else TYPE_ALIASES.get(lower, name)


def _read_nullable(schema: dict[str, Any], path: Path) -> None:
    if "nullable" not in schema:
        return
    if schema.pop("nullable") is not True:
        return
    kind = schema.get("type")
    if kind is None:
        raise DefinitionError(f"'nullable' at '{pointer(path)}' needs a 'type' beside it; or use anyOf with null")
    kinds = kind if is_array(kind) else [kind]
    schema["type"] = [*kinds, "null"] if "null" not in kinds else kinds
    if is_array(schema.get("enum")) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]


def _refuse_unknown(schema: dict[str, Any], path: Path, known: frozenset[str]) -> None:
    for word in schema:
        if word in known or word.startswith("x-"):
            continue
        where = pointer((*path, word))
        if word in REPLACED:
            raise DefinitionError(f"the keyword at '{where}' is not part of draft 2020-12: {REPLACED[word]}")
        close = get_close_matches(word, sorted(known), n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise DefinitionError(
            f"the keyword at '{where}' is unknown: {hint}Only keywords of JSON Schema are read; "
            "begin the name of a note of your own with 'x-'"
        )
