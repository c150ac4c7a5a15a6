"""The provider for every server that speaks OpenAI's chat-completions format, hosted or local."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

if TYPE_CHECKING:
    from promptrails_providers.openai_compatible.endpoints import ENDPOINTS as ENDPOINTS
    from promptrails_providers.openai_compatible.endpoints import Endpoint as Endpoint
    from promptrails_providers.openai_compatible.provider import OpenAICompatibleProvider as OpenAICompatibleProvider
    from promptrails_providers.openai_compatible.provider import create as create

_HOMES = {
    "ENDPOINTS": "endpoints",
    "Endpoint": "endpoints",
    "OpenAICompatibleProvider": "provider",
    "create": "provider",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
