"""One run, from plan to record.  What only a failing call needs is loaded when one fails."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptrails_engine.run.retry import attempt_again as attempt_again


def __getattr__(name: str) -> Any:
    if name != "attempt_again":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.retry").attempt_again
