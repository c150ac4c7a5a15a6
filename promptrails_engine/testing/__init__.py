"""Tools for testing what is built on the engine: a scripted provider, and conformance suites for adapters."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptrails_engine.testing.provider_conformance import ProviderConformance as ProviderConformance
    from promptrails_engine.testing.scripted import Reply as Reply
    from promptrails_engine.testing.scripted import ScriptedProvider as ScriptedProvider
    from promptrails_engine.testing.scripted import ScriptError as ScriptError
    from promptrails_engine.testing.scripted import ToolUse as ToolUse
    from promptrails_engine.testing.sink_conformance import SinkConformance as SinkConformance
    from promptrails_engine.testing.store_conformance import StoreConformance as StoreConformance
    from promptrails_engine.testing.tool_conformance import ToolConformance as ToolConformance
    from promptrails_engine.testing.tool_context import tool_context as tool_context

_HOME = {
    "ProviderConformance": "provider_conformance",
    "Reply": "scripted",
    "ScriptError": "scripted",
    "ScriptedProvider": "scripted",
    "SinkConformance": "sink_conformance",
    "StoreConformance": "store_conformance",
    "ToolConformance": "tool_conformance",
    "ToolUse": "scripted",
    "tool_context": "tool_context",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
