"""The provider for every server that speaks OpenAI's chat-completions format, hosted or local."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
