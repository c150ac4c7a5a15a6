"""JSON Schema: schemas in standard form, validators, and JSON that a model wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

if TYPE_CHECKING:
    from promptrails_engine.schema.answers import check_input, extract_json, parse_arguments
    from promptrails_engine.schema.normalise import normalise_schema
    from promptrails_engine.schema.validator import SchemaValidator, compile_schema

__all__ = [
    "SchemaValidator",
    "check_input",
    "compile_schema",
    "extract_json",
    "normalise_schema",
    "parse_arguments",
]

_HOMES = {
    "SchemaValidator": "validator",
    "check_input": "answers",
    "compile_schema": "validator",
    "extract_json": "answers",
    "normalise_schema": "normalise",
    "parse_arguments": "answers",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
