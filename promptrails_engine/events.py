"""What a running execution says to its listeners: numbered, typed events.

Names and fields are those of the hosted stream; `seq` counts from 1 in each execution, without gaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, cast


@dataclass(slots=True)
class TokenUsage:
    """Tokens of one call or one run; None where the provider did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    cache_creation_tokens: int | None = None
    reasoning_tokens: int | None = None

    def to_dict(self) -> dict[str, int]:
        """The counts that are known."""
        out: dict[str, int] = {}
        if self.prompt_tokens is not None:
            out["prompt_tokens"] = self.prompt_tokens
        if self.completion_tokens is not None:
            out["completion_tokens"] = self.completion_tokens
        if self.total_tokens is not None:
            out["total_tokens"] = self.total_tokens
        if self.cached_tokens is not None:
            out["cached_tokens"] = self.cached_tokens
        if self.cache_creation_tokens is not None:
            out["cache_creation_tokens"] = self.cache_creation_tokens
        if self.reasoning_tokens is not None:
            out["reasoning_tokens"] = self.reasoning_tokens
        return out

    def plus(self, other: TokenUsage) -> TokenUsage:
        """The sums; what one of the two does not say is what the other does."""
        return TokenUsage(
            _sum(self.prompt_tokens, other.prompt_tokens),
            _sum(self.completion_tokens, other.completion_tokens),
            _sum(self.total_tokens, other.total_tokens),
            _sum(self.cached_tokens, other.cached_tokens),
            _sum(self.cache_creation_tokens, other.cache_creation_tokens),
            _sum(self.reasoning_tokens, other.reasoning_tokens),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TokenUsage:
        get = data.get
        return cls(
            get("prompt_tokens"),
            get("completion_tokens"),
            get("total_tokens"),
            get("cached_tokens"),
            get("cache_creation_tokens"),
            get("reasoning_tokens"),
        )


def _sum(one: int | None, other: int | None) -> int | None:
    if one is None:
        return other
    return one if other is None else one + other


@dataclass(slots=True)
class ExecutionEvent:
    """The first event: which execution this stream belongs to."""

    type: ClassVar[str] = "execution"
    execution_id: str
    user_message_id: str | None = None
    seq: int = 0


@dataclass(slots=True)
class ThinkingEvent:
    """A piece of the model's reasoning."""

    type: ClassVar[str] = "thinking"
    content: str
    seq: int = 0


@dataclass(slots=True)
class ToolStartEvent:
    """A tool call begins; `id` joins it to its end."""

    type: ClassVar[str] = "tool_start"
    id: str
    name: str
    seq: int = 0


@dataclass(slots=True)
class ToolEndEvent:
    """A tool call has ended; `summary` is its result, cut to a line."""

    type: ClassVar[str] = "tool_end"
    id: str
    name: str
    summary: str | None = None
    seq: int = 0


@dataclass(slots=True)
class ContentEvent:
    """A piece of the answer's text."""

    type: ClassVar[str] = "content"
    content: str
    seq: int = 0


@dataclass(slots=True)
class ApprovalRequiredEvent:
    """The run waits until somebody decides; `payload` is what is to be approved.

    `expires_at`: seconds since the epoch after which nobody can decide it any more; None is never.
    """

    type: ClassVar[str] = "approval_required"
    approval_id: str
    checkpoint_name: str
    payload: dict[str, Any] = field(default_factory=dict[str, Any])
    expires_at: float | None = None
    seq: int = 0


@dataclass(slots=True)
class RestartEvent:
    """A step was interrupted and runs again: what came after the event numbered `after` is void."""

    type: ClassVar[str] = "restart"
    after: int
    seq: int = 0


@dataclass(slots=True)
class DoneEvent:
    """The last event of a run that completed."""

    type: ClassVar[str] = "done"
    output: dict[str, Any] | None = None
    token_usage: TokenUsage = field(default_factory=TokenUsage)
    seq: int = 0


@dataclass(slots=True)
class ErrorEvent:
    """The last event of a run that failed or was cancelled; `code` is that of the error tree."""

    type: ClassVar[str] = "error"
    message: str = "stream error"
    code: str = "error"
    seq: int = 0


Event = (
    ExecutionEvent
    | ThinkingEvent
    | ToolStartEvent
    | ToolEndEvent
    | ContentEvent
    | ApprovalRequiredEvent
    | RestartEvent
    | DoneEvent
    | ErrorEvent
)

_EVENT_TYPES: dict[str, type[Event]] = {
    cls.type: cls
    for cls in (
        ExecutionEvent,
        ThinkingEvent,
        ToolStartEvent,
        ToolEndEvent,
        ContentEvent,
        ApprovalRequiredEvent,
        RestartEvent,
        DoneEvent,
        ErrorEvent,
    )
}
_EVENT_FIELDS = {name: tuple(f.name for f in fields(cls)) for name, cls in _EVENT_TYPES.items()}


def event_to_dict(event: Event) -> dict[str, Any]:
    """The event as JSON data, with its `type`."""
    data: dict[str, Any] = {"type": event.type}
    for name in _EVENT_FIELDS[event.type]:
        data[name] = getattr(event, name)
    if isinstance(event, DoneEvent):
        data["token_usage"] = event.token_usage.to_dict()
    return data


def event_from_dict(data: Mapping[str, Any]) -> Event:
    """The event that `event_to_dict` wrote.

    Raises:
        KeyError: the type is unknown.
    """
    cls = _EVENT_TYPES[data["type"]]
    values = {name: data[name] for name in _EVENT_FIELDS[data["type"]] if name in data}
    if cls is DoneEvent:
        values["token_usage"] = TokenUsage.from_dict(cast("dict[str, Any]", values.get("token_usage") or {}))
    return cls(**values)
