"""The context of one run, and the step: the only way in which a run does anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple, final

from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import ConflictError, FencedError, RunCancelledError, RunError, RunTimeoutError
from promptrails_engine.events import Event, ExecutionEvent, RestartEvent
from promptrails_engine.ports.provider import Message
from promptrails_engine.ports.sink import Span, SpanKind, TraceInfo, new_span
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.run.budget import budget_of
from promptrails_engine.run.deadlines import Deadline, Deadlines
from promptrails_engine.run.guards import Guards
from promptrails_engine.run.journal import Journal
from promptrails_engine.run.labels import NO_LABELS, Labels
from promptrails_engine.run.lease import Lease
from promptrails_engine.run.parking import LetGo
from promptrails_engine.run.past import Heard, Past
from promptrails_engine.run.plan import Plan
from promptrails_engine.run.services import Services
from promptrails_engine.run.span_ids import SpanIds
from promptrails_engine.run.spans import PARKED, fail_span
from promptrails_engine.run.stream import EventLog, RelayedLog
from promptrails_engine.run.totals import Totals

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


@final
class RunContext(Totals):
    """All that the steps of one run may use.  Lives as long as the run."""

    __slots__ = (
        "_beginning", "_begins", "_epoch", "_input", "_monotonic", "_span_id", "_stable_ids", "asked", "baseline",
        "begun", "birth", "budget", "cancel_requested", "deadline", "deadlines", "detached", "drive", "ended",
        "ending", "guards", "interrupts", "journal", "labels", "lapses", "lease", "left", "letting_go", "log", "lost",
        "on_record", "past", "resay_after", "row", "services", "spans", "spans_stored", "task", "trace", "truncated",
        "waiting", "watched",
    )  # fmt: skip
    _input: dict[str, Any] | None
    guards: Guards
    """Of the plan, with the vaults of this run."""
    labels: Labels

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
        lease: Lease | None = None,
        past: Past | None = None,
    ) -> None:
        above: Any = None if birth is None else birth.parent  # of this very class, which pyright does not see
        super().__init__(plan, limits, above)
        self.row, self.trace = row, trace
        self.services = services
        self.deadlines = deadlines
        self.drive = drive  # runs a context to its end
        self.detached = detached  # whether the run has a task of its own, which outlives its listeners
        self.asked = asked  # limits of the caller
        self.birth = birth
        self.log: EventLog = RelayedLog(birth.parent.log) if birth is not None and birth.relay else EventLog()
        self.lease = lease  # set where the execution outlives this process
        self.lapses = 0 if lease is None else lease.lapses  # when the run began
        self.past = past  # what it did before; None of a run that begins here
        self.journal = Journal(self, past, durable=lease is not None)
        self._input, self.guards = None, plan.guards
        self.labels = NO_LABELS if above is None else above.labels.below()
        self.spans: list[Span] = []
        self.spans_stored = self.interrupts = 0  # how many are stored; how often the engine has cancelled its task
        self.left: list[Span] = []  # spans that have not ended, where a step waits for a decision
        self.waiting: dict[str, RunContext] = {}  # runs below it that do, by id
        self.budget = budget_of(limits, None if above is None else above.budget)
        self.truncated = self.begun = self.on_record = self._begins = False
        self._beginning: asyncio.Future[None] | None = None
        """Set, if a branch waits for it, once another one has tried to put the execution on record."""
        self.task: asyncio.Task[Any] | None = None
        self.baseline = 0
        """`task.cancelling()` when the run began: what it owes to others."""
        self.deadline: Deadline | None = None  # the run's own limit of time
        self.watched = above is not None
        """Whether anything can have stopped the run: else a step need not look."""
        self.ending = False
        """Its end is being written: it can no longer be stopped."""
        self.ended: asyncio.Future[None] | None = None
        """Set, if somebody waits for the end, once that has come."""
        self.cancel_requested = self.letting_go = self.lost = False
        """It is to end; to stop at the next step and go on elsewhere; somebody else runs it by now, or has ended it."""
        self._span_id = services.ids.span
        self._stable_ids = None if lease is None and not plan.waits else SpanIds(row.id, services.ids, past)
        self._monotonic = services.clock.monotonic
        self._epoch = row.created_at - self._monotonic()
        self.resay_after: int | None = None
        """Recalled answers that came after this event are said again."""
        if past is not None:
            self._go_on(past)

    def _go_on(self, past: Past) -> None:
        """Take up a run where it is on record that it stopped."""
        if past.fresh:
            return
        self.begun = self.on_record = True
        self._epoch = self.services.clock.now() - self._monotonic()
        self.log.prime(past.events)
        self.spans += past.spans.values()
        self.spans_stored = len(self.spans)
        if not past.events:
            self.log.append(ExecutionEvent(self.row.id))
        elif self.birth is not None and self.birth.relay and self.birth.parent.log.restarted:
            self.resay_after = past.paused_at  # all that its parent takes back it has to say again
            self._restart(past.paused_at)
        elif past.void_after is not None:
            self._restart(past.void_after)
        past.heard = Heard(self.log.events)

    def _restart(self, after: int) -> None:
        self.log.restarted = True
        self.log.append(RestartEvent(max(after, 1)))  # the first says whose events they are

    @property
    def input(self) -> dict[str, Any]:
        """What the strategies see: the stored input, or that with labels in place of values."""
        return self.row.input if self._input is None else self._input

    def show_input(self, data: dict[str, Any]) -> None:
        """Have the strategies see this instead of what is stored."""
        self._input = data

    @property
    def is_filtered(self) -> bool:
        """Whether what is said passes something on its way to the listeners."""
        return bool(self.labels.own or self.guards.windows)

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
            if self.lease is not None:
                await self.lease.hold()
                self.lapses = self.lease.lapses
                if self.parent is not None:
                    await self.lease.check(self.parent.row, self.parent.lapses)
            await self.services.store.begin_execution(self.row, wait=self.detached)
            self.on_record = True
            self.log.append(ExecutionEvent(self.row.id))
            if self.journal.durable and self.journal.pending:
                await self.journal.flush()  # what it takes over has to be there before anything that builds on it
        except ConflictError:
            self.begun = False  # the id is that of another run, whose record is not to be touched
            raise
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
            RunCancelledError, RunTimeoutError, LetGo: the run was stopped before this step began.
        """
        # As `open_span` does: a call here would be one for every step.
        if self.watched:
            self._check_stopped()
        started = self._epoch + self._monotonic()
        stable = self._stable_ids
        span_id = self._span_id() if stable is None else stable.of(kind, key)
        span = new_span(self.trace, span_id, parent.span_id, name, kind, started, key)
        if self.past is not None:
            self._reopen(span)
        try:
            return await action(self, span, *args)
        except BaseException as error:
            fail_span(span, error)
            raise
        finally:
            if self.past is None and not span.error_type:
                span.ended_at = self._epoch + self._monotonic()
                self.spans.append(span)
            else:
                self.close_span(span)

    def open_span(self, kind: SpanKind, name: str, key: str, parent: Span) -> Span:
        """The span of a step that ends elsewhere than it begins; `close_span` ends it.

        Raises:
            RunCancelledError, RunTimeoutError, LetGo: the run was stopped before this step began.
        """
        if self.watched:
            self._check_stopped()
        return self._opened(parent.span_id, kind, name, key)

    def open_root(self, kind: SpanKind, name: str) -> Span:
        return self._opened("" if self.birth is None else self.birth.span.span_id, kind, name, "")

    def note_span(self, kind: SpanKind, name: str, key: str, parent: Span, attributes: dict[str, Any]) -> None:
        """Show something that takes no time."""
        span = self._opened(parent.span_id, kind, name, key)
        span.attributes |= attributes
        self.close_span(span)

    def close_span(self, span: Span) -> None:
        """End a span, unless it goes on with the run elsewhere, or is on record from before."""
        if span.error_type == PARKED:
            self.left.append(span)
            return
        if span.error_type == "cancelled" and self.leaving:
            return
        if self.past is not None and span.span_id in self.past.spans:
            return
        span.ended_at = self._epoch + self._monotonic()
        self.spans.append(span)

    def _opened(self, above: str, kind: SpanKind, name: str, key: str) -> Span:
        started = self._epoch + self._monotonic()
        span_id = self._span_id() if self._stable_ids is None else self._stable_ids.of(kind, key)
        span = new_span(self.trace, span_id, above, name, kind, started, key)
        if self.past is not None:
            self._reopen(span)
        return span

    def _reopen(self, span: Span) -> None:
        """Let a span that had not ended begin when it did."""
        begun = self.past and self.past.begun.get(span.span_id)
        if begun:
            span.started_at = min(begun, span.started_at)

    def cancel(self) -> None:
        """Ask the run to stop: no further step begins, and what is waiting is cancelled."""
        if self.cancel_requested or self.ending:
            return
        self.cancel_requested = True
        self._interrupt("the execution was cancelled")

    def cancel_line(self, execution_id: str) -> None:
        """Ask this run, or the one above it that has this id, to stop."""
        for ctx in self.lineage():
            if ctx.row.id == execution_id:
                ctx.cancel()

    def let_go(self, *, at_once: bool) -> None:
        """Have the run stop at its next step, or at once, and go on elsewhere."""
        self.letting_go = self.watched = True
        if at_once and not self.ending and not self.interrupts:
            self._interrupt("the engine is closed")

    def lose(self) -> None:
        """Stop a run that somebody else has taken over, or ended, with the one that started it."""
        if self.parent is not None:
            self.parent.lose()
        elif not self.lost and not self.ending:
            self.lost = True
            self._interrupt("the execution is run elsewhere")

    def _interrupt(self, why: str) -> None:
        self.watched = True
        if self.task is not None:
            self.interrupts += 1
            self.task.cancel(why)

    @property
    def stays(self) -> bool:
        """Whether it may go on elsewhere, or later."""
        return self._stable_ids is not None

    @property
    def halting(self) -> bool:
        """Whether this run, or one above it, has been stopped."""
        return self.letting_go or self.ends_early or (self.parent is not None and self.parent.halting)

    @property
    def ends_early(self) -> bool:
        """Whether this run, or one above it, has been stopped for good."""
        return (
            self.cancel_requested
            or self.lost
            or (self.deadline is not None and self.deadline.expired)
            or (self.parent is not None and self.parent.ends_early)
        )

    @property
    def leaving(self) -> bool:
        """Whether this run, or one above it, goes on elsewhere."""
        return self.letting_go or self.lost or (self.parent is not None and self.parent.leaving)

    def _check_stopped(self) -> None:
        if self.halting:
            raise self.stopped() if self.ends_early else LetGo

    def stopped(self) -> RunError:
        """Why the engine stops the run."""
        if self.lost:
            return FencedError("the execution was taken over by another process, or has ended; look at its record")
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
