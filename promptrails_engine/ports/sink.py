"""The sink port: an adapter that receives finished spans; and the span itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, runtime_checkable

SpanKind = Literal[
    "agent", "llm", "tool", "datasource", "prompt", "guardrail", "chain", "workflow", "agent_step", "mcp_call",
    "preprocessing", "postprocessing", "memory", "embedding", "speech", "image", "video", "storage",
]  # fmt: skip
SPAN_KINDS: tuple[SpanKind, ...] = get_args(SpanKind)
SpanStatus = Literal["ok", "error"]
SpanLevel = Literal["debug", "default", "warning", "error"]


@dataclass(slots=True)
class TraceInfo:
    """What all spans of one execution share."""

    trace_id: str
    execution_id: str
    workspace_id: str
    agent_id: str
    agent_name: str
    agent_type: str
    session_id: str = ""
    user_id: str = ""
    ambient: Any = None
    """What the sinks' `capture` returned when the run began, by sink."""


@dataclass
class Span:
    """A timed node of the trace tree.  Times are seconds since the epoch; `cost` is USD, None where unknown.

    It has no slots: what a span does not say is read from the class, so that `new_span` need not write it.
    """

    trace: TraceInfo
    span_id: str
    parent_span_id: str
    """"" for the root."""
    name: str
    kind: SpanKind
    started_at: float
    ended_at: float | None = None
    status: SpanStatus = "ok"
    level: SpanLevel = "default"
    input: Any = None
    output: Any = None
    attributes: dict[str, Any] = field(default_factory=lambda: {})
    tags: Sequence[str] = ()
    model_name: str = ""
    prompt_id: str = ""
    prompt_name: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cost: float | None = None
    completion_start_time: float | None = None
    error_message: str = ""
    error_type: str = ""
    """The `code` of the error tree."""
    error_stack: str = ""

    @property
    def token_usage(self) -> dict[str, int]:
        """The counts that are known, by name."""
        counts = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
        }
        return {name: count for name, count in counts.items() if count is not None}

    @property
    def duration_ms(self) -> int | None:
        return None if self.ended_at is None else round((self.ended_at - self.started_at) * 1000)


def new_span(
    trace: TraceInfo, span_id: str, parent_span_id: str, name: str, kind: SpanKind, started_at: float, key: str
) -> Span:
    """The same as `Span(...)` with the step's `key` among its attributes, in half of the time; a run makes several."""
    span = _NEW(Span)
    span.trace = trace
    span.span_id = span_id
    span.parent_span_id = parent_span_id
    span.name = name
    span.kind = kind
    span.started_at = started_at
    span.attributes = {"key": key} if key else {}
    return span


_NEW = object.__new__


@runtime_checkable
class Sink(Protocol):
    """Receives batches of finished spans, on a thread of its own: it may block.

    A sink that raises is counted and left out of that batch; a slow one loses the newest spans, counted as well.
    The whole trace of a run usually comes in one batch, children before their parents.
    """

    def export(self, spans: Sequence[Span]) -> None: ...

    def flush(self) -> None:
        """Hand on what is buffered."""
        ...

    def close(self) -> None:
        """Flush and free; called once."""
        ...


@runtime_checkable
class CapturingSink(Sink, Protocol):
    """A sink that reads the caller's ambient context (such as the host's current span) when a run begins."""

    def capture(self) -> Any:
        """Called in the caller's context, on the run's path: must be quick.  Kept in `TraceInfo.ambient`."""
        ...
