"""What calls return: pages, executions, approvals, traces, costs, previews.  Field for field the contract's, frozen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar, overload

from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.errors import RunFailedError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PaginationMeta:
    """Where a page stands: `page` counts from 1, `pages` and `total_pages` are the same number."""

    total: int
    page: int
    limit: int
    pages: int

    @property
    def total_pages(self) -> int:
        return self.pages


@dataclass(frozen=True, slots=True)
class Page(Sequence[T], Generic[T]):
    """One page of a list; iterates over its own items."""

    data: list[T]
    meta: PaginationMeta

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self.data[index]


def page_of(data: list[T], total: int, page: int, limit: int) -> Page[T]:
    """One page of `total` items in all."""
    return Page(data, PaginationMeta(total=total, page=page, limit=limit, pages=-(-total // limit)))


@dataclass(slots=True, kw_only=True)  # not frozen, which would double the time that making it takes: one a run
class ExecutionResult:
    """What one run of an agent came to.

    Attributes:
        output: an object: the validated value of an output schema (a non-object under `value`), else
            `{"content": text, "type": "text"}`; of a multi_agent what its aggregation makes, by default the outputs
            by role; None if the run did not complete.
        error: why the run failed; "" if it did not.
        error_code: `code` of the error tree; "" if it did not fail.
        status: completed, failed or cancelled.
        token_usage: prompt_tokens, completion_tokens, total_tokens and, where reported, finer counts.
        cost: USD, with what the children have cost; None where the price of a call is unknown.
        cost_known: USD of the calls whose price is known.
        duration_ms: wall-clock milliseconds.
        truncated: the answer ended at the token limit.
    """

    execution_id: str
    trace_id: str
    status: str
    output: dict[str, Any] | None = None
    error: str = ""
    error_code: str = ""
    token_usage: dict[str, int] = field(default_factory=lambda: {})
    cost: float | None = None
    cost_known: float = 0.0
    duration_ms: int | None = None
    truncated: bool = False

    @property
    def id(self) -> str:
        """The execution's id, under the name that the hosted API gives it."""
        return self.execution_id

    @property
    def text(self) -> str:
        """The plain text of the output; "" where there is none."""
        return output_text(self.output)

    def raise_for_status(self) -> ExecutionResult:
        """This result, if the run completed.

        Raises:
            RunFailedError: it did not; `code` is that of the error which ended it.
        """
        if self.status != "completed":
            message = self.error or f"the run ended as {self.status}"
            raise RunFailedError(
                f"execution {self.execution_id} {self.status}: {message}", code=self.error_code or self.status
            )
        return self

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.execution_id, **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentExecution:
    """The stored record of one run; times are ISO-8601 in UTC.

    Attributes:
        parent_execution_id: the execution that started this one; None of a root.
        root_execution_id: the root of its tree, which may be itself.
        children: the executions that it started, in order of their start: of `executions.get` those right below it, of
            `executions.tree` all; of lists none.
        version_lock: the exact versions and digests that the run resolved, and those of all agents below it.
        cost, cost_known, token_usage, duration_ms, truncated: as in `ExecutionResult`, children included.
    """

    id: str
    agent_id: str
    agent_version_id: str
    workspace_id: str
    user_id: str = ""
    session_id: str = ""
    status: str = ""
    input: dict[str, Any] = field(default_factory=lambda: {})
    output: dict[str, Any] | None = None
    error: str = ""
    error_code: str = ""
    metadata: dict[str, Any] = field(default_factory=lambda: {})
    token_usage: dict[str, int] = field(default_factory=lambda: {})
    cost: float | None = None
    cost_known: float = 0.0
    duration_ms: int | None = None
    truncated: bool = False
    trace_id: str | None = None
    version_lock: dict[str, Any] = field(default_factory=lambda: {})
    started_at: str | None = None
    completed_at: str | None = None
    created_at: str = ""
    parent_execution_id: str | None = None
    root_execution_id: str | None = None
    children: list[AgentExecution] = field(default_factory=list["AgentExecution"])

    @property
    def text(self) -> str:
        """The plain text of the output; "" where there is none."""
        return output_text(self.output)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """Something that a run waits for somebody to decide; times are ISO-8601 in UTC.

    Attributes:
        execution_id: the execution that waits, which may be a child.
        root_execution_id: the root of its tree.
        agent_id: the agent of the execution that waits.
        key: the step that waits.
        checkpoint_name: what the check is called.
        payload: what is to be approved.
        digest: SHA-256 of what is to be approved.
        status: pending, approved, rejected, expired, or withdrawn with its run.
        reason, decided_by, decided_at: what was said, by whom and when.
        expires_at: when it expires; None is never.
    """

    id: str
    execution_id: str
    root_execution_id: str
    workspace_id: str
    agent_id: str | None = None
    key: str = ""
    checkpoint_name: str = ""
    payload: dict[str, Any] = field(default_factory=lambda: {})
    digest: str = ""
    status: str = "pending"
    reason: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    created_at: str = ""
    expires_at: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtfulStep:
    """An effect of which nobody knows whether it happened: `executions.resolve(execution_id, step, ...)` says so."""

    execution_id: str
    step: str
    tool: str
    arguments: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One finished span; `parent_span_id` is "" for the root, `cost` is USD, times are ISO-8601 in UTC."""

    id: str
    workspace_id: str
    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str
    status: str = "ok"
    level: str = "default"
    input: Any = None
    output: Any = None
    attributes: dict[str, Any] = field(default_factory=lambda: {})
    tags: list[str] = field(default_factory=list[str])
    token_usage: dict[str, int] | None = None
    cost: float | None = None
    duration_ms: int | None = None
    error_message: str = ""
    error_type: str = ""
    error_stack: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    agent_id: str | None = None
    agent_name: str = ""
    agent_type: str = ""
    prompt_id: str | None = None
    prompt_name: str = ""
    model_name: str = ""
    llm_model_id: str | None = None
    user_id: str | None = None
    session_id: str = ""
    execution_id: str | None = None
    service_name: str = "promptrails-engine"
    started_at: str = ""
    ended_at: str | None = None
    completion_start_time: str | None = None
    created_at: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSummary:
    """Spend of a span of time.

    Attributes:
        total_cost: USD of the calls whose price is known.
        total_executions: runs that a caller started; of one agent all its executions.
        unknown_cost_executions: executions with a call of unknown price, which `total_cost` leaves out.
        daily_costs: `{"date", "cost", "executions", "tokens"}` by UTC day.
    """

    total_cost: float = 0.0
    total_executions: int = 0
    total_tokens: int = 0
    unknown_cost_executions: int = 0
    daily_costs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPreview:
    """The model call that a prompt would make, exactly as it would be sent; nothing was sent.

    Attributes:
        messages: `{"role", "content", ...}` in order.
        tools: the tools offered, each `{"name", "description", "parameters"}`.
        output_schema: the schema that the provider is asked to hold the answer to; None where it is not asked.
    """

    system_prompt: str
    user_prompt: str
    input: dict[str, Any]
    model: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    output_schema: dict[str, Any] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    options: dict[str, Any] = field(default_factory=lambda: {})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPromptResponse:
    """The answer of one prompt run outside of an agent; `cost` is USD, None where the price is unknown."""

    content: str
    token_usage: dict[str, int]
    cost: float | None
    duration_ms: int
    model: str
    output: dict[str, Any] | None = None
    trace_id: str = ""


def output_text(output: dict[str, Any] | None) -> str:
    """The plain text of an output object."""
    if not output:
        return ""
    content = output.get("content")
    if isinstance(content, str) and output.get("type") == "text":
        return content
    only: Any = next(iter(output.values())) if len(output) == 1 else None
    if isinstance(only, str):
        return only
    return compact_json(output)
