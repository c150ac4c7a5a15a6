"""Takes up executions that nobody runs: queued ones, those that were decided, and those whose process died.

One loop an engine, which runs once it is needed: it claims as many executions as there are places, in turns between
agents, and looks again when one has ended, when it is told of more, and at times.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from promptrails_engine.dispatch.intake import MOST_ATTEMPTS, Intake, Taken
from promptrails_engine.errors import (
    ConflictError,
    EngineClosedError,
    FencedError,
    NotFoundError,
    PromptRailsError,
)
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.run.plan import Plan
from promptrails_engine.run.runner import Runner, RunOptions
from promptrails_engine.run.services import Services
from promptrails_engine.run.stream import EventLog

_log = logging.getLogger(__name__)
_POLL_S = 0.5
_EXPIRE_S = 5.0
_UNFIT_S = 30.0
_CLOSE_S = 5.0
_BATCH = 64
_MOST_WAITING = 1000
_MOST_SERVED = 1000
_PLACES = 8
_HERE = "this process"


@dataclass(slots=True)
class Recovery:
    """What became of executions whose process had died, by id."""

    resumed: list[str] = field(default_factory=list[str])
    """They go on here."""
    in_doubt: list[str] = field(default_factory=list[str])
    """An effect may have happened or not: they wait for `executions.resolve`."""
    ended: list[str] = field(default_factory=list[str])
    """They were to be cancelled, or have killed their process too often."""


class Dispatcher:
    """Of one engine."""

    def __init__(self, services: Services, intake: Intake, runner: Runner, places: int) -> None:
        self._services = services
        self._store = services.store
        self._intake = intake
        self._runner = runner
        self._places = places
        self._lapsed = False
        self._waiting: deque[ExecutionRow] = deque()
        self._tasks: set[asyncio.Task[ExecutionRow]] = set()
        self._served: dict[str, None] = {}
        """Agents by when one of their executions was last taken up here, the latest last."""
        self._unfit: dict[str, float] = {}
        self._endless: dict[str, ExecutionRow] = {}
        self._tries: Counter[str] = Counter()
        self._wanted: set[str] = set()
        """Executions that are to go on as soon as they have stopped here."""
        self._wakes: set[asyncio.Task[None]] = set()
        self._idlers: list[asyncio.Future[None]] = []
        self._loop: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._closed = self._held = False
        self.tally: Counter[str] = Counter()
        """How many of the executions that were taken up have stopped here, by the status that they then had; `lost` are
        those whose end could not be put on record, or that somebody else runs by now."""
        runner.on_pending = self._pending

    @property
    def owner(self) -> str:
        """By what name the store knows who runs what is taken up here."""
        lease = self._runner.lease
        return _HERE if lease is None else lease.owner

    # -------------------------------------------------------------- by hand

    async def enqueue(self, plan: Plan, data: dict[str, Any], options: RunOptions) -> ExecutionRow:
        """The execution, on record as pending: this engine's loop takes it up if it has places, else a worker does.

        Raises:
            ConflictError: an execution with the id of the options is there already.
        """
        row = self._runner.queued(plan, data, options)
        await self._store.begin_execution(row, wait=True)
        self.nudge()
        return row

    async def resume(self, execution_id: str) -> tuple[EventLog, asyncio.Task[ExecutionRow]]:
        """Run an execution that nobody runs: its events, and the task that ends with it.

        Raises:
            NotFoundError: there is none.
            ConflictError: it cannot go on now.
            ConfigurationError: this engine has not what it needs.
        """
        rows = await self._claim(1, lapsed=True, execution_id=execution_id)
        if not rows:
            raise await self._why_not(execution_id)
        row = rows[0]
        taken = await self._intake.take(row, await self._intake.doubts([row.id]))
        if taken.error is not None:
            raise taken.error
        if taken.run is None:
            raise await self._why_not(execution_id)
        self._keep(row, taken)
        return taken.run

    async def recover(self) -> Recovery:
        """Take over executions whose process has died, and those that were let go, until there are none."""
        recovery = Recovery()
        while len(self._waiting) < _MOST_WAITING:
            rows = await self._claim(_BATCH, lapsed=True)
            if not rows:
                break
            doubts = await self._intake.doubts([row.id for row in rows])
            for row in rows:
                await self._sort(row, doubts, recovery)
        self.start(self._places or _PLACES)
        return recovery

    async def wake(self, execution_id: str) -> None:
        """Run an execution that nobody runs, if it can go on; returns without waiting for its end.

        One that is still on its way to a stop here goes on after that.
        """
        live = self._runner.live
        self._wanted = {id for id in self._wanted if live(id) is not None} | {execution_id}
        rows = await self._claim(1, lapsed=False, execution_id=execution_id)
        if not rows and execution_id in self._wanted and live(execution_id) is None:  # it stopped during the claim
            rows = await self._claim(1, lapsed=False, execution_id=execution_id)
        if rows or live(execution_id) is None:
            self._wanted.discard(execution_id)
        for row in rows:
            await self._begin(row, await self._intake.doubts([row.id]))

    def nudge(self) -> None:
        """Look for work at once, if this engine has places for any."""
        if self._places > 0 and not self._closed:
            if self._loop is None or self._loop.done():
                self._loop = asyncio.get_running_loop().create_task(self._work(), name="promptrails dispatcher")
            self._news.set()

    def _pending(self, execution_id: str) -> None:
        if execution_id in self._wanted and not self._closed:
            self._wanted.discard(execution_id)
            task = asyncio.get_running_loop().create_task(self._wake_quietly(execution_id))
            self._wakes.add(task)
            task.add_done_callback(self._wakes.discard)
        self.nudge()

    async def _wake_quietly(self, execution_id: str) -> None:
        try:
            await self.wake(execution_id)
        except PromptRailsError as error:
            _log.warning("execution %s was decided, and waits for somebody to resume it: %s", execution_id, error)

    def start(self, places: int) -> None:
        """Work from now on with so many places, and take over what other processes leave behind."""
        self._places = places
        self._lapsed = True
        self.nudge()

    async def idle(self) -> None:
        """Return once it has looked and found nothing to take up, and nothing that it took up is going on.

        Executions that cannot be run here are not waited for.

        Raises:
            EngineClosedError: the engine was closed meanwhile.
        """
        if self._closed:
            raise EngineClosedError("the engine is closed; make a new one")
        if self._places == 0:  # it does not look
            await asyncio.gather(*self._tasks, return_exceptions=True)
            return
        idler: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idlers.append(idler)
        self.nudge()
        await idler

    async def close(self) -> None:
        """Take up nothing more, and free what has not begun yet."""
        self._closed = True
        for idler in self._idlers:
            if not idler.done():
                idler.set_exception(EngineClosedError("the engine was closed before there was nothing more to do"))
        self._news.set()
        if self._loop is not None:
            # Not cancelled at once: what it is just claiming would be nobody's, and count as left by a dead process.
            await asyncio.wait([self._loop], timeout=_CLOSE_S)
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        while self._waiting:
            try:
                await self._intake.let_go(self._waiting.popleft())
            except PromptRailsError as error:
                _log.warning("a claimed execution was not freed, and is when the lease lapses: %s", error)

    # -------------------------------------------------------------- the loop

    async def _work(self) -> None:
        expire_at = 0.0
        while not self._closed:
            self._news.clear()
            idlers = list(self._idlers)  # who asks during the look waits for the next one
            try:
                now = self._services.clock.monotonic()
                if now >= expire_at:
                    expire_at = now + _EXPIRE_S
                    await self._store.expire_approvals(self._services.workspace_id)
                await self._retry_ends(now)
                busy = await self._fill(now)
                if not busy and not self._tasks and not self._endless:
                    self._rest(idlers)
            except PromptRailsError as error:
                _log.warning("the store cannot be asked for work: %s", error)
                busy = False
            except Exception:
                _log.exception("a fault in the engine kept it from taking up executions; it looks again")
                busy = False
            # Places that are full are waited for; what comes from other processes has to be looked for.
            await self._news_within(None if busy else _POLL_S * (0.5 + self._services.random()))

    async def _fill(self, now: float) -> bool:
        """Take up what there is; whether all places are taken."""
        while len(self._tasks) < self._places and not self._closed:
            if not self._waiting:
                self._unfit = {key: until for key, until in self._unfit.items() if until > now}
                rows = await self._claim(self._places - len(self._tasks), lapsed=self._lapsed)
                self._waiting.extend(rows)
                if self._closed or not self._waiting:
                    return False
            rows = list(islice(self._waiting, self._places - len(self._tasks)))
            doubts = await self._intake.doubts([row.id for row in rows])
            for row in rows:
                await self._begin(row, doubts)
                self._waiting.remove(row)  # not before: if the store fails meanwhile, it is there for the next look
        return True

    def _rest(self, idlers: Sequence[asyncio.Future[None]]) -> None:
        self._idlers = [idler for idler in self._idlers if idler not in idlers]
        for idler in idlers:
            if not idler.done():
                idler.set_result(None)

    async def _begin(self, row: ExecutionRow, doubts: dict[str, list[str]]) -> None:
        try:
            taken = await self._intake.take(row, doubts)
        except FencedError:
            return
        if taken.fate == "runs":
            self._keep(row, taken)
        elif taken.error is None:
            self.tally[row.status] += 1
        else:
            self._unfit[row.id] = self._services.clock.monotonic() + _UNFIT_S
            _log.error("execution %s cannot be run here, and is left to others: %s", row.id, taken.error.message)

    async def _sort(self, row: ExecutionRow, doubts: dict[str, list[str]], recovery: Recovery) -> None:
        """Settle at once what does not go on; the rest waits for a place."""
        if row.id not in doubts and row.cancel_requested_at is None and row.attempt <= MOST_ATTEMPTS:
            self._waiting.append(row)
            recovery.resumed.append(row.id)
            return
        with suppress(FencedError):
            fate = (await self._intake.take(row, doubts)).fate
            (recovery.in_doubt if fate == "in_doubt" else recovery.ended).append(row.id)
            self.tally[row.status] += 1

    async def _claim(self, limit: int, *, lapsed: bool, execution_id: str | None = None) -> list[ExecutionRow]:
        """Roots that this engine now runs; what is below them goes on when they come to it."""
        lease = self._runner.lease
        if lease is not None:
            await lease.hold()
        elif not self._held:
            self._held = True
            await self._store.renew_lease(_HERE, math.inf)  # what it runs ends with this process
        claims = await self._store.claim_executions(
            self._services.workspace_id,
            self.owner,
            limit=limit,
            lapsed=lapsed,
            execution_id=execution_id,
            exclude=list(self._unfit) if execution_id is None else (),
            served=list(self._served),
        )
        roots = [row for row in claims.rows if row.parent_execution_id is None]
        for row in roots:
            self._served.pop(row.agent_id, None)
            self._served[row.agent_id] = None
        while len(self._served) > _MOST_SERVED:
            del self._served[next(iter(self._served))]
        return roots

    def _keep(self, row: ExecutionRow, taken: Taken) -> None:
        if taken.run is not None:
            task = taken.run[1]
            self._tasks.add(task)
            task.add_done_callback(partial(self._over, row))

    def _over(self, row: ExecutionRow, task: asyncio.Task[ExecutionRow]) -> None:
        self._tasks.discard(task)
        self._news.set()
        if task.cancelled():
            return
        error = task.exception()
        self.tally["lost" if error is not None else task.result().status] += 1
        if error is not None and not isinstance(error, FencedError):
            _log.error("the end of execution %s could not be put on record: %s", row.id, error)
            self._endless[row.id] = row

    async def _retry_ends(self, now: float) -> None:
        """Free the executions whose end could not be put on record: they are run on from what is, and end again."""
        for row in list(self._endless.values()):
            del self._endless[row.id]
            tries = self._tries[row.id] = self._tries[row.id] + 1
            if tries > MOST_ATTEMPTS:
                _log.error("execution %s is left as it is: its end could not be put on record %d times", row.id, tries)
                continue
            self._unfit[row.id] = now + min(2.0**tries, _UNFIT_S)
            try:
                with suppress(FencedError):
                    await self._intake.let_go(row)
            except PromptRailsError:
                self._endless[row.id] = row
                raise

    async def _news_within(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _why_not(self, execution_id: str) -> PromptRailsError:
        """Why an execution cannot go on now."""
        row = await self._store.get_execution(self._services.workspace_id, execution_id)
        if row is None:
            return NotFoundError(f"no execution with the id '{execution_id}'; executions.list() shows what there is")
        if row.parent_execution_id is not None:
            return ConflictError(
                f"execution '{execution_id}' is part of a tree; resume its root, '{row.root_execution_id}'"
            )
        reasons = {
            "awaiting_approval": "waits for a decision; approvals.list(execution_id=...) shows for which",
            "in_doubt": "is in doubt; executions.doubts(id) shows about what, executions.resolve(...) answers it",
            "running": "is running, here or in another process",
            "pending": "was taken up by somebody else just now",
        }
        why = reasons.get(row.status, f"has ended as {row.status}")
        return ConflictError(f"execution '{execution_id}' {why}", details={"status": row.status})
