"""Where a run happens: from a plan and an input to a stored, finished execution."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import PromptRailsError, RunCancelledError, RunTimeoutError
from promptrails_engine.events import DoneEvent, ErrorEvent, Event, TokenUsage
from promptrails_engine.ports.sink import TraceInfo
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.deadlines import Deadline, Deadlines
from promptrails_engine.run.pipeline import Strategy, run_pipeline
from promptrails_engine.run.plan import Plan
from promptrails_engine.run.prompt_step import StepOutput
from promptrails_engine.run.services import Services
from promptrails_engine.run.stream import EventLog

_log = logging.getLogger(__name__)
_FLUSH_S = 0.5
_CANCEL_S = 5.0


@dataclass(slots=True)
class RunOptions:
    """What a caller may say about one run."""

    session_id: str = ""
    user_id: str = ""
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    limits: Limits | None = None


class Runner:
    """Runs plans on the current event loop and knows which are going on."""

    def __init__(self, services: Services, strategies: Mapping[str, Strategy]) -> None:
        self._services = services
        self._strategies = strategies
        self._live: dict[str, RunContext] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deadlines: Deadlines | None = None
        self._flusher: asyncio.Task[None] | None = None

    async def run(self, plan: Plan, data: dict[str, Any], options: RunOptions) -> ExecutionRow:
        """The finished execution, run in the caller's own task.

        Raises:
            PromptRailsError: the input cannot be run; then nothing was stored.
        """
        return await self._drive(self._context(plan, data, options, detached=False))

    def start(
        self, plan: Plan, data: dict[str, Any], options: RunOptions
    ) -> tuple[EventLog, asyncio.Task[ExecutionRow]]:
        """A run in a task of its own, which goes on whoever listens: its events, and the task that ends with it."""
        ctx = self._context(plan, data, options, detached=True)
        task = asyncio.get_running_loop().create_task(self._drive(ctx), name=f"run {ctx.row.id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return ctx.log, task

    def live(self, execution_id: str) -> RunContext | None:
        """The run with this id, while it is going on here."""
        return self._live.get(execution_id)

    def cancel(self, execution_id: str) -> bool:
        """Stop a run that is going on here; whether there was one.  It ends as cancelled at its next await."""
        ctx = self._live.get(execution_id)
        if ctx is None:
            return False
        if not ctx.cancel_requested:
            ctx.cancel_requested = True
            if ctx.task is not None:
                ctx.task.cancel("the execution was cancelled")
        return True

    async def close(self, grace_s: float) -> None:
        """Let runs finish for so many seconds, then cancel what is left."""
        tasks = {ctx.task for ctx in self._live.values() if ctx.task is not None} - {asyncio.current_task()}
        if tasks:
            _, slow = await asyncio.wait(tasks, timeout=grace_s)
            if slow:
                for execution_id in list(self._live):
                    self.cancel(execution_id)
                await asyncio.wait(slow, timeout=_CANCEL_S)
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
            self._flusher = None
        if self._deadlines is not None:
            self._deadlines.close()

    # -------------------------------------------------------------- one run

    def _context(self, plan: Plan, data: dict[str, Any], options: RunOptions, *, detached: bool) -> RunContext:
        services = self._services
        now = services.clock.now()
        row = ExecutionRow(
            services.ids.record(),
            services.workspace_id,
            plan.agent_id,
            plan.version_id,
            services.ids.trace(),
            "pending",
            data,
            plan.version_lock,
            now,
            options.user_id,
            options.session_id,
            options.metadata,
            now,
        )
        trace = TraceInfo(
            row.trace_id,
            row.id,
            row.workspace_id,
            plan.agent_id,
            plan.agent_name,
            plan.agent_type,
            options.session_id,
            options.user_id,
            services.sinks.capture(),
        )
        limits = plan.limits if options.limits is None else options.limits.over(plan.limits)
        return RunContext(plan, row, trace, services, limits, self._loop_deadlines(), detached=detached)

    async def _drive(self, ctx: RunContext) -> ExecutionRow:
        self._live[ctx.row.id] = ctx
        ctx.task = asyncio.current_task()
        limit = ctx.limits.timeout_s
        deadline = None if limit is None else ctx.deadlines.start(limit)
        if self._flusher is None and self._services.store.shared:
            self._flusher = asyncio.get_running_loop().create_task(self._flush_live())
        try:
            return await self._concluded(ctx, deadline)
        finally:
            if deadline is not None:
                ctx.deadlines.stop(deadline)
            del self._live[ctx.row.id]
            ctx.log.close()

    async def _concluded(self, ctx: RunContext, deadline: Deadline | None) -> ExecutionRow:
        """Run the pipeline and put its end on record."""
        try:
            result = await run_pipeline(ctx, self._strategies[ctx.plan.agent_type])
            if deadline is not None and deadline.expired:
                await asyncio.sleep(0)  # the cancellation is on its way: meet it here
        except asyncio.CancelledError:
            error = _reason(ctx, deadline)
            if error is None:
                await _bounded(self._finish(ctx, None, RunCancelledError("the caller was cancelled")))
                raise
            return await self._finish(ctx, None, error)
        except Exception as error:
            if not ctx.begun:
                raise
            if not isinstance(error, PromptRailsError):
                _log.exception("a fault in the engine ended execution %s", ctx.row.id)
            return await self._finish(ctx, None, error)
        return await self._finish(ctx, result, None)

    async def _finish(self, ctx: RunContext, result: StepOutput | None, error: Exception | None) -> ExecutionRow:
        """Commit the terminal state, then tell listeners and sinks."""
        row = ctx.row
        if not ctx.begun:
            return row
        row.completed_at = ctx.now()
        row.duration_ms = round((row.completed_at - row.created_at) * 1000)
        row.token_usage = ctx.usage
        row.cost_known = ctx.cost_known
        row.cost = None if ctx.cost_unknown else ctx.cost_known
        row.truncated = ctx.truncated
        last: Event
        if result is not None:
            row.status = "completed"
            row.output = result.output
            last = DoneEvent(result.output, TokenUsage.from_dict(ctx.usage))
        else:
            row.status = "cancelled" if isinstance(error, RunCancelledError) else "failed"
            row.error = error.message if isinstance(error, PromptRailsError) else f"{type(error).__name__}: {error}"
            row.error_code = error.code if isinstance(error, PromptRailsError) else "internal"
            last = ErrorEvent(row.error, row.error_code)
        log = ctx.log
        last.seq = len(log.events) + 1
        pending = [*log.events[log.stored :], last]
        await self._services.store.finish_execution(row, ctx.spans[ctx.spans_stored :], pending)
        log.append(last)
        self._services.sinks.publish(ctx.spans)
        return row

    # -------------------------------------------------------------- housekeeping

    async def _flush_live(self) -> None:
        """While runs are going on, let other processes see their events and spans."""
        while self._live:
            await asyncio.sleep(_FLUSH_S)
            for ctx in [ctx for ctx in self._live.values() if ctx.begun]:
                try:
                    await self._flush(ctx)
                except PromptRailsError as error:
                    _log.warning("events of execution %s are written late: %s", ctx.row.id, error)
        self._flusher = None

    async def _flush(self, ctx: RunContext) -> None:
        events = ctx.log.events[ctx.log.stored :]
        if events:
            ctx.log.stored += len(events)
            await self._services.store.append_events(ctx.row, events)
        spans = ctx.spans[ctx.spans_stored :]
        if spans:
            ctx.spans_stored += len(spans)
            await self._services.store.append_spans(spans)

    def _loop_deadlines(self) -> Deadlines:
        loop = asyncio.get_running_loop()
        if self._deadlines is None or loop is not self._loop:
            # The first run, or one in a forked child or after the old loop is gone: nothing of that loop lives on.
            self._loop = loop
            self._deadlines = Deadlines(loop)
            self._live.clear()
            self._tasks.clear()
            self._flusher = None
        return self._deadlines

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # Whoever holds the stream meets the exception there; nobody may, and that is no fault of the run.
            _log.debug("a detached run ended with %r", task.exception())


def _reason(ctx: RunContext, deadline: Deadline | None) -> PromptRailsError | None:
    """Why the run's task was cancelled, where it was the engine that did it; the task then goes on."""
    if ctx.cancel_requested and ctx.task is not None and ctx.task.uncancel() == 0:
        return RunCancelledError("the execution was cancelled")
    if deadline is not None and deadline.absorb():
        return RunTimeoutError(
            f"the run passed its limit of {ctx.limits.timeout_s:g} s; raise Limits(timeout_s=...) if it needs longer"
        )
    return None


async def _bounded(work: Awaitable[Any]) -> None:
    """Let clean-up finish although the task is cancelled, for five seconds at most."""
    try:
        await asyncio.shield(asyncio.wait_for(asyncio.ensure_future(work), timeout=_CANCEL_S))
    except TimeoutError:
        _log.warning("a cancelled run could not be put on record within 5 s")
