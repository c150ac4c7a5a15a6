"""JSON Schema: schemas in standard form, validators, and JSON that a model wrote."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
