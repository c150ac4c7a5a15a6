"""What a fork takes over of the run that it is made of: outcomes, decisions and spans of the steps before its point."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from promptrails_engine.ports.journal import ApprovalRow, JournalEntry, as_it_is
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import SpanFilter, Store
from promptrails_engine.run.fork_point import Place, StepMap
from promptrails_engine.run.past import SESSION_KEY, Past, decisions_in

_ALL = 1_000_000
_ATTEMPT = re.compile(r"(.*/llm\[\d+\])(?:/(?:retry|again|fallback))*", re.DOTALL)
_FREE: Mapping[str, Any] = {"token_usage": {}, "cost": 0.0, "cost_known": 0.0}
_DECIDED = ("approved", "rejected", "expired")


@dataclass(frozen=True, slots=True)
class Record:
    """What is on record of one execution."""

    entries: Sequence[JournalEntry]
    spans: Sequence[Span]
    approvals: Sequence[ApprovalRow]

    @property
    def keys(self) -> set[str]:
        """The keys of all steps that it has come to."""
        found = {span.attributes.get("key", "") for span in self.spans}
        return found | {entry.key for entry in self.entries} | {request.key for request in self.approvals}


async def read_record(store: Store, workspace_id: str, execution_id: str) -> Record:
    """What is on record of an execution, ended or not."""
    entries = await store.read_journal(workspace_id, execution_id)
    spans, _ = await store.list_spans(workspace_id, SpanFilter(execution_id=execution_id), offset=0, limit=_ALL)
    approvals, _ = await store.list_approvals(workspace_id, execution_id=execution_id, offset=0, limit=_ALL)
    return Record(entries, sorted(spans, key=lambda span: span.started_at), approvals)


def taken_over(record: Record, steps: StepMap, at: Place, *, fresh: bool) -> Past:
    """The past of a fork at `at`: the outcomes of all steps that are before it, as if they had cost nothing.

    `fresh` says that the fork has not begun yet.
    """
    before = [
        entry
        for entry in record.entries
        if entry.state == "done" and (entry.key == SESSION_KEY or steps.is_before(entry.key, at))
    ]
    known = {entry.key for entry in before}
    unwritten = [
        *(_free(entry) for entry in before),
        *(
            JournalEntry(request.key, "approval", "pure", "done", asdict(request))
            for request in record.approvals
            if request.status in _DECIDED and request.key not in known and steps.is_before(request.key, at)
        ),
    ]
    return Past(
        entries={entry.key: entry for entry in unwritten},
        approvals=decisions_in(unwritten),
        unwritten=unwritten,
        told=_told(record.spans, known),
        fresh=fresh,
    )


def _free(entry: JournalEntry) -> JournalEntry:
    """The outcome without what it has cost, for that was spent by another run, and without where its events stood."""
    value = {name: part for name, part in entry.value.items() if name not in ("spent", "seq")}
    value |= {name: nothing for name, nothing in _FREE.items() if name in value}
    return replace(entry, source=value, dump=as_it_is)


def _told(spans: Iterable[Span], known: set[str]) -> dict[str, list[Span]]:
    """The spans of calls by the key of their outcome."""
    found: dict[str, list[Span]] = {}
    for span in spans:
        key = span.attributes.get("key", "")
        if span.kind == "llm" and (attempt := _ATTEMPT.fullmatch(key)) is not None:
            key = attempt[1]
        if key in known:
            found.setdefault(key, []).append(span)
    return found
