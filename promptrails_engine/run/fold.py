"""Deltas of a model call folded into a reply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from promptrails_engine.errors import ProviderProtocolError
from promptrails_engine.events import TokenUsage
from promptrails_engine.ports.provider import (
    Delta,
    Finish,
    FinishReason,
    RateLimitDelta,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    UsageDelta,
)
from promptrails_engine.run.rate_gate import Ticket


@dataclass(slots=True)
class ModelReply:
    """What one model call came to; `cost` is USD, None where the price or the usage is unknown."""

    text: str = ""
    thinking: str = ""
    refusal: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list[ToolCall])
    finish: FinishReason = "stop"
    usage: TokenUsage | None = None
    model_name: str = ""
    cost: float | None = None
    cached: bool = False
    output: dict[str, Any] | None = None
    """The output of the agent that took over from the model, whose answer this then is."""

    @property
    def is_empty(self) -> bool:
        return not self.tool_calls and not self.refusal and not self.text.strip()


class Fold:
    """Takes deltas one by one; `reply` is what they come to."""

    __slots__ = ("_calls", "_refusal", "_text", "_thinking", "finish", "size", "ticket", "usage")

    def __init__(self, ticket: Ticket | None = None) -> None:
        self._text: list[str] = []
        self._thinking: list[str] | None = None
        self._refusal: list[str] | None = None
        self._calls: dict[int, ToolCall] | None = None
        self.usage: TokenUsage | None = None
        self.finish: FinishReason | None = None
        self.size = 0
        """Characters received."""
        self.ticket = ticket
        """Of the gate that let the call through, where it has one."""

    def text(self, piece: str) -> None:
        self._text.append(piece)
        self.size += len(piece)

    def add(self, delta: Delta) -> None:
        """Take any delta."""
        if isinstance(delta, UsageDelta):
            self.usage = delta.usage
        elif isinstance(delta, Finish):
            self.finish = delta.reason
        elif isinstance(delta, ToolCallDelta):
            self._call(delta)
        elif isinstance(delta, TextDelta):
            self.text(delta.text)
        elif isinstance(delta, RateLimitDelta):
            if self.ticket is not None:
                self.ticket.heard(delta)
        elif isinstance(delta, ThinkingDelta):
            self._thinking = self._thinking or []
            self._thinking.append(delta.text)
            self.size += len(delta.text)
        else:
            self._refusal = self._refusal or []
            self._refusal.append(delta.text)
            self.size += len(delta.text)

    def reply(self, model_name: str) -> ModelReply:
        """The reply, once the finish has come.

        Raises:
            ProviderProtocolError: it has not.
        """
        if self.finish is None:
            raise ProviderProtocolError("the provider's stream ended without a finish")
        calls = [self._calls[index] for index in sorted(self._calls)] if self._calls else []
        return ModelReply(
            text="".join(self._text),
            thinking="".join(self._thinking) if self._thinking else "",
            refusal="".join(self._refusal) if self._refusal else "",
            tool_calls=calls,
            finish=self.finish,
            usage=self.usage,
            model_name=model_name,
        )

    def _call(self, delta: ToolCallDelta) -> None:
        calls = self._calls = self._calls or {}
        call = calls.get(delta.index)
        if call is None:
            call = calls[delta.index] = ToolCall(delta.id, delta.name, "")
        else:
            call.id = call.id or delta.id
            call.name = call.name or delta.name
        call.arguments += delta.arguments
        self.size += len(delta.arguments) + len(delta.name)
