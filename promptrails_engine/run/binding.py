"""A model and who serves it."""

from __future__ import annotations

from dataclasses import dataclass

from promptrails_engine.models.table import Price
from promptrails_engine.ports.provider import ModelCapabilities, Provider


@dataclass(frozen=True, slots=True)
class ModelBinding:
    """A model name and who serves it."""

    name: str
    """As the definition says it: `provider/model`, or a registered id."""
    model: str
    """As the provider knows it."""
    provider: Provider
    capabilities: ModelCapabilities
    ceiling: Price | None
    """The most that a call may cost, in USD per 1M tokens; None where it is unknown."""
