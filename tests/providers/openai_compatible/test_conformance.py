"""The provider against the suite that every provider runs, streamed and not; and the suite against bad providers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from promptrails_engine.ports.provider import Delta, Finish, ModelCapabilities, ModelRequest, Provider, TextDelta
from promptrails_engine.testing.provider_conformance import ProviderConformance
from promptrails_providers.openai_compatible import OpenAICompatibleProvider
from tests.providers.loopback import LoopbackServer, Received, Reply
from tests.providers.openai_compatible.calls import KEY
from tests.providers.replies import chat, error


def play_model(received: Received) -> Reply:
    """A server that knows one model, which calls a tool where it may and keeps to a schema."""
    body: dict[str, Any] = received.json
    if body["model"] != "m":
        return error(404, "no such model", code="model_not_found")
    if "response_format" in body:
        return chat(json.dumps({"answer": "Paris"}))(received)
    if "tools" in body and body["messages"][-1]["role"] == "user":
        return chat("", tool_calls=[("c1", "get_weather", '{"city": "Paris"}')])(received)
    return chat("It is Paris.", thinking="easy")(received)


class TestStreamed(ProviderConformance):
    model = "m"
    secret = KEY

    @pytest.fixture(autouse=True)
    def _serve(self, server: LoopbackServer) -> None:
        server.script(self.play)
        self.url = server.url

    def play(self, received: Received) -> Reply:
        return play_model(received)

    def make(self) -> Provider:
        return OpenAICompatibleProvider("openai", self.url, KEY)


class TestWhole(TestStreamed):
    def play(self, received: Received) -> Reply:
        body = json.dumps({**received.json, "stream": False}).encode()
        return play_model(Received(received.method, received.path, received.headers, body))


# ------------------------------------------------------------------ the suite finds faults


class Faulty:
    """A provider with one fault."""

    name = "faulty"

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.closed = False

    def __repr__(self) -> str:
        return f"Faulty({KEY})" if self.fault == "shows its secret" else "Faulty()"

    def capabilities(self, model: str) -> ModelCapabilities:
        return ModelCapabilities(tools="none", json_schema="none")

    async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        if request.model != "m" and self.fault != "takes any model":
            raise KeyError(request.model)
        if self.fault == "changes the request":
            request.temperature = None
        yield TextDelta("" if self.fault == "empty text" else "a")
        if self.fault == "swallows cancellation":
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                task.uncancel()
        if self.fault != "no finish":
            yield Finish("stop")
        if self.fault == "text after finish":
            yield TextDelta("b")

    async def aclose(self) -> None:
        if self.closed and self.fault == "closes once":
            raise RuntimeError("closed")
        self.closed = True


@pytest.mark.parametrize(
    ("fault", "test"),
    [
        ("no finish", "test_deltas_end_with_exactly_one_finish"),
        ("text after finish", "test_deltas_end_with_exactly_one_finish"),
        ("empty text", "test_text_is_stable_and_comes_in_pieces_that_are_not_empty"),
        ("changes the request", "test_the_request_is_left_as_it_was"),
        ("swallows cancellation", "test_cancellation_comes_through_and_leaves_it_usable"),
        ("closes once", "test_closing_twice"),
        ("raises another error", "test_an_unknown_model_is_an_error_of_the_tree"),
        ("takes any model", "test_an_unknown_model_is_an_error_of_the_tree"),
        ("shows its secret", "test_it_does_not_show_its_secret"),
    ],
)
def test_the_suite_finds_the_fault(fault: str, test: str) -> None:
    class Suite(ProviderConformance):
        model = "m"
        secret = KEY

        def make(self) -> Provider:
            return Faulty(fault)

    with pytest.raises((AssertionError, RuntimeError)):
        getattr(Suite(), test)()
    Suite().test_has_a_name_and_capabilities()
