"""What is refused about a schema in standard form, before anything is checked against it."""

from __future__ import annotations

from typing import Any, cast

from promptrails_engine.errors import DefinitionError
from promptrails_engine.schema.graph import Node, Path, nodes_of, refuse_loops
from promptrails_engine.schema.instance import pointer
from promptrails_engine.schema.libraries import fast_library, reference_library
from promptrails_engine.schema.messages import describe
from promptrails_engine.schema.patterns import matcher, name_matcher

MAX_SCHEMAS = 4_000
"""Schemas within one schema."""


def check_schema(schema: dict[str, Any], draft: str) -> dict[Path, Node]:
    """The graph of a schema that has nothing wrong with it.

    Raises:
        DefinitionError: what is wrong, and where.
    """
    found = nodes_of(schema)
    if len(found) > MAX_SCHEMAS:
        raise DefinitionError(f"the schema holds {len(found)} schemas; at most {MAX_SCHEMAS} are read")
    _against_metaschema(schema, draft)
    for path, node in found.items():
        _refuse_own_address(path, node.schema)
        _check_patterns(path, node.schema)
    refuse_loops(found)
    return found


def _refuse_own_address(path: Path, schema: dict[str, Any]) -> None:
    """An inner `$id` would change what the references beside it mean, and an inner `$schema` how it is read."""
    for word in ("$id", "id", "$schema", "$recursiveAnchor"):
        if path and word in schema:
            raise DefinitionError(f"'{word}' at '{pointer(path)}' may stand only at the top of a schema; remove it")


def _check_patterns(path: Path, schema: dict[str, Any]) -> None:
    try:
        if isinstance(schema.get("pattern"), str):
            matcher(schema["pattern"])
        for pattern in cast("dict[str, Any]", schema.get("patternProperties", {})):
            name_matcher(pattern)
    except DefinitionError as exc:
        raise DefinitionError(f"the schema at '{pointer(path)}' cannot be used: {exc.message}") from None


def _against_metaschema(schema: dict[str, Any], draft: str) -> None:
    fast = fast_library()
    if fast is not None and fast.meta.is_valid(schema):
        return
    library = reference_library()
    validator = library.validators.validator_for(getattr(library, draft).META_SCHEMA)(
        getattr(library, draft).META_SCHEMA
    )
    error = library.exceptions.best_match(validator.iter_errors(schema))
    if error is not None:
        where = pointer(tuple(error.absolute_path))
        raise DefinitionError(f"the schema at '{where}' is not valid: it {describe(error)}")
