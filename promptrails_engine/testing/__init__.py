"""Tools for testing what is built on the engine: scripted providers, and conformance suites for adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

if TYPE_CHECKING:
    from promptrails_engine.testing.contexts import tool_context
    from promptrails_engine.testing.datasource_conformance import DataSourceConformance
    from promptrails_engine.testing.media_conformance import MediaConformance
    from promptrails_engine.testing.provider_conformance import ProviderConformance
    from promptrails_engine.testing.scanner_conformance import ScannerConformance
    from promptrails_engine.testing.scripted import Reply, ScriptedProvider, ScriptError, ToolUse
    from promptrails_engine.testing.scripted_media import MediaReply, ScriptedMediaProvider
    from promptrails_engine.testing.sink_conformance import SinkConformance
    from promptrails_engine.testing.store_conformance import StoreConformance
    from promptrails_engine.testing.tool_conformance import ToolConformance

__all__ = [
    "DataSourceConformance",
    "MediaConformance",
    "MediaReply",
    "ProviderConformance",
    "Reply",
    "ScannerConformance",
    "ScriptError",
    "ScriptedMediaProvider",
    "ScriptedProvider",
    "SinkConformance",
    "StoreConformance",
    "ToolConformance",
    "ToolUse",
    "tool_context",
]

_HOME = {
    "DataSourceConformance": "datasource_conformance",
    "MediaConformance": "media_conformance",
    "MediaReply": "scripted_media",
    "ProviderConformance": "provider_conformance",
    "Reply": "scripted",
    "ScannerConformance": "scanner_conformance",
    "ScriptError": "scripted",
    "ScriptedMediaProvider": "scripted_media",
    "ScriptedProvider": "scripted",
    "SinkConformance": "sink_conformance",
    "StoreConformance": "store_conformance",
    "ToolConformance": "tool_conformance",
    "ToolUse": "scripted",
    "tool_context": "contexts",
}

__getattr__, __dir__ = lazy_names(__name__, _HOME)
