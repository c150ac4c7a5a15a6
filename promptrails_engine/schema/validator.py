"""Checks data against a schema: fast where they are right, in plain words where they are wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any, cast

from promptrails_engine.errors import DefinitionError, Violation
from promptrails_engine.schema.cache import BoundedCache
from promptrails_engine.schema.check import check_schema
from promptrails_engine.schema.cost import Cost
from promptrails_engine.schema.defaults import Defaults
from promptrails_engine.schema.graph import Node, Path, refuse_loops
from promptrails_engine.schema.instance import Shape, locate, measure
from promptrails_engine.schema.kinds import class_of, is_array, is_object
from promptrails_engine.schema.libraries import fast_check, fast_library
from promptrails_engine.schema.normalise import normalise_schema
from promptrails_engine.schema.reference import Reference
from promptrails_engine.schema.vocabulary import ANNOTATIONS, LATEST, Place, draft_of

_FAST_COST = 500_000
"""Schemas that the fast library may look at in one check, about 50 ms."""
_FLAT_MEMBERS = 64
_ATOMS = frozenset({str, int, bool, type(None)})
_NOT_CHECKED = ANNOTATIONS | {"$schema", "$id", "id"}
_MAPS = frozenset({Place.CHILD_MAP, Place.SAME_MAP, Place.NONE_MAP})

# Where the two libraries are known to differ, jsonschema decides: fractions in binary or decimal, patterns of names in
# Python's dialect or ECMA's, and what counts as evaluated.
_DIFFERENT = frozenset(
    {"patternProperties", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"}
)


class SchemaValidator:
    """The compiled form of a schema in standard form; immutable, and safe to share between threads."""

    def __init__(self, schema: dict[str, Any], found: dict[Path, Node], draft: str) -> None:
        self._schema = schema
        self._found = found
        self._draft = draft
        self._plain = _plain(schema, found)
        self._cost = Cost(found, refuse_loops(found))
        self._fast = self._fast_check()
        affordable = self._cost.bound(1) * 2 * _FLAT_MEMBERS <= _FAST_COST
        self._flat = self._fast if affordable else None
        self._defaults = Defaults(found, lambda branch, value: self._reference.is_valid(value, branch))

    @property
    def schema(self) -> dict[str, Any]:
        """The schema in standard form, not to be changed."""
        return self._schema

    def is_valid(self, instance: Any) -> bool:
        """Whether the data are JSON data that fit the schema."""
        flat = self._flat
        kind = class_of(instance)
        if flat is not None and kind is dict and len(instance) <= _FLAT_MEMBERS:
            for value in instance.values():
                if class_of(value) not in _ATOMS:
                    break
            else:
                if _says_yes(flat, instance):
                    return True
        return self._is_valid(instance)

    def violations(self, instance: Any) -> list[Violation]:
        """Every broken rule, sorted by place (at most a hundred); [] for data that fit."""
        shape = measure(instance)
        if shape.problem is not None:
            return [locate(instance, shape.problem)]
        if self._fast is not None and self._suits(shape) and _says_yes(self._fast, instance):
            return []
        return self._reference.violations(instance)

    def with_defaults(self, instance: Any) -> Any:
        """The data with the schema's defaults for absent members at any depth; the same object where none is absent.

        The argument stays as it is; a new object shares with it what was there before.  Data that are too big to be
        checked come back as they are.
        """
        defaults = self._defaults
        if not defaults.needed:
            return instance
        kind = class_of(instance)
        filled = defaults.flat(instance) if kind is dict else None
        if filled is not None:
            return filled
        return instance if measure(instance).problem is not None else defaults.fill(instance)

    def _is_valid(self, instance: Any) -> bool:
        shape = measure(instance)
        if shape.problem is not None:
            return False
        if self._fast is not None and self._suits(shape) and _says_yes(self._fast, instance):
            return True
        return self._reference.is_valid(instance)

    def _suits(self, shape: Shape) -> bool:
        return shape.exact and (shape.nodes + 1) * self._cost.bound(shape.depth) <= _FAST_COST

    def _fast_check(self) -> Callable[[Any], bool] | None:
        if fast_library() is None or not all(_alike(node.schema) for node in self._found.values()):
            return None
        try:
            return fast_check(self._plain, self._draft)
        except ValueError:
            return None

    @cached_property
    def _reference(self) -> Reference:
        return Reference(self._plain, self._draft)


def _says_yes(check: Callable[[Any], bool], instance: Any) -> bool:
    """The fast library's yes; its no, and what it cannot read (lone surrogates), are left to the other one."""
    try:
        return check(instance)
    except ValueError:
        return False


def _alike(schema: dict[str, Any]) -> bool:
    """Whether both libraries read this one schema the same way."""
    if _DIFFERENT & schema.keys():
        return False
    step = schema.get("multipleOf")
    return step is None or (isinstance(step, int) and not isinstance(step, bool))


def _plain(schema: dict[str, Any], found: dict[Path, Node]) -> dict[str, Any]:
    """The schema without annotations, which the libraries would read more or less of."""

    def strip(current: Any, path: Path) -> Any:
        if path not in found:
            return current
        out: dict[str, Any] = {}
        for word, value in current.items():
            if word in _NOT_CHECKED or word.startswith("x-"):
                continue
            out[word] = strip_inside(value, (*path, word))
        return out

    def strip_inside(value: Any, path: Path) -> Any:
        if path in found:
            return strip(value, path)
        if is_object(value):
            members = value
            return {name: strip(inner, (*path, name)) for name, inner in members.items()}
        if is_array(value):
            return [strip(inner, (*path, index)) for index, inner in enumerate(value)]
        return value

    return cast("dict[str, Any]", strip(schema, ()))


_CACHE: BoundedCache[bytes, SchemaValidator] = BoundedCache(max_entries=512, max_size=16 * 1024 * 1024)


def compile_schema(schema: Mapping[str, Any] | None) -> SchemaValidator:
    """The validator for a schema in any form that `normalise_schema` reads; the same one for the same schema.

    Raises:
        DefinitionError: as `normalise_schema`.
    """
    try:
        text = json.dumps({} if schema is None else schema, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        normalise_schema(schema)  # says what is wrong, and where
        raise DefinitionError("the schema is no JSON data; give it plain objects, lists, strings and numbers") from None
    key = sha256(text.encode("utf-8", "surrogatepass")).digest()
    known = _CACHE.get(key)
    if known is not None:
        return known
    standard = normalise_schema(schema)
    declared = standard.get("$schema")
    draft = LATEST if declared is None else draft_of(declared) or LATEST
    # A validator weighs about ten times the text of its schema.
    return _CACHE.put(key, SchemaValidator(standard, check_schema(standard, draft), draft), len(text))
