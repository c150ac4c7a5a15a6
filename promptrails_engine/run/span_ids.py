"""Span ids of runs that may go on elsewhere: made of the step, so that what is added later hangs on the same tree."""

from __future__ import annotations

from promptrails_engine.ids import IdFactory
from promptrails_engine.ports.sink import SpanKind
from promptrails_engine.run.past import Past

_ACTING = frozenset({"llm", "datasource", "speech", "image", "video"})
"""Kinds of steps that are not run again once they are on record: whatever runs is new.  Of tools, those that change
nothing may run again, and are shown once."""


class SpanIds:
    """Of one execution."""

    __slots__ = ("_execution_id", "_ids", "_past", "_seen")

    def __init__(self, execution_id: str, ids: IdFactory, past: Past | None) -> None:
        self._execution_id = execution_id
        self._ids = ids
        self._past = past
        self._seen: dict[tuple[str, str], int] = {}

    def of(self, kind: SpanKind, key: str) -> str:
        """The id of the next step of this kind and key: 16 hexadecimal digits."""
        number = self._seen.get((kind, key), 0)
        self._seen[kind, key] = number + 1
        digest = self._ids.derived(self._execution_id, f"{kind}/{key}/{number}")
        if self._past is not None and kind in _ACTING and digest in self._past.spans:
            return self._ids.span()
        return digest
