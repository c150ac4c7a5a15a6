"""What a run did before it stopped, as far as it is on record: it goes on from there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptrails_engine.events import ContentEvent, Event, RestartEvent, ThinkingEvent, ToolEndEvent, ToolStartEvent
from promptrails_engine.ports.journal import ApprovalRow, JournalEntry
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import ExecutionRow, SpanFilter, Store

_ALL = 1_000_000
SESSION_KEY = "guards/input/session"
"""Of the entry that says with which runs of a session a run shares its labels."""
CUT_OFF = "cancelled"
"""The summary of a call that did not come to its end."""


class Heard:
    """The tool calls of which listeners have heard.  Ids need not be unique: of equal ones the calls come in turn."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._starts: Counter[str] = Counter()
        self._ends: Counter[str] = Counter()
        for event in _standing(events):
            if isinstance(event, ToolStartEvent):
                self._starts[event.id] += 1
            elif isinstance(event, ToolEndEvent) and event.summary == CUT_OFF:
                self._starts[event.id] -= 1  # it begins anew
            elif isinstance(event, ToolEndEvent):
                self._ends[event.id] += 1

    def start(self, call_id: str) -> bool:
        """Whether they have heard that the next call with this id began."""
        return _taken(self._starts, call_id)

    def end(self, call_id: str) -> bool:
        """Whether they have heard how the next call with this id ended."""
        return _taken(self._ends, call_id)


def _standing(events: Iterable[Event]) -> list[Event]:
    """Without those that were taken back."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, RestartEvent):
            found = [one for one in found if one.seq <= event.after]
        else:
            found.append(event)
    return found


def _taken(counts: Counter[str], call_id: str) -> bool:
    if counts[call_id] <= 0:
        return False
    counts[call_id] -= 1
    return True


@dataclass(slots=True)
class Past:
    """The record of a run that goes on."""

    entries: dict[str, JournalEntry] = field(default_factory=dict[str, JournalEntry])
    """Outcomes by the key of their step."""
    events: Sequence[Event] = ()
    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    """Finished ones by id."""
    approvals: dict[str, ApprovalRow] = field(default_factory=dict[str, ApprovalRow])
    """Requests by the key of the step that waits."""
    begun: dict[str, float] = field(default_factory=dict[str, float])
    """When spans that had not ended must have begun at the latest: by id, the start of the first below."""
    heard: Heard = field(default_factory=Heard)
    unwritten: Sequence[JournalEntry] = ()
    """Of the outcomes, those that another run came to, and that go on record with the first write of this one."""
    told: Mapping[str, Sequence[Span]] = field(default_factory=dict[str, Sequence[Span]])
    """Of these, the spans by key: this run shows them as its own once it comes to them."""
    fresh: bool = False
    """The run has not begun: all that it has is another one's."""

    @property
    def paused_at(self) -> int:
        """The number of the last event when it last stopped of itself: what came up to then holds."""
        return max((_seq(entry) for entry in self.entries.values() if entry.kind == "pause"), default=0)

    @property
    def void_after(self) -> int | None:
        """The number of the last event that still holds, where listeners have heard pieces of an answer that was
        interrupted; None where they have not."""
        heard = max((_seq(entry) for entry in self.entries.values() if entry.kind in ("llm", "pause")), default=0)
        said = [event.seq for event in self.events if isinstance(event, ContentEvent | ThinkingEvent)]
        return heard if said and said[-1] > heard else None


def _seq(entry: JournalEntry) -> int:
    """The number of the last event when it was made."""
    seq: Any = entry.value.get("seq")
    return seq if isinstance(seq, int) else 0


async def load_past(store: Store, row: ExecutionRow) -> Past:
    """All that is on record of an execution."""
    workspace = row.workspace_id
    events = await store.read_events(workspace, row.id, 0)
    if not events:
        return Past()  # the first that is written of a run has its first event
    entries = await store.read_journal(workspace, row.id)
    spans, _ = await store.list_spans(workspace, SpanFilter(execution_id=row.id), offset=0, limit=_ALL)
    approvals, _ = await store.list_approvals(workspace, execution_id=row.id, offset=0, limit=_ALL)
    begun: dict[str, float] = {}
    for span in spans:
        first = begun.get(span.parent_span_id)
        begun[span.parent_span_id] = span.started_at if first is None else min(first, span.started_at)
    return Past(
        entries={entry.key: entry for entry in entries if entry.state == "done"},
        events=events,
        spans={span.span_id: span for span in sorted(spans, key=lambda span: span.started_at)},
        approvals=decisions_in(entries) | {request.key: request for request in approvals},
        begun=begun,
    )


def decisions_in(entries: Iterable[JournalEntry]) -> dict[str, ApprovalRow]:
    """The decisions that were taken over with the steps of another run, by the key of the step that waited."""
    return {entry.key: ApprovalRow(**entry.value) for entry in entries if entry.kind == "approval"}
