"""Deltas out of the JSON of an answer, streamed or whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptrails_engine.ports.provider import (
    Delta,
    FinishReason,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    UsageDelta,
)
from promptrails_providers.openai_compatible.tool_calls import ToolCallPieces
from promptrails_providers.openai_compatible.usage import parse_usage
from promptrails_providers.openai_compatible.wire_json import (
    MalformedAnswerError,
    ReportedError,
    as_list,
    as_object,
    as_text,
    parse_json,
)

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
}

_MARKS_OF_ERRORS = frozenset({"message", "detail"})
"""Keys with which servers report an error without an `error` key, where there are no choices."""


class AnswerDecoder:
    """Appends the deltas of each JSON text to a list, and remembers how the answer ended.

    finish: the reason received; odd_finish: a reason that is none of the format's, such as "error" or "abort";
    done: the end mark was received; saw_choice: some part of an answer was; size: characters of content so far.
    """

    __slots__ = ("_calls", "_reasoning_fields", "_usage", "done", "finish", "odd_finish", "saw_choice", "size")

    def __init__(self, reasoning_fields: Sequence[str]) -> None:
        self._reasoning_fields = tuple(reasoning_fields)
        self._calls = ToolCallPieces()
        self._usage: object = None
        self.finish: FinishReason | None = None
        self.odd_finish: str | None = None
        self.done = False
        self.saw_choice = False
        self.size = 0

    def read_event(self, payload: bytes, out: list[Delta]) -> None:
        """Reads one event of a stream.

        Raises:
            MalformedAnswerError: the event is not of the format.
            ReportedError: the event reports an error.
        """
        if payload.startswith(b"[DONE]"):
            self.done = True
            return
        event = as_object(parse_json(payload))
        if event is None:
            raise MalformedAnswerError("an event that is no JSON object")
        self._read(event, "delta", out)

    def read_document(self, data: bytes, out: list[Delta]) -> None:
        """Reads a whole answer, as sent by servers that do not stream.

        Raises:
            MalformedAnswerError: the answer is not of the format.
            ReportedError: it is an error object.
        """
        document = as_object(parse_json(data))
        if document is None:
            raise MalformedAnswerError("JSON that is no object")
        self._read(document, "message", out)
        self.done = True

    def _read(self, event: dict[str, Any], key: str, out: list[Delta]) -> None:
        choices = event.get("choices")
        if event.get("error") or (choices is None and not _MARKS_OF_ERRORS.isdisjoint(event)):
            raise ReportedError(event)
        if choices:
            for choice in as_list(choices) or [None]:
                self._read_choice(as_object(choice), key, out)
        usage = event.get("usage")
        if usage and usage != self._usage:
            self._usage = usage
            raw = as_object(usage)
            counts = parse_usage(raw) if raw is not None else None
            if counts is not None:
                out.append(UsageDelta(counts))

    def _read_choice(self, choice: dict[str, Any] | None, key: str, out: list[Delta]) -> None:
        if choice is None:
            raise MalformedAnswerError("choices that are no list of objects")
        if choice.get("index"):  # a second answer, which nobody asked for
            return
        self.saw_choice = True
        found = choice.get(key)
        if found is None:
            found = choice.get("message")
        if found is not None:
            delta = as_object(found)
            if delta is None:
                raise MalformedAnswerError("a delta that is no object")
            self._read_delta(delta, out, whole=key == "message")
        reason = choice.get("finish_reason")
        if reason and self.finish is None:
            self.finish = _FINISH.get(reason) if isinstance(reason, str) else None
            self.odd_finish = None if self.finish else str(reason)

    def _read_delta(self, delta: dict[str, Any], out: list[Delta], *, whole: bool) -> None:
        for name in self._reasoning_fields:
            thinking = delta.get(name)
            if thinking and isinstance(thinking, str):
                self.size += len(thinking)
                out.append(ThinkingDelta(thinking))
                break
        content = delta.get("content")
        if content:
            if isinstance(content, str):
                self.size += len(content)
                out.append(TextDelta(content))
            else:
                self._read_parts(content, out)
        refusal = delta.get("refusal")
        if refusal and isinstance(refusal, str):
            self.size += len(refusal)
            out.append(RefusalDelta(refusal))
        calls = delta.get("tool_calls")
        if calls:
            self._add_calls(self._calls.read(calls, whole=whole), out)
        elif delta.get("function_call"):
            self._add_calls([self._calls.read_function_call(delta["function_call"])], out)

    def _add_calls(self, pieces: list[ToolCallDelta], out: list[Delta]) -> None:
        self.size += sum(len(piece.arguments) for piece in pieces)
        out.extend(pieces)

    def _read_parts(self, content: object, out: list[Delta]) -> None:
        """Content as a list of typed parts, the form of models that reason in between."""
        parts = as_list(content)
        if parts is None:
            raise MalformedAnswerError("content that is no text")
        for part in parts:
            data = as_object(part) or {}
            thinking = _thinking_text(data.get("thinking"))
            text = as_text(data.get("text"))
            self.size += len(thinking) + len(text)
            if thinking:
                out.append(ThinkingDelta(thinking))
            if text:
                out.append(TextDelta(text))


def _thinking_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "".join(as_text((as_object(part) or {}).get("text")) for part in as_list(value) or ())
