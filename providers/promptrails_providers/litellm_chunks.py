"""litellm's stream, chunk by chunk, as deltas.

litellm's own iteration invents what it did not get: a finish reason `stop` where the stream broke off, and token counts
where none were sent.  So it is not iterated: its source is, and litellm only translates each raw chunk
(`chunk_creator`), and notes the finish reason in `received_finish_reason`.  For some providers that is invented as
well, at the end mark `[DONE]`: it counts only if one stood in the answer itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.provider import (
    Delta,
    FinishReason,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    UsageDelta,
)
from promptrails_providers.litellm_transport import AnswerTooLargeError, CallFacts
from promptrails_providers.openai_compatible.tool_calls import ToolCallPieces
from promptrails_providers.openai_compatible.usage import parse_usage

MAX_ANSWER = 16 << 20
"""Characters of content in one answer."""

_END = object()

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class ChunkReader:
    """Gives the deltas of each raw chunk of one stream.

    stream: litellm's `CustomStreamWrapper`; map_finish: litellm's table of the providers' own finish reasons; facts:
    what is seen on the wire, which is nothing where litellm uses a client of its own.
    """

    def __init__(self, stream: Any, map_finish: Callable[[str], str], facts: CallFacts) -> None:
        self._stream = stream
        self._map_finish = map_finish
        self._facts = facts
        self._calls = ToolCallPieces()
        self._usage = TokenUsage()
        self._size = 0
        self._has_calls = False
        self.delivered = False
        """Whether deltas with content were given out."""
        self.answered = False
        """Whether the source held anything that is a part of an answer."""

    @property
    def complete(self) -> bool:
        """Whether a finish reason was received."""
        return self._received() is not None

    def finish(self) -> FinishReason | None:
        """The finish reason that was received, in the port's words, or None."""
        received = self._received()
        if received is None:
            return None
        reason = _FINISH.get(received) or _FINISH.get(self._map_finish(received), "stop")
        return "tool_calls" if reason == "stop" and self._has_calls else reason

    async def read(self) -> AsyncGenerator[list[Delta], None]:
        """The deltas, chunk by chunk, until the source ends.

        Raises:
            AnswerTooLargeError: over `MAX_ANSWER`.
        """
        source = await self._stream.fetch_stream()
        async for raw in _iterate(source):
            if raw is None or raw == "None":
                continue
            try:
                chunk = self._stream.chunk_creator(chunk=raw)
            except StopIteration:  # how it says that nothing of interest follows the finish reason
                break
            deltas = self._deltas(raw, chunk)
            if deltas:
                yield deltas
        held = str(getattr(self._stream, "holding_chunk", "") or "")
        if held:  # text that it kept back for the case that a special token would follow
            yield [self._text(held)]

    # -------------------------------------------------------------- inside

    def _received(self) -> str | None:
        if self._facts.sends and not self._facts.finish_seen:
            return None
        reason = self._stream.received_finish_reason or self._stream.intermittent_finish_reason
        return str(reason) if reason else None

    def _deltas(self, raw: Any, chunk: Any) -> list[Delta]:
        out: list[Delta] = []
        raw_delta = _raw_delta(raw)
        refusal = getattr(raw_delta, "refusal", None)
        if isinstance(refusal, str) and refusal:  # litellm has no place for it
            out.append(RefusalDelta(self._sized(refusal)))
        choices = getattr(chunk, "choices", None)
        if choices:
            out.extend(self._content(choices[0].delta))
        self.answered = self.answered or bool(choices) or raw_delta is not None
        usage = self._new_usage(chunk)
        if usage is not None:
            out.append(UsageDelta(usage))
        return out

    def _content(self, delta: Any) -> list[Delta]:
        out: list[Delta] = []
        thinking = getattr(delta, "reasoning_content", None)
        if isinstance(thinking, str) and thinking:
            out.append(ThinkingDelta(self._sized(thinking)))
        content = getattr(delta, "content", None)
        if isinstance(content, str) and content:
            out.append(self._text(content))
        out.extend(self._tool_calls(getattr(delta, "tool_calls", None)))
        return out

    def _tool_calls(self, calls: Any) -> list[ToolCallDelta]:
        if not calls:
            return []
        pieces: list[Any] = [call.model_dump() if hasattr(call, "model_dump") else call for call in calls]
        out = self._calls.read(pieces, whole=False)
        for piece in out:
            self._sized(piece.arguments)
        self._has_calls = self.delivered = True
        return out

    def _text(self, text: str) -> TextDelta:
        return TextDelta(self._sized(text))

    def _sized(self, text: str) -> str:
        self.delivered = True
        self._size += len(text)
        if self._size > MAX_ANSWER:
            raise AnswerTooLargeError
        return text

    def _new_usage(self, chunk: Any) -> TokenUsage | None:
        """The counts so far, if this chunk changed them; a chunk that it hides is in the stream's list."""
        reports = [getattr(chunk, "usage", None), *(getattr(hidden, "usage", None) for hidden in self._stream.chunks)]
        self._stream.chunks.clear()
        before = self._usage
        for report in reports:
            counts = parse_usage(report.model_dump()) if report is not None else None
            if counts is not None:
                self._usage = _grown(self._usage, counts)
        return self._usage if self._usage != before else None


def _grown(old: TokenUsage, new: TokenUsage) -> TokenUsage:
    """Counts only grow: some providers report the prompt first and leave it out, or at 0, later."""
    prompt = _most(old.prompt_tokens, new.prompt_tokens)
    completion = _most(old.completion_tokens, new.completion_tokens)
    total = prompt + completion if prompt is not None and completion is not None else None
    return TokenUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=_most(total, new.total_tokens, old.total_tokens),
        cached_tokens=_most(old.cached_tokens, new.cached_tokens),
        cache_creation_tokens=_most(old.cache_creation_tokens, new.cache_creation_tokens),
        reasoning_tokens=_most(old.reasoning_tokens, new.reasoning_tokens),
    )


def _most(*counts: int | None) -> int | None:
    return max((count for count in counts if count is not None), default=None)


def _raw_delta(raw: Any) -> Any:
    """The delta of a chunk in OpenAI's format, else None."""
    choices = getattr(raw, "choices", None)
    return getattr(choices[0], "delta", None) if choices else None


async def _iterate(source: Any) -> AsyncGenerator[Any, None]:
    """The items of a source, which for a few providers is a blocking iterator."""
    if hasattr(source, "__aiter__"):
        async for item in source:
            yield item
        return
    iterator = iter(source)
    while (item := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield item
