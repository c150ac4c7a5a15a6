"""What becomes of an execution that this engine has claimed: it goes on, or there is a reason why it cannot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Literal, NamedTuple

from promptrails_engine.catalog.forks import read_fork
from promptrails_engine.catalog.planner import Planner
from promptrails_engine.errors import ConfigurationError, FencedError, PromptRailsError
from promptrails_engine.events import ErrorEvent
from promptrails_engine.ports.store import EXECUTION_TERMINAL, ExecutionFilter, ExecutionRow, ExecutionStatus
from promptrails_engine.run.fork_point import StepMap
from promptrails_engine.run.past import Past, load_past
from promptrails_engine.run.plan import Plan
from promptrails_engine.run.runner import Runner
from promptrails_engine.run.services import Services
from promptrails_engine.run.stream import EventLog
from promptrails_engine.run.taking_over import read_record, taken_over

_log = logging.getLogger(__name__)
MOST_ATTEMPTS = 5
"""How often an execution is taken over from owners that died; then it is what kills them."""
_ALL = 1_000_000

Fate = Literal["runs", "in_doubt", "ended", "unfit"]


class Taken(NamedTuple):
    """What became of a claimed execution."""

    fate: Fate
    run: tuple[EventLog, asyncio.Task[ExecutionRow]] | None = None
    """Its events, and the task that ends with it, where it `runs`."""
    error: PromptRailsError | None = None
    """Why this engine cannot run it, where it is `unfit`: it is free again."""


class Intake:
    """Takes up claimed executions."""

    def __init__(self, services: Services, planner: Planner, runner: Runner) -> None:
        self._services = services
        self._planner = planner
        self._runner = runner
        self._store = services.store

    async def doubts(self, root_ids: list[str]) -> dict[str, list[str]]:
        """Of these trees, those with effects that may have happened or not: the keys of their steps, by root."""
        found: dict[str, list[str]] = {}
        for root_id, _, entry in await self._store.unanswered(self._services.workspace_id, root_ids):
            found.setdefault(root_id, []).append(entry.key)
        return found

    async def take(self, row: ExecutionRow, doubts: Mapping[str, list[str]]) -> Taken:
        """Run an execution that this engine owns, or say on record why it does not go on.

        Raises:
            FencedError: it is somebody else's by now.
            StoreError: the store cannot be used.
        """
        if row.cancel_requested_at is not None:
            await self.let_go(row)
            await self._store.request_cancel(row.workspace_id, row.id)
            row.status = "cancelled"
            return Taken("ended")
        if row.attempt > MOST_ATTEMPTS:
            await self._exhaust(row)
            return Taken("ended")
        if row.id in doubts:
            _log.warning("execution %s is in doubt: nobody knows what became of %s", row.id, ", ".join(doubts[row.id]))
            await self.let_go(row, "in_doubt")
            return Taken("in_doubt")
        try:
            plan = await self._planner.plan_locked(row.version_lock)
            past = await load_past(self._store, row)
            if not past.events:
                past = await self._taken_over(row, plan) or past
            return Taken("runs", self._runner.resume(row, plan, past))
        except FencedError:
            raise
        except PromptRailsError as error:
            await self.let_go(row)
            return Taken("unfit", error=error)

    async def let_go(self, row: ExecutionRow, status: ExecutionStatus = "pending") -> None:
        """Give up what has been claimed, without having run it."""
        row.status = status
        await self._store.suspend_execution(row, (), (), ())
        row.owner = None

    async def _taken_over(self, row: ExecutionRow, plan: Plan) -> Past | None:
        """What a fork takes over that has been interrupted before that was on record; None of any other run.

        Raises:
            ConfigurationError: the execution that it was made of is gone.
        """
        fork = read_fork(row.version_lock)
        if fork is None or fork.at is None:
            return None
        source = await self._store.get_execution(row.workspace_id, fork.execution_id)
        steps = StepMap(plan)
        at = steps.place(fork.at)
        if source is None or at is None:
            raise ConfigurationError(
                f"execution '{row.id}' is a fork of '{fork.execution_id}', which is not in this store any more, and "
                "had not begun yet; run it anew"
            )
        return taken_over(await read_record(self._store, row.workspace_id, source.id), steps, at, fresh=False)

    async def _exhaust(self, row: ExecutionRow) -> None:
        """End a tree whose runs keep dying with their processes."""
        below, _ = await self._store.list_executions(
            row.workspace_id, ExecutionFilter(root_execution_id=row.id), offset=0, limit=_ALL
        )
        for part in [*below, row]:
            if part.status in EXECUTION_TERMINAL:
                continue
            events = await self._store.read_events(part.workspace_id, part.id, 0)
            part.status = "failed"
            part.owner = row.owner
            part.error = (
                f"the process that ran it has died {row.attempt} times in a row; look at what its steps do to it, "
                "and run it again"
            )
            part.error_code = "recovery_exhausted"
            part.completed_at = self._services.clock.now()
            part.duration_ms = round((part.completed_at - part.created_at) * 1000)
            last = ErrorEvent(part.error, part.error_code, seq=len(events) + 1)
            await self._store.finish_execution(part, (), [last])
