"""The journal of one run: outcomes of its steps, kept so that a run that stopped goes on without repeating them.

Where the store outlives the process, what a step came to is sent to it when the next one begins, and an effect is sent
only after its intent is on the disk.  Elsewhere the outcomes wait for the end of the run, or for its next pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from promptrails_engine.errors import FencedError, JournalError, RunCancelledError, StoreError
from promptrails_engine.events import Event
from promptrails_engine.ports.journal import EntryKind, JournalEntry, as_it_is
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.tool import Effect
from promptrails_engine.run.past import Past

if TYPE_CHECKING:
    from promptrails_engine.run.context import RunContext

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Batch:
    """What goes to the store in one write."""

    entries: list[JournalEntry]
    spans: Sequence[Span]
    events: Sequence[Event]
    first_span: int
    first_event: int
    begun: bool = False
    """Whether its write has begun; one that is cancelled before gives nothing back."""


class Journal:
    """Outcomes by step key: those of before, and those of this run that are not in the store yet."""

    __slots__ = ("_ctx", "_past", "durable", "flights", "pending")

    def __init__(self, ctx: RunContext, past: Past | None, *, durable: bool) -> None:
        self._ctx = ctx
        self._past = past
        self.durable = durable
        self.flights: set[asyncio.Task[None]] = set()
        """Writes that are on their way."""
        self.pending: list[JournalEntry] = [] if past is None else list(past.unwritten)

    def recorded(self, key: str) -> dict[str, Any] | None:
        """What the step with this key came to before the run was interrupted; None where it has to be run."""
        if self._past is None:
            return None
        entry = self._past.entries.get(key)
        return None if entry is None else entry.value

    def note(
        self,
        key: str,
        kind: EntryKind,
        effect: Effect,
        source: Any,
        dump: Callable[[Any], dict[str, Any]] = as_it_is,
    ) -> None:
        """Keep an outcome: `dump` makes JSON data of it when it is written."""
        self.pending.append(JournalEntry(key, kind, effect, "done", source, dump))

    def send(self) -> None:
        """Let what has been noted be written while the run goes on: called when it is sure that more follows."""
        if self.pending and self.durable and self._ctx.on_record:
            self._fly(self._take())

    async def intend(self, key: str, kind: EntryKind, source: dict[str, Any]) -> None:
        """Return once it is on the disk that this effect is about to be sent, with all that was before it.

        Raises:
            FencedError: the run is somebody else's by now.
            RunCancelledError, RunTimeoutError: the run, or one above it, has been stopped.
            JournalError: it could not be written, so the effect must not be sent.
        """
        ctx = self._ctx
        lease = ctx.lease
        if lease is None:
            return
        intent = JournalEntry(key, kind, "effect", "intended", source)
        self.pending.append(intent)
        try:
            await self._fly(self._take())  # as what is on its way already, and so behind it
            while not lease.is_sure:
                # The process has slept, or the store was slow: somebody may have taken over, or cancelled, meanwhile.
                await lease.renew()
                self.pending.append(intent)
                await self._write(self._take())
        except FencedError:
            ctx.lose()
            raise
        except RunCancelledError as error:  # in another process
            ctx.cancel_line(error.details["execution_id"])
            raise ctx.stopped() from error
        except StoreError as error:
            raise JournalError(f"'{key}' was not run, for it could not be put on record: {error.message}") from error
        if ctx.ends_early:  # in another branch, while this one waited
            raise ctx.stopped()

    async def flush(self) -> None:
        """Write what there is, so that others can see it.

        Raises:
            StoreError: it could not be written; it goes with the next write.
        """
        ctx = self._ctx
        if self.pending or len(ctx.spans) > ctx.spans_stored or len(ctx.log.events) > ctx.log.stored:
            await self._fly(self._take())

    async def settle(self) -> None:
        """Return when nothing is on its way any more."""
        while self.flights:
            await asyncio.wait(self.flights)

    # -------------------------------------------------------------- inside

    def _take(self) -> _Batch:
        ctx = self._ctx
        log = ctx.log
        batch = _Batch(
            self.pending, ctx.spans[ctx.spans_stored :], log.events[log.stored :], ctx.spans_stored, log.stored
        )
        self.pending = []
        ctx.spans_stored = len(ctx.spans)
        log.stored = len(log.events)  # from now on they cannot be taken back
        return batch

    def _fly(self, batch: _Batch) -> asyncio.Task[None]:
        flight = asyncio.get_running_loop().create_task(self._write(batch))
        self.flights.add(flight)
        flight.add_done_callback(partial(self._landed, batch))
        return flight

    def _landed(self, batch: _Batch, flight: asyncio.Task[None]) -> None:
        self.flights.discard(flight)
        if not batch.begun:
            self._give_back(batch)
        error = None if flight.cancelled() else flight.exception()
        if isinstance(error, FencedError):
            self._ctx.lose()
        elif error is not None and not isinstance(error, RunCancelledError):  # that one says itself
            _log.warning("the progress of execution %s is written late: %s", self._ctx.row.id, error)

    async def _write(self, batch: _Batch) -> None:
        ctx = self._ctx
        batch.begun = True
        try:
            await ctx.services.store.write_progress(ctx.row, batch.entries, batch.spans, batch.events)
        except BaseException as error:
            if not isinstance(error, FencedError):
                self._give_back(batch)
            raise

    def _give_back(self, batch: _Batch) -> None:
        """Let it go with the next write: whatever of it was written all the same is recognised there.

        Intents are left out: without a write that has come through, their effects are not sent.
        """
        ctx = self._ctx
        self.pending = [*(entry for entry in batch.entries if entry.state != "intended"), *self.pending]
        ctx.spans_stored = min(ctx.spans_stored, batch.first_span)
        ctx.log.stored = min(ctx.log.stored, batch.first_event)
