"""One run, from plan to record.  What only a failing call or a graph needs is loaded when there is one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptrails_engine.run.retry import attempt_again as attempt_again
    from promptrails_engine.run.topology import topological_order as topological_order

_HOMES = {"attempt_again": "retry", "topological_order": "topology"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
