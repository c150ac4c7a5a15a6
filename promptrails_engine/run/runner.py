"""Where a run happens: from a plan and an input to a stored, finished execution."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import EngineClosedError, PromptRailsError, RunCancelledError, RunError
from promptrails_engine.events import DoneEvent, ErrorEvent, Event, TokenUsage
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.run.context import RunContext, trace_of
from promptrails_engine.run.deadlines import Deadlines, take_back
from promptrails_engine.run.pipeline import Strategy, run_pipeline
from promptrails_engine.run.plan import Plan
from promptrails_engine.run.prompt_step import StepOutput
from promptrails_engine.run.services import Services
from promptrails_engine.run.stream import EventLog

_log = logging.getLogger(__name__)
_NO_USAGE = TokenUsage()
_FLUSH_S = 0.5
_CANCEL_S = 5.0


@dataclass(slots=True)
class RunOptions:
    """What a caller may say about one run."""

    session_id: str = ""
    user_id: str = ""
    metadata: dict[str, Any] = field(default_factory=lambda: {})
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
        self._closed = False

    def run(self, plan: Plan, data: dict[str, Any], options: RunOptions) -> Coroutine[Any, Any, ExecutionRow]:
        """The finished execution, run in the caller's own task once it is awaited.

        Raises:
            PromptRailsError: the input cannot be run; then nothing was stored.
        """
        return self._drive(self._context(plan, data, options, detached=False))

    def start(
        self, plan: Plan, data: dict[str, Any], options: RunOptions
    ) -> tuple[EventLog, asyncio.Task[ExecutionRow]]:
        """A run in a task of its own, which goes on whoever listens: its events, and the task that ends with it."""
        ctx = self._context(plan, data, options, detached=True)
        self._live[ctx.row.id] = ctx  # at once: a close in the meantime has to wait for it
        task = asyncio.get_running_loop().create_task(self._drive(ctx), name=f"run {ctx.row.id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return ctx.log, task

    def live(self, execution_id: str) -> RunContext | None:
        """The run with this id, while it is going on here."""
        return self._live.get(execution_id)

    def cancel(self, execution_id: str) -> bool:
        """Stop a run that is going on here; whether there was one.

        It ends as cancelled, or with the result whose commit had begun before.
        """
        ctx = self._live.get(execution_id)
        if ctx is None:
            return False
        ctx.cancel()
        return True

    async def close(self, grace_s: float) -> None:
        """Let runs finish for so many seconds, then cancel what is left; none begins any more."""
        self._closed = True
        here = asyncio.current_task()
        roots = [ctx for ctx in self._live.values() if ctx.parent is None]
        waiting = {self._end_of(ctx): ctx for ctx in roots if ctx.task is not here}
        if waiting:
            _, slow = await asyncio.wait(waiting, timeout=grace_s)
            for end in slow:
                waiting[end].cancel()
            if slow:
                await asyncio.wait(slow, timeout=_CANCEL_S)
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
            self._flusher = None
        if self._deadlines is not None:
            self._deadlines.close()

    def _end_of(self, ctx: RunContext) -> asyncio.Future[None]:
        if ctx.ended is None:
            ctx.ended = asyncio.get_running_loop().create_future()
        return ctx.ended

    # -------------------------------------------------------------- one run

    def _context(self, plan: Plan, data: dict[str, Any], options: RunOptions, *, detached: bool) -> RunContext:
        if self._closed:
            raise EngineClosedError("the engine was closed before the run began; make a new one")
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
        trace = trace_of(row, plan, services.sinks.capture())
        limits = plan.limits if options.limits is None else options.limits.over(plan.limits)
        return RunContext(
            plan,
            row,
            trace,
            services,
            limits,
            self._loop_deadlines(),
            self._drive,
            detached=detached,
            asked=options.limits,
        )

    async def _drive(self, ctx: RunContext) -> ExecutionRow:
        self._live[ctx.row.id] = ctx
        ctx.task = task = asyncio.current_task()
        if task is not None and task.cancelling():
            ctx.baseline = task.cancelling()
        if ctx.limits.timeout_s is not None:
            ctx.deadline = ctx.deadlines.start(ctx.deadlines.now(), ctx.limits.timeout_s)
            ctx.watched = True
        if self._flusher is None and self._services.store.shared:
            self._flusher = asyncio.get_running_loop().create_task(self._flush_live())
        try:
            return await self._concluded(ctx)
        finally:
            if ctx.deadline is not None:
                ctx.deadlines.stop(ctx.deadline)
            del self._live[ctx.row.id]
            ctx.log.close()
            if ctx.ended is not None and not ctx.ended.done():
                ctx.ended.set_result(None)

    async def _concluded(self, ctx: RunContext) -> ExecutionRow:
        """Run the pipeline and put its end on record."""
        result: StepOutput | None = None
        failure: BaseException | None = None
        try:
            result = await run_pipeline(ctx, self._strategies[ctx.plan.agent_type])
        except (Exception, asyncio.CancelledError) as error:
            failure = error
        ctx.ending = True
        if ctx.cancel_requested or ctx.deadline is not None or isinstance(failure, asyncio.CancelledError):
            failure = await _stopped(ctx, failure)
            result = result if failure is None else None
        if isinstance(failure, asyncio.CancelledError):
            why = "the caller was cancelled" if ctx.parent is None else "the execution that started it was stopped"
            await _bounded(self._finish(ctx, None, RunCancelledError(why)))
            raise failure
        if failure is not None and not ctx.begun:
            if ctx.parent is None or not ctx.parent.begun:
                raise failure
            ctx.begin_late()
        if failure is not None and not isinstance(failure, PromptRailsError):
            _log.error("a fault in the engine ended execution %s", ctx.row.id, exc_info=failure)
        return await self._finish(ctx, result, failure)

    async def _finish(self, ctx: RunContext, result: StepOutput | None, error: BaseException | None) -> ExecutionRow:
        """Commit the terminal state, then tell listeners and sinks."""
        row = ctx.row
        if not ctx.begun:
            return row
        row.completed_at = ctx.now()
        row.duration_ms = round((row.completed_at - row.created_at) * 1000)
        usage = ctx.usage or _NO_USAGE
        row.token_usage = usage.to_dict()
        row.cost_known = ctx.cost_known
        row.cost = None if ctx.cost_unknown else ctx.cost_known
        row.truncated = ctx.truncated
        last: Event
        if result is not None:
            row.status = "completed"
            row.output = result.output
            last = DoneEvent(result.output, usage)
        else:
            row.status = "cancelled" if isinstance(error, RunCancelledError) else "failed"
            row.error = error.message if isinstance(error, PromptRailsError) else f"{type(error).__name__}: {error}"
            row.error_code = error.code if isinstance(error, PromptRailsError) else "internal"
            last = ErrorEvent(row.error, row.error_code)
        log = ctx.log
        last.seq = len(log.events) + 1
        try:
            await self._store_end(ctx, last)
        except asyncio.CancelledError:
            # The caller gives up while the end is being written; a second end changes nothing, none would lose it.
            await _bounded(self._store_end(ctx, last))
            log.append(last)
            raise
        log.append(last)
        self._services.sinks.publish(ctx.spans)
        return row

    async def _store_end(self, ctx: RunContext, last: Event) -> None:
        if ctx.flush_lock is not None:
            async with ctx.flush_lock:  # what is being written comes first
                pass
        pending = [*ctx.log.events[ctx.log.stored :], last]
        await self._services.store.finish_execution(ctx.row, ctx.spans[ctx.spans_stored :], pending)

    # -------------------------------------------------------------- housekeeping

    async def _flush_live(self) -> None:
        """While runs are going on, let other processes see their events and spans.

        Not those of plain calls: nobody listens, and what is stored could not be taken back for another attempt.
        """
        while self._live:
            await asyncio.sleep(_FLUSH_S)
            for ctx in [ctx for ctx in self._live.values() if ctx.on_record and ctx.detached]:
                try:
                    await self._flush(ctx)
                except PromptRailsError as error:
                    _log.warning("events of execution %s are written late: %s", ctx.row.id, error)
        self._flusher = None

    async def _flush(self, ctx: RunContext) -> None:
        if ctx.flush_lock is None:
            ctx.flush_lock = asyncio.Lock()
        async with ctx.flush_lock:
            if ctx.ending:
                return
            log, store = ctx.log, self._services.store
            stored = log.stored
            events, spans = log.events[stored:], ctx.spans[ctx.spans_stored :]
            if not events and not spans:
                return
            log.stored += len(events)  # from now on they cannot be taken back
            try:
                await store.write_progress(ctx.row, (), spans, events)
            except PromptRailsError:
                log.stored = stored  # written again with what follows, of which the store keeps the longer
                raise
            ctx.spans_stored += len(spans)

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


async def _stopped(ctx: RunContext, failure: BaseException | None) -> BaseException | None:
    """What really ended the run, once the engine's own cancellations of its task are taken back."""
    late = ctx.deadline is not None and ctx.deadline.expired
    delivered = isinstance(failure, asyncio.CancelledError)
    if ctx.task is None:
        return failure
    if ctx.deadline is not None:
        ctx.deadlines.stop(ctx.deadline)
    alone = await take_back(ctx.task, ctx.cancel_requested + late, ctx.baseline, delivered=delivered)
    if not alone:
        return failure if delivered else asyncio.CancelledError()
    if ctx.cancel_requested or late:
        return ctx.stopped()  # whatever else it came to: somebody may have swallowed the cancellation
    return RunError("something in the run raised CancelledError, which nobody had asked for") if delivered else failure


async def _bounded(work: Awaitable[Any]) -> None:
    """Let clean-up finish although the task is cancelled, for five seconds at most."""
    try:
        await asyncio.shield(asyncio.wait_for(asyncio.ensure_future(work), timeout=_CANCEL_S))
    except TimeoutError:
        _log.warning("a cancelled run could not be put on record within 5 s")
