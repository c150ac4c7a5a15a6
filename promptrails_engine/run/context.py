"""The context of one run, and the step: the only way in which a run does anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple

from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import (
    BudgetExceededError,
    PromptRailsError,
    RunCancelledError,
    RunError,
    RunTimeoutError,
)
from promptrails_engine.events import Event, ExecutionEvent, TokenUsage
from promptrails_engine.ports.provider import Message
from promptrails_engine.ports.sink import Span, SpanKind, TraceInfo, new_span
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.run.budget import Budget
from promptrails_engine.run.deadlines import Deadline, Deadlines
from promptrails_engine.run.plan import Plan
from promptrails_engine.run.services import Services
from promptrails_engine.run.stream import EventLog, RelayedLog

_TOOL_CALLS = 50
Ts = TypeVarTuple("Ts")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Birth:
    """How a child execution came to be."""

    parent: RunContext
    span: Span
    """The step that started it: its own spans stand below."""
    relay: bool
    """Whether its answer is that of the parent, and goes to the parent's listeners as it comes."""
    window: Sequence[Message]
    """The conversation that its prompts see before their own words."""


class RunContext:
    """All that the steps of one run may use.  Lives as long as the run."""

    __slots__ = (
        "_beginning",
        "_begins",
        "_epoch",
        "_monotonic",
        "_span_id",
        "asked",
        "baseline",
        "begun",
        "birth",
        "budget",
        "cancel_requested",
        "children",
        "cost_known",
        "cost_unknown",
        "deadline",
        "deadlines",
        "detached",
        "drive",
        "ended",
        "ending",
        "flush_lock",
        "limits",
        "log",
        "on_record",
        "parent",
        "plan",
        "row",
        "services",
        "spans",
        "spans_stored",
        "task",
        "tool_calls",
        "trace",
        "truncated",
        "usage",
        "watched",
    )

    def __init__(
        self,
        plan: Plan,
        row: ExecutionRow,
        trace: TraceInfo,
        services: Services,
        limits: Limits,
        deadlines: Deadlines,
        drive: Callable[[RunContext], Awaitable[ExecutionRow]],
        *,
        detached: bool,
        asked: Limits | None,
        birth: Birth | None = None,
    ) -> None:
        self.plan = plan
        self.row = row
        self.trace = trace
        self.services = services
        self.limits = limits
        self.deadlines = deadlines
        self.drive = drive
        """Runs a context to its end."""
        self.detached = detached
        """Whether the run has a task of its own, which outlives its listeners."""
        self.asked = asked  # limits of the caller
        self.birth = birth
        self.parent = parent = None if birth is None else birth.parent
        self.log: EventLog = RelayedLog(birth.parent.log) if birth is not None and birth.relay else EventLog()
        self.spans: list[Span] = []
        self.spans_stored = 0
        self.budget = _budget(limits, parent)
        self.usage: TokenUsage | None = None
        self.cost_known = 0.0
        self.cost_unknown = False
        self.tool_calls = 0
        self.children = 0  # near or far
        self.truncated = False
        self.begun = False
        self.on_record = False
        self._begins = False
        self._beginning: asyncio.Future[None] | None = None
        """Set, if a branch waits for it, once another one has tried to put the execution on record."""
        self.task: asyncio.Task[Any] | None = None
        self.baseline = 0
        """`task.cancelling()` when the run began: what it owes to others."""
        self.deadline: Deadline | None = None
        """The run's own limit of time."""
        self.cancel_requested = False
        self.watched = parent is not None
        """Whether anything can have stopped the run: else a step need not look."""
        self.ending = False
        """Its end is being written: it can no longer be stopped."""
        self.ended: asyncio.Future[None] | None = None
        """Set, if somebody waits for the end, once that has come."""
        self.flush_lock: asyncio.Lock | None = None
        self._span_id = services.ids.span
        self._monotonic = services.clock.monotonic
        self._epoch = row.created_at - self._monotonic()

    # -------------------------------------------------------------- time, events

    def now(self) -> float:
        """Seconds since the epoch, never running backwards within the run."""
        return self._epoch + self._monotonic()

    def emit(self, event: Event) -> None:
        """Say something to whoever listens."""
        self.log.append(event)

    async def begin(self) -> None:
        """Put the execution on record: before its first effect, and before anyone learns its id.

        Until then a run leaves no trace, so that input which cannot be run changes nothing.
        """
        while self._begins:  # in another branch, and no event or effect of a run comes before its beginning
            if self._beginning is None:
                self._beginning = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._beginning)
        if self.on_record:
            return
        self.begun = self._begins = True
        try:
            if self.parent is not None and not self.parent.on_record:
                await self.parent.begin()
            self.row.status = "running"
            await self.services.store.begin_execution(self.row, wait=self.detached)
            self.on_record = True
            self.log.append(ExecutionEvent(self.row.id))
        finally:
            self._begins = False
            if self._beginning is not None:
                self._beginning.set_result(None)
                self._beginning = None

    def begin_late(self) -> None:
        """Count as begun, so that the end puts it on record as a whole: a child that failed before its first effect."""
        self.begun = self.on_record = True
        self.log.append(ExecutionEvent(self.row.id))

    # -------------------------------------------------------------- the step

    async def step(
        self,
        kind: SpanKind,
        name: str,
        key: str,
        parent: Span,
        action: Callable[[RunContext, Span, *Ts], Awaitable[R]],
        *args: *Ts,
    ) -> R:
        """What `action` returns, run under a span of its own.

        `key` is the step's stable path in the run, such as `steps[1]/tool[0]`.  An exception is recorded on the span
        and goes on.

        Raises:
            RunCancelledError, RunTimeoutError: the run was stopped before this step began.
        """
        # As `open_span` does: a call here would be one for every step.
        if self.watched:
            self._check_stopped()
        started = self._epoch + self._monotonic()
        span = new_span(self.trace, self._span_id(), parent.span_id, name, kind, started, key)
        try:
            return await action(self, span, *args)
        except BaseException as error:
            fail_span(span, error)
            raise
        finally:
            span.ended_at = self._epoch + self._monotonic()
            self.spans.append(span)

    def open_span(self, kind: SpanKind, name: str, key: str, parent: Span) -> Span:
        """The span of a step that ends elsewhere than it begins; `close_span` ends it.

        Raises:
            RunCancelledError, RunTimeoutError: the run was stopped before this step began.
        """
        if self.watched:
            self._check_stopped()
        started = self._epoch + self._monotonic()
        return new_span(self.trace, self._span_id(), parent.span_id, name, kind, started, key)

    def open_root(self, kind: SpanKind, name: str) -> Span:
        started = self._epoch + self._monotonic()
        above = "" if self.birth is None else self.birth.span.span_id
        return new_span(self.trace, self._span_id(), above, name, kind, started, "")

    def close_span(self, span: Span) -> None:
        span.ended_at = self._epoch + self._monotonic()
        self.spans.append(span)

    def cancel(self) -> None:
        """Ask the run to stop: no further step begins, and what is waiting is cancelled."""
        if self.cancel_requested or self.ending:
            return
        self.cancel_requested = self.watched = True
        if self.task is not None:
            self.task.cancel("the execution was cancelled")

    @property
    def halting(self) -> bool:
        """Whether this run, or one above it, has been stopped."""
        return (
            self.cancel_requested
            or (self.deadline is not None and self.deadline.expired)
            or (self.parent is not None and self.parent.halting)
        )

    def _check_stopped(self) -> None:
        if self.halting:
            raise self.stopped()

    def stopped(self) -> RunError:
        """Why the engine stops the run."""
        if self.cancel_requested:
            return RunCancelledError("the execution was cancelled")
        if self.deadline is None or not self.deadline.expired:
            return RunCancelledError("the execution was stopped with the one that started it")
        return RunTimeoutError(
            f"the run passed its limit of {self.limits.timeout_s:g} s; raise Limits(timeout_s=...) if it needs longer"
        )

    def being_cancelled(self) -> bool:
        """Whether somebody has asked the current task to stop; a CancelledError without that is an adapter's fault."""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > (self.baseline if task is self.task else 0)

    # -------------------------------------------------------------- totals

    def count(self, usage: TokenUsage | None, cost: float | None) -> None:
        """Add the tokens and the USD of one model call, here and above."""
        if cost is None:
            self.cost_unknown = True
        else:
            self.cost_known += cost
        if usage is not None:
            self.usage = usage if self.usage is None else self.usage.plus(usage)
        if self.parent is not None:
            self.parent.count(usage, cost)

    def lineage(self) -> Iterator[RunContext]:
        """This run, the one that started it, and so on up to the root."""
        ctx: RunContext | None = self
        while ctx is not None:
            yield ctx
            ctx = ctx.parent

    def count_tool_calls(self, number: int) -> None:
        """Add tool calls that are about to be made, here and above.

        Raises:
            BudgetExceededError: there are not so many left.
        """
        ctx: RunContext | None = self  # a loop in place of `lineage`: mostly there is but one
        while ctx is not None:
            most = ctx.limits.max_tool_calls
            if most is None and ctx.parent is None:
                most = _TOOL_CALLS
            if most is not None and ctx.tool_calls + number > most:
                raise BudgetExceededError(
                    f"{ctx.called} may make {most} tool calls, and {ctx.tool_calls + number} would be needed; "
                    "raise max_tool_calls"
                )
            ctx = ctx.parent
        ctx = self
        while ctx is not None:
            ctx.tool_calls += number
            ctx = ctx.parent

    @property
    def called(self) -> str:
        """What messages about limits call it."""
        return "the run" if self.parent is None else f"the run of agent '{self.plan.agent_name}'"


def trace_of(row: ExecutionRow, plan: Plan, ambient: Any) -> TraceInfo:
    """What all spans of an execution share; `ambient` is what the sinks saw in the caller's context."""
    return TraceInfo(
        row.trace_id,
        row.id,
        row.workspace_id,
        plan.agent_id,
        plan.agent_name,
        plan.agent_type,
        row.session_id,
        row.user_id,
        ambient,
    )


def _budget(limits: Limits, parent: RunContext | None) -> Budget | None:
    within = None if parent is None else parent.budget
    limited = limits.max_cost is not None or limits.max_total_tokens is not None
    return Budget(limits, within) if limited or within is not None else None


def fail_span(span: Span, error: BaseException) -> None:
    """Mark a span as failed by `error`."""
    span.status = "error"
    span.level = "error"
    if isinstance(error, PromptRailsError):
        span.error_type = error.code
        span.error_message = error.message
    elif isinstance(error, asyncio.CancelledError):
        span.error_type = "cancelled"
        span.error_message = "cancelled"
    else:
        span.error_type = "internal"
        span.error_message = f"{type(error).__name__}: {error}"
