"""Where a run happens: from a plan and an input to a stored, finished execution."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import ConflictError, EngineClosedError, PromptRailsError
from promptrails_engine.events import ApprovalRequiredEvent
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.deadlines import Deadlines
from promptrails_engine.run.ending import CANCEL_S, conclude
from promptrails_engine.run.lease import LEASE_S, Lease
from promptrails_engine.run.past import Past
from promptrails_engine.run.pipeline import Strategy, checked_input
from promptrails_engine.run.plan import Plan
from promptrails_engine.run.services import Services
from promptrails_engine.run.spans import trace_of
from promptrails_engine.run.stream import EventLog

_log = logging.getLogger(__name__)
_TEND_S = 0.5


@dataclass(slots=True)
class RunOptions:
    """What a caller may say about one run."""

    session_id: str = ""
    user_id: str = ""
    metadata: dict[str, Any] = field(default_factory=lambda: {})
    limits: Limits | None = None
    execution_id: str | None = None
    """Where the caller has one; else the run gets a new one.  Two cannot begin with the same."""


class Runner:
    """Runs plans on the current event loop and knows which are going on."""

    def __init__(self, services: Services, strategies: Mapping[str, Strategy], lease_s: float = LEASE_S) -> None:
        self._services = services
        self._lease_s = lease_s
        self._strategies = strategies
        self._live: dict[str, RunContext] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deadlines: Deadlines | None = None
        self._lease: Lease | None = None
        self._tending: asyncio.Task[None] | None = None
        self._closed = False
        self.on_pending: Callable[[str], None] | None = None
        """Called with the id of a run of this engine that can be taken up again, at once or in time."""

    def run(
        self, plan: Plan, data: dict[str, Any], options: RunOptions, past: Past | None = None
    ) -> Coroutine[Any, Any, ExecutionRow]:
        """The finished execution, run in the caller's own task once it is awaited.

        `past` is what it takes over from another one.

        Raises:
            PromptRailsError: the input cannot be run; then nothing was stored.
        """
        return self._drive(self._context(plan, data, options, detached=False, past=past))

    def start(
        self, plan: Plan, data: dict[str, Any], options: RunOptions
    ) -> tuple[EventLog, asyncio.Task[ExecutionRow]]:
        """A run in a task of its own, which goes on whoever listens: its events, and the task that ends with it.

        That raises a ConflictError, and nothing has happened, where an execution with the id of the options is there.
        """
        return self._detach(self._context(plan, data, options, detached=True))

    def resume(self, row: ExecutionRow, plan: Plan, past: Past) -> tuple[EventLog, asyncio.Task[ExecutionRow]]:
        """An execution that this engine has claimed, run on from where it stopped, in a task of its own.

        Raises:
            EngineClosedError: no run begins here any more.
        """
        if self._closed:
            raise EngineClosedError("the engine was closed before the run went on; another one can take it up")
        deadlines = self._here()
        asked = None if row.limits is None else Limits(**row.limits)
        return self._detach(self._of_row(plan, row, asked, deadlines, detached=True, past=past))

    def _detach(self, ctx: RunContext) -> tuple[EventLog, asyncio.Task[ExecutionRow]]:
        self._live[ctx.row.id] = ctx  # at once: a close in the meantime has to wait for it
        task = asyncio.get_running_loop().create_task(self._drive(ctx), name=f"run {ctx.row.id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return ctx.log, task

    def queued(self, plan: Plan, data: dict[str, Any], options: RunOptions) -> ExecutionRow:
        """The row of an execution that somebody is to take up.

        Raises:
            InputInvalidError: the input breaks the schema of the agent or of its first prompt.
        """
        row = self._context(plan, checked_input(plan, data), options, detached=True).row
        row.owner = row.started_at = None
        return row

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
        """Let runs finish for so many seconds; none begins any more.

        Then those that would end with the process are cancelled, and the others stop, to be taken up by any engine on
        the same store.  Those for which nobody waits here stop at their next step.
        """
        self._closed = True
        here = asyncio.current_task()
        roots = [ctx for ctx in self._live.values() if ctx.parent is None]
        waiting = {self._end_of(ctx): ctx for ctx in roots if ctx.task is not here}
        if waiting:
            for ctx in roots:
                if ctx.lease is not None and ctx.task in self._tasks and not ctx.log.listeners:
                    ctx.let_go(at_once=False)  # nobody here waits for it
            _, slow = await asyncio.wait(waiting, timeout=grace_s)
            for end in slow:
                if waiting[end].lease is None:
                    waiting[end].cancel()
                else:
                    waiting[end].let_go(at_once=True)
            if slow:
                await asyncio.wait(slow, timeout=CANCEL_S)
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.gather(self._tending, return_exceptions=True)
            self._tending = None
        if self._lease is not None and self._lease.pid == os.getpid():
            with suppress(PromptRailsError):  # it lapses by itself
                await self._lease.end()
        if self._deadlines is not None:
            self._deadlines.close()

    def _end_of(self, ctx: RunContext) -> asyncio.Future[None]:
        if ctx.ended is None:
            ctx.ended = asyncio.get_running_loop().create_future()
        return ctx.ended

    # -------------------------------------------------------------- one run

    def _context(
        self, plan: Plan, data: dict[str, Any], options: RunOptions, *, detached: bool, past: Past | None = None
    ) -> RunContext:
        if self._closed:
            raise EngineClosedError("the engine was closed before the run began; make a new one")
        services = self._services
        deadlines, lease = self._here(), self._lease
        if options.execution_id in self._live:
            raise ConflictError(f"execution '{options.execution_id}' is running here already")
        now = services.clock.now()
        row = ExecutionRow(
            services.ids.record() if options.execution_id is None else options.execution_id,
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
            owner=None if lease is None else lease.owner,
            limits=None if options.limits is None else options.limits.to_dict(),
        )
        return self._of_row(plan, row, options.limits, deadlines, detached=detached, past=past)

    def _of_row(
        self,
        plan: Plan,
        row: ExecutionRow,
        asked: Limits | None,
        deadlines: Deadlines,
        *,
        detached: bool,
        past: Past | None,
    ) -> RunContext:
        return RunContext(
            plan,
            row,
            trace_of(row, plan, self._services.sinks.capture()),
            self._services,
            plan.limits if asked is None else asked.over(plan.limits),
            deadlines,
            self._drive,
            detached=detached,
            asked=asked,
            lease=self._lease,
            past=past,
        )

    async def _drive(self, ctx: RunContext) -> ExecutionRow:
        self._live[ctx.row.id] = ctx
        ctx.task = task = asyncio.current_task()
        if task is not None and task.cancelling():
            ctx.baseline = task.cancelling()
        if ctx.limits.timeout_s is not None:
            ctx.deadline = ctx.deadlines.start(ctx.deadlines.now(), ctx.limits.timeout_s)
            ctx.watched = True
        if self._tending is None and self._lease is not None:
            self._tending = asyncio.get_running_loop().create_task(self._tend(self._lease))
        try:
            row = await conclude(ctx, self._strategies[ctx.plan.agent_type])
        finally:
            if ctx.deadline is not None:
                ctx.deadlines.stop(ctx.deadline)
            del self._live[ctx.row.id]
            ctx.log.close()
            if ctx.ended is not None and not ctx.ended.done():
                ctx.ended.set_result(None)
        if self.on_pending is not None and not ctx.letting_go and _may_go_on(ctx):
            self.on_pending(ctx.row.id)
        return row

    # -------------------------------------------------------------- housekeeping

    async def _tend(self, lease: Lease) -> None:
        """While runs are going on: keep the lease, let others see their events, and hear who is to be cancelled."""
        while self._live:
            await asyncio.sleep(min(_TEND_S, self._lease_s / 4))
            try:
                if lease.is_due:
                    await lease.renew()
                await self._heed(lease.owner)
            except PromptRailsError as error:
                _log.warning("the lease of this engine is renewed late: %s", error)
            # Not of plain calls: nobody listens, and what is stored could not be taken back for another attempt.
            for ctx in [ctx for ctx in self._live.values() if ctx.on_record and ctx.detached]:
                if not ctx.ending:  # nor since others were written: what comes after an end is refused as a stranger's
                    with suppress(PromptRailsError):  # said in the log by the journal
                        await ctx.journal.flush()
        self._tending = None

    async def _heed(self, owner: str) -> None:
        for execution_id in await self._services.store.cancel_requests(owner):
            self.cancel(execution_id)

    def _here(self) -> Deadlines:
        """The deadlines of this loop; with it changes all that belongs to a loop."""
        loop = asyncio.get_running_loop()
        if self._deadlines is None or loop is not self._loop:
            # The first run, or one in a forked child or after the old loop is gone: nothing of that loop lives on.
            self._loop = loop
            self._deadlines = Deadlines(loop)
            self._live.clear()
            self._tasks.clear()
            self._tending = None
            services = self._services
            if services.store.shared:
                self._lease = Lease(services.store, services.clock.monotonic, services.ids.span(), self._lease_s)
        return self._deadlines

    @property
    def lease(self) -> Lease | None:
        """Of this engine, in this process; None where executions end with it."""
        self._here()
        return self._lease

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # Whoever holds the stream meets the exception there; nobody may, and that is no fault of the run.
            _log.debug("a detached run ended with %r", task.exception())


def _may_go_on(ctx: RunContext) -> bool:
    """Whether a run that has stopped goes on without being asked: it was decided before it had quite stopped, or what
    it waits for expires."""
    if ctx.row.status == "awaiting_approval":
        return any(isinstance(event, ApprovalRequiredEvent) and event.expires_at for event in ctx.log.events)
    return ctx.row.status == "pending"
