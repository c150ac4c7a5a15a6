"""The command line, `promptrails-engine`: loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptrails_engine.cli.app import main as main


def __getattr__(name: str) -> Any:
    if name != "main":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("promptrails_engine.cli.app").main


def __dir__() -> list[str]:
    return [*globals(), "main"]
