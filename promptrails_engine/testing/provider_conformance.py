"""What every provider owes the port, as tests for the author of one to inherit.

    class TestMyProvider(ProviderConformance):
        model = "small"

        def make(self) -> Provider:
            return MyProvider(...)

pytest runs the inherited tests; each has an event loop of its own.  They need a model that answers, a real one or a
local server that plays one, and hold for any text that it gives.
"""

from __future__ import annotations

import asyncio
import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar, cast
from unittest import SkipTest

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.provider import (
    AccountProvider,
    Delta,
    Finish,
    Message,
    ModelCapabilities,
    ModelRequest,
    Provider,
    RateLimitDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolSpec,
    UsageDelta,
)

T = TypeVar("T")
_REASONS = ("stop", "length", "tool_calls", "content_filter")


class ProviderConformance(ABC):
    """Inherit in a class whose name begins with Test, set `model` and write `make`."""

    model: str = ""
    """A model of the provider that answers, without the prefix."""
    unknown_model: str | None = "no-such-model-3f9a"
    """A model that it refuses; None where it takes any name."""
    secret: str = ""
    """The credential that `make` gives the provider, to be searched for in what it shows."""
    deterministic: bool = True
    """Whether the same request at temperature 0 gives the same text twice."""
    prompt: str = "Answer with one word: what is the capital of France?"
    tool_prompt: str = "What is the weather in Paris? Use the tool."
    timeout_s: float = 60.0
    """Of each test."""

    @abstractmethod
    def make(self) -> Provider:
        """A fresh provider."""

    # -------------------------------------------------------------- the form of the answer

    def test_has_a_name_and_capabilities(self) -> None:
        provider = self.make()
        assert isinstance(provider, Provider), "it lacks a member of the Provider protocol"
        assert provider.name, "the name is empty"
        assert "/" not in provider.name, "the name is the part of model names before the first slash"
        assert isinstance(provider.capabilities(self.model), ModelCapabilities)

    def test_deltas_end_with_exactly_one_finish(self) -> None:
        deltas = self._run(self._answer(self._request()))
        finishes = [delta for delta in deltas if isinstance(delta, Finish)]
        assert len(finishes) == 1, f"{len(finishes)} Finish deltas"
        assert isinstance(deltas[-1], Finish), "Finish is not the last delta"
        assert finishes[0].reason in _REASONS

    def test_text_is_stable_and_comes_in_pieces_that_are_not_empty(self) -> None:
        deltas = self._run(self._answer(self._request()))
        pieces = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
        assert pieces, "no text"
        assert all(pieces), "an empty text delta"
        if self.deterministic:
            again = self._run(self._answer(self._request()))
            assert _text(again) == "".join(pieces), "the same request gave another text"

    def test_usage_is_sane(self) -> None:
        usages = [delta.usage for delta in self._run(self._answer(self._request())) if isinstance(delta, UsageDelta)]
        for usage in usages:
            _check_usage(usage)

    def test_the_request_is_left_as_it_was(self) -> None:
        request = self._request(options={"seed": 7})
        before = copy.deepcopy(request)
        self._run(self._answer(request))
        assert request == before, "the provider changed the request"

    # -------------------------------------------------------------- tools and schemas, where the model has them

    def test_tool_calls_are_whole(self) -> None:
        self._need("tools")
        deltas = self._run(self._answer(self._request(prompt=self.tool_prompt, tools=(_WEATHER,))))
        calls: dict[int, ToolCall] = {}
        for delta in deltas:
            if isinstance(delta, ToolCallDelta):
                if delta.index not in calls:
                    assert delta.id, "the first piece of a tool call lacks its id"
                    assert delta.name, "the first piece of a tool call lacks its name"
                    calls[delta.index] = ToolCall(delta.id, delta.name, "")
                calls[delta.index].arguments += delta.arguments
        if isinstance(deltas[-1], Finish) and deltas[-1].reason == "tool_calls":
            assert calls, "it finished for tool calls and gave none"
            assert all(isinstance(json.loads(call.arguments), dict) for call in calls.values())

    def test_a_conversation_with_tool_results_is_accepted(self) -> None:
        self._need("tools")
        history = (
            Message("system", "Be brief."),
            Message("user", self.tool_prompt),
            Message("assistant", "", tool_calls=(ToolCall("call_1", _WEATHER.name, '{"city": "Paris"}'),)),
            Message("tool", "18 degrees, sunny", tool_call_id="call_1"),
        )
        deltas = self._run(self._answer(self._request(messages=history, tools=(_WEATHER,))))
        assert isinstance(deltas[-1], Finish)

    def test_an_answer_with_a_schema_is_of_the_schema(self) -> None:
        self._need("json_schema")
        deltas = self._run(self._answer(self._request(output_schema=_SCHEMA)))
        value: object = json.loads(_text(deltas))
        assert isinstance(value, dict), "the answer is no object"
        assert isinstance(cast("dict[str, object]", value).get("answer"), str), "the answer lacks what is required"

    # -------------------------------------------------------------- several at once, ends, and other loops

    def test_two_streams_at_once(self) -> None:
        async def both(provider: Provider) -> tuple[list[Delta], list[Delta]]:
            return await asyncio.gather(_drain(provider, self._request()), _drain(provider, self._request()))

        for deltas in self._run(self._with_provider(both)):
            assert isinstance(deltas[-1], Finish)

    def test_leaving_a_stream_early_leaves_it_usable(self) -> None:
        async def leave(provider: Provider) -> list[Delta]:
            async with aclosing(cast("Any", provider.stream(self._request()))) as deltas:
                async for _ in deltas:
                    break
            return await _drain(provider, self._request())

        assert isinstance(self._run(self._with_provider(leave))[-1], Finish)

    def test_cancellation_comes_through_and_leaves_it_usable(self) -> None:
        async def read_and_cancel(provider: Provider) -> None:
            task = asyncio.current_task()
            assert task is not None
            async with aclosing(cast("Any", provider.stream(self._request()))) as deltas:
                await anext(deltas)
                task.cancel()
                async for _ in deltas:
                    pass
            await asyncio.sleep(0)  # the next chance to be cancelled, for a provider that never waits

        async def cancel(provider: Provider) -> list[Delta]:
            task = asyncio.create_task(read_and_cancel(provider))
            await asyncio.wait([task])
            assert task.cancelled(), "the provider swallowed the cancellation"
            return await _drain(provider, self._request())

        assert isinstance(self._run(self._with_provider(cancel))[-1], Finish)

    def test_closing_twice(self) -> None:
        async def close(provider: Provider) -> None:
            await _drain(provider, self._request())
            await provider.aclose()

        self._run(self._with_provider(close))

    def test_two_event_loops_one_after_the_other(self) -> None:
        provider = self.make()

        async def one_loop() -> list[Delta]:
            deltas = await _drain(provider, self._request())
            await provider.aclose()
            return deltas

        for _ in range(2):
            assert isinstance(self._run(one_loop())[-1], Finish)

    # -------------------------------------------------------------- errors and secrets

    def test_an_unknown_model_is_an_error_of_the_tree(self) -> None:
        if self.unknown_model is None:
            raise SkipTest("this provider takes any model name")
        name = self.unknown_model

        async def call(provider: Provider) -> PromptRailsError | None:
            try:
                provider.capabilities(name)
                await _drain(provider, ModelRequest(name, [Message("user", self.prompt)]))
            except PromptRailsError as error:
                return error
            return None

        error = self._run(self._with_provider(call))
        assert error is not None, f"it answered for the model '{name}'"
        assert error.code
        assert error.message
        self._assert_no_secret(str(error), repr(error), json.dumps(error.details, default=repr))

    def test_it_does_not_show_its_secret(self) -> None:
        provider = self.make()
        self._assert_no_secret(repr(provider), str(provider))

    def test_what_it_says_of_limits_is_sane_and_gives_no_key_away(self) -> None:
        provider = self.make()
        if isinstance(provider, AccountProvider):
            account = provider.account(self.model)
            assert account == provider.account(self.model), "the same credential gave another account"
            assert len(account.credential) <= 64, "the credential of an account is a short digest"
            assert account.connections is None or account.connections >= 1
            self._assert_no_secret(account.credential)
        for delta in self._run(self._answer(self._request())):
            if isinstance(delta, RateLimitDelta):
                figures = (
                    delta.remaining_requests,
                    delta.remaining_tokens,
                    delta.requests_reset_s,
                    delta.tokens_reset_s,
                )
                assert all(figure is None or figure >= 0 for figure in figures), f"a figure below zero: {delta}"

    # -------------------------------------------------------------- helpers

    def _request(self, *, prompt: str | None = None, **fields: Any) -> ModelRequest:
        messages = fields.pop("messages", None) or [Message("user", prompt or self.prompt)]
        return ModelRequest(self.model, messages, temperature=0.0, max_tokens=64, **fields)

    def _need(self, capability: str) -> None:
        if getattr(self.make().capabilities(self.model), capability) != "native":
            raise SkipTest(f"the model has no native {capability}")

    def _assert_no_secret(self, *texts: str) -> None:
        assert not self.secret or not any(self.secret in text for text in texts), "it shows its secret"

    async def _answer(self, request: ModelRequest) -> list[Delta]:
        async def drain(provider: Provider) -> list[Delta]:
            return await _drain(provider, request)

        return await self._with_provider(drain)

    async def _with_provider(self, use: Callable[[Provider], Awaitable[T]]) -> T:
        provider = self.make()
        try:
            return await use(provider)
        finally:
            await provider.aclose()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(self.timeout_s):
                return await work

        return asyncio.run(bounded())


_WEATHER = ToolSpec(
    "get_weather",
    "The weather in a city.",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
_SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}


async def _drain(provider: Provider, request: ModelRequest) -> list[Delta]:
    """Every delta; an error that is none of the tree fails the test."""
    problem: Exception | None = None
    deltas: list[Delta] = []
    try:
        async for delta in provider.stream(request):
            deltas.append(delta)
    except PromptRailsError:
        raise
    except Exception as error:  # any other type is the finding
        problem = error
    if problem is not None:
        raise AssertionError(f"{type(problem).__name__} is no error of promptrails_engine.errors") from problem
    return deltas


def _text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def _check_usage(usage: TokenUsage) -> None:
    counts = usage.to_dict()
    assert all(type(count) is int and count >= 0 for count in counts.values()), f"usage is not sane: {counts}"
    prompt, completion, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    if total is not None:
        assert total >= max(prompt or 0, completion or 0), "the total is less than a part of it"
    if prompt is not None and usage.cached_tokens is not None:
        assert usage.cached_tokens <= prompt, "more tokens were cached than sent"
