"""Engines over a loopback server, through either of the adapters that speak HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from promptrails_engine import AsyncEngine, LLMModel, ModelCapabilities, Provider
from promptrails_providers.litellm_provider import LiteLLMProvider
from promptrails_providers.openai_compatible import OpenAICompatibleProvider
from tests.providers.loopback import LoopbackServer

KEY = "sk-e2e-canary-0123456789abcdef"
NATIVE = ModelCapabilities()

Door = Callable[..., Provider]


def compatible(url: str, name: str = "wire", key: str = KEY, capabilities: ModelCapabilities = NATIVE) -> Provider:
    return OpenAICompatibleProvider(name, url, key, capabilities=capabilities)


def litellm(url: str, name: str = "wire", key: str = KEY, capabilities: ModelCapabilities = NATIVE) -> Provider:
    return LiteLLMProvider(name=name, api_key=key, api_base=url, capabilities=capabilities)


DOORS: dict[str, Door] = {"compatible": compatible, "litellm": litellm}


def model_of(door: Door, name: str = "wire", model: str = "m") -> str:
    """The name by which an agent calls `model` through this door."""
    return f"{name}/openai/{model}" if door is litellm else f"{name}/{model}"


def priced(door: Door) -> LLMModel:
    """The model at 1 and 2 USD per million tokens."""
    _, _, rest = model_of(door).partition("/")
    return LLMModel("priced", "wire", rest, input_price=1.0, output_price=2.0)


@asynccontextmanager
async def engine_over(door: Door, server: LoopbackServer, **options: Any) -> AsyncGenerator[AsyncEngine, None]:
    capabilities = options.pop("capabilities", NATIVE)
    more = options.pop("more_providers", ())
    async with AsyncEngine(
        options.pop("store", None),
        providers=[door(server.url, capabilities=capabilities), *more],
        model=model_of(door),
        **options,
    ) as engine:
        yield engine
