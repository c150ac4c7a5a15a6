"""The provider against the suite that every provider runs, once for each way in which litellm calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptrails_engine.ports.provider import ModelCapabilities, Provider
from promptrails_engine.testing.provider_conformance import ProviderConformance
from promptrails_providers.litellm_provider import LiteLLMProvider
from tests.providers.litellm.calls import KEY, answer
from tests.providers.loopback import LoopbackServer, Received, Reply
from tests.providers.replies import chat, error


def play_model(received: Received) -> Reply:
    body: dict[str, Any] = received.json
    if body["model"] != "m":
        return error(404, "no such model", code="model_not_found")
    if "response_format" in body:
        return chat(json.dumps({"answer": "Paris"}))(received)
    if "tools" in body and body["messages"][-1]["role"] == "user":
        return chat("", tool_calls=[("c1", "get_weather", '{"city": "Paris"}')])(received)
    return chat("It is Paris.", thinking="easy")(received)


class TestThroughTheSdk(ProviderConformance):
    model = "openai/m"
    unknown_model = "openai/no-such-model"
    secret = KEY

    @pytest.fixture(autouse=True)
    def _serve(self, server: LoopbackServer) -> None:
        server.script(self.play)
        self.url = server.url

    def play(self, received: Received) -> Reply:
        return play_model(received)

    def make(self) -> Provider:
        # The model is in no table, so what it can do is told here.
        return LiteLLMProvider(api_key=KEY, api_base=self.url, capabilities=ModelCapabilities())


class TestThroughTheHandler(TestThroughTheSdk):
    model = "hosted_vllm/m"
    unknown_model = "nobody/m"


class TestAnthropic(TestThroughTheSdk):
    model = "anthropic/m"
    unknown_model = "anthropic"

    def test_the_request_is_left_as_it_was(self) -> None:
        pytest.skip("Anthropic takes no seed, which the suite sends")

    def play(self, received: Received) -> Reply:
        return answer("anthropic/m", "It is |Paris.")

    def make(self) -> Provider:
        capabilities = ModelCapabilities(tools="emulated", json_schema="emulated")
        return LiteLLMProvider(api_key=KEY, api_base=self.url, capabilities=capabilities)
