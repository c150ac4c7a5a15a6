"""The provider against the suite that every provider runs, with a real model."""

from __future__ import annotations

from promptrails_engine.ports.provider import Provider
from promptrails_engine.testing.provider_conformance import ProviderConformance
from promptrails_providers.local_model import LocalModelProvider
from tests.providers.local.conftest import needs_model


@needs_model
class TestLocalModel(ProviderConformance):
    model = "smollm2"

    def make(self) -> Provider:
        return LocalModelProvider(n_ctx=1024, n_parallel=2)
