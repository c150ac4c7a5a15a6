"""A provider that answers from a script: for tests, with no key, no network and no chance."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from promptrails_engine.errors import BadRequestError
from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.provider import (
    Delta,
    Finish,
    FinishReason,
    ModelCapabilities,
    ModelRequest,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    UsageDelta,
)


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call that the model asks for; `arguments` is JSON data, or JSON text that may be broken."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict[str, Any])
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer.

    Attributes:
        text: the answer's text.
        value: JSON data or a pydantic model, sent as its JSON text instead of `text`.
        tool_calls: calls that the model asks for.
        thinking: its reasoning, sent first.
        refusal: the text with which it declines.
        error: raised after what is said above; alone, at once.
        delay_s: seconds to wait before the first delta.
        chunks: the pieces in which the text is sent; by default its words.
        usage: tokens; by default one a word.
        finish: the finish reason; by default what the reply implies.
    """

    text: str = ""
    value: Any = None
    tool_calls: Sequence[ToolUse] = ()
    thinking: str = ""
    refusal: str = ""
    error: Exception | None = None
    delay_s: float = 0.0
    chunks: Sequence[str] | None = None
    usage: TokenUsage | None = None
    finish: FinishReason | None = None


AnyReply = Reply | str | Mapping[str, Any] | Sequence[Any] | ToolUse | Exception
ReplyFunction = Callable[[ModelRequest], AnyReply | Awaitable[AnyReply]]


class ScriptError(AssertionError):
    """The script and the calls that were made do not match."""


class ScriptedProvider:
    """Serves every model name `<name>/...` from a list of replies, one a call, or from a function of the request.

    A reply is text, a `Reply`, a `ToolUse`, an exception to raise, or JSON data to be sent as text.  A call beyond
    the list fails the run; `assert_done`, which closing the engine calls too, raises ScriptError for it, and for
    replies that were never asked for.  `requests` holds what was received.
    """

    def __init__(
        self,
        replies: Iterable[AnyReply] | ReplyFunction,
        name: str = "scripted",
        *,
        capabilities: ModelCapabilities | None = None,
    ) -> None:
        self.name = name
        self.requests: list[ModelRequest] = []
        self._capabilities = capabilities or ModelCapabilities()
        self._function: ReplyFunction | None = replies if callable(replies) else None
        self._replies: list[AnyReply] = [] if callable(replies) else list(replies)
        self._next = 0
        self._unexpected = 0

    def capabilities(self, model: str) -> ModelCapabilities:
        """Whatever the provider was made with; native tools and schemas by default."""
        return self._capabilities

    async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        """The next reply, in chunks."""
        self.requests.append(request)
        reply = _as_reply(await self._choose(request))
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        if reply.thinking:
            yield ThinkingDelta(reply.thinking)
        text = reply.text if reply.value is None else to_json(reply.value).decode()
        for piece in reply.chunks if reply.chunks is not None else _WORDS.findall(text):
            yield TextDelta(piece)
        if reply.refusal:
            yield RefusalDelta(reply.refusal)
        for index, call in enumerate(reply.tool_calls):
            arguments = call.arguments if isinstance(call.arguments, str) else to_json(call.arguments).decode()
            yield ToolCallDelta(index, call.id or f"call_{len(self.requests)}_{index}", call.name, arguments)
        if reply.error is not None:
            raise reply.error
        yield UsageDelta(reply.usage or _usage(request, text))
        yield Finish(reply.finish or ("tool_calls" if reply.tool_calls else "stop"))

    def assert_done(self) -> None:
        """Check that every reply was used, and none was missing.

        Raises:
            ScriptError: otherwise.
        """
        if self._unexpected:
            raise ScriptError(
                f"{self._unexpected} model call(s) came after the {len(self._replies)} scripted replies were used up"
            )
        unused = len(self._replies) - self._next
        if unused:
            raise ScriptError(f"{unused} of {len(self._replies)} scripted replies were never asked for")

    async def aclose(self) -> None:
        """As `assert_done`."""
        self.assert_done()

    async def _choose(self, request: ModelRequest) -> AnyReply:
        if self._function is not None:
            chosen = self._function(request)
            return await chosen if inspect.isawaitable(chosen) else chosen
        if self._next >= len(self._replies):
            self._unexpected += 1
            last = request.messages[-1].content[:200] if request.messages else ""
            raise BadRequestError(f"the script has no reply left for this call; the last message was: {last!r}")
        reply = self._replies[self._next]
        self._next += 1
        return reply


_WORDS = re.compile(r"\s*\S+\s*|\s+")


def _as_reply(reply: AnyReply) -> Reply:
    if isinstance(reply, Reply):
        return reply
    if isinstance(reply, str):
        return Reply(reply)
    if isinstance(reply, ToolUse):
        return Reply(tool_calls=(reply,))
    if isinstance(reply, Exception):
        return Reply(error=reply)
    return Reply(value=reply)


def _usage(request: ModelRequest, text: str) -> TokenUsage:
    prompt = sum(len(message.content.split()) for message in request.messages)
    completion = len(text.split())
    return TokenUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
