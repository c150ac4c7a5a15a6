"""The provider port: an adapter that calls a model.

An adapter implements `stream` alone; the engine folds the deltas, so a plain call is the stream drained.  It owes:

* deltas in the order in which they arrived, then exactly one `Finish`, with a reason that was really received;
* errors of `promptrails_engine.errors` and no others (see `stream`), with no credential in their texts;
* no retries, no callbacks and no deadline of its own but `connect_timeout_s`: the engine has them;
* that cancelling the task which reads the stream closes the connection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from promptrails_engine.events import TokenUsage

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
Support = Literal["native", "emulated", "none"]


@dataclass(slots=True)
class ToolCall:
    """A call that the model asks for.  `arguments` is its JSON text as received, which may be broken."""

    id: str
    name: str
    arguments: str


@dataclass(slots=True)
class Message:
    """One message of the conversation sent to a model."""

    role: Role
    content: str
    tool_calls: Sequence[ToolCall] = ()
    tool_call_id: str | None = None
    name: str | None = None
    thinking: str = ""
    """The model's reasoning before these tool calls; some servers want it back with them, others never see it."""

    def to_dict(self) -> dict[str, Any]:
        """JSON data for spans and previews; keys that hold nothing are left out."""
        data: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            data["tool_calls"] = [
                {"id": call.id, "name": call.name, "arguments": call.arguments} for call in self.tool_calls
            ]
        if self.tool_call_id is not None:
            data["tool_call_id"] = self.tool_call_id
        if self.name is not None:
            data["name"] = self.name
        if self.thinking:
            data["thinking"] = self.thinking
        return data


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it; `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(slots=True)
class ModelRequest:
    """One call of a model.  What is None or empty is not sent."""

    model: str
    """The model's name at the provider, without the provider's prefix."""
    messages: Sequence[Message]
    tools: Sequence[ToolSpec] = ()
    output_schema: Mapping[str, Any] | None = None
    """JSON Schema that the answer must match; given only where the capabilities say `json_schema="native"`."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: {})
    """Further parameters of the prompt version (such as reasoning_effort), passed on under their own names."""
    connect_timeout_s: float = 10.0


# ------------------------------------------------------------------ deltas


@dataclass(slots=True)
class TextDelta:
    text: str


@dataclass(slots=True)
class ThinkingDelta:
    text: str


@dataclass(slots=True)
class ToolCallDelta:
    """A piece of a tool call.  `index` tells parallel calls apart; `id` and `name` come with the first piece."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class RefusalDelta:
    """A piece of the text with which the model declines."""

    text: str


@dataclass(slots=True)
class UsageDelta:
    """Tokens of the whole call so far; the last one counts."""

    usage: TokenUsage


@dataclass(slots=True)
class Finish:
    """The end, as the provider said it."""

    reason: FinishReason


@dataclass(slots=True)
class RateLimitDelta:
    """What the provider says is left of its limits, before the rest of an answer or an error; None where unsaid.

    The engine heeds it where the provider is an `AccountProvider`.
    """

    remaining_requests: int | None = None
    remaining_tokens: int | None = None
    requests_reset_s: float | None = None
    """Seconds until all requests are left again."""
    tokens_reset_s: float | None = None
    """Seconds until all tokens are left again."""


Delta = TextDelta | ThinkingDelta | ToolCallDelta | RefusalDelta | UsageDelta | RateLimitDelta | Finish


# ------------------------------------------------------------------ the port


@dataclass(frozen=True, slots=True)
class Account:
    """On whose account a call goes: calls of one model and account share the provider's limits."""

    credential: str
    """Tells credentials apart: a short digest, from which none can be had back.  Empty where there is none."""
    connections: int | None = None
    """Calls that the provider object can send at once; further ones wait in the engine's line."""


@dataclass(frozen=True, slots=True)
class ModelCapabilities:
    """What a model can do.  Where it cannot, the engine asks for tools under a schema, and for a schema in words."""

    tools: Support = "native"
    json_schema: Support = "native"
    context_window: int | None = None
    """Tokens of prompt and answer together, where known."""
    max_output_tokens: int | None = None


@runtime_checkable
class Provider(Protocol):
    """Serves every model name `<name>/...`."""

    @property
    def name(self) -> str:
        """The prefix of the model names that it serves."""
        ...

    def capabilities(self, model: str) -> ModelCapabilities:
        """What `model` (without the prefix) can do.  Must not do I/O.

        Raises:
            ModelNotServedError: this provider knows that it has no such model.
            MissingExtraError: a package that it needs is not installed.
        """
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        """Call the model.

        Raises (from the iterator):
            RateLimitError, AuthError, QuotaExceededError, ForbiddenError, ModelNotFoundError, BadRequestError,
            ContextOverflowError, ContentFilteredError, ProviderUnavailableError, ProviderProtocolError,
            StreamInterruptedError, ResponseTooLargeError, RedirectRefusedError, ProviderTimeoutError.
        """
        ...

    async def aclose(self) -> None:
        """Close connections.  May be called twice."""
        ...


@runtime_checkable
class AccountProvider(Protocol):
    """A provider whose calls count against limits of an account: the engine lets them through a gate of their own."""

    def account(self, model: str) -> Account:
        """The account of the next call of `model` (without the prefix).  Must not do I/O, and raises nothing."""
        ...
