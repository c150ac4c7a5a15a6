"""The store in memory: the default, with no SQL in its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptrails_engine.errors import StoreError
from promptrails_engine.events import Event
from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.sink import Span
from promptrails_engine.ports.store import (
    CostTotals,
    DefinitionChanges,
    DefinitionKind,
    DefinitionRow,
    ExecutionFilter,
    ExecutionRow,
    SpanFilter,
    VersionRow,
)
from promptrails_engine.store.memory_definitions import Definitions
from promptrails_engine.store.memory_journal import MemoryJournal
from promptrails_engine.store.memory_runs import Runs
from promptrails_engine.store.payload import copy_json


class MemoryStore(MemoryJournal):
    """Plain bounded structures; gone with the process.  For one event loop at a time.

    Executions that have ended, with their spans and events, make room for newer ones past `max_executions`,
    `max_spans` or `max_events`, the first to end first; cached answers past `max_cached`.  Definitions and tool state
    are the user's and are never dropped: past `max_state` values a new one is refused.  It keeps the rows, spans and
    events of a run that it is given without copying them; what it hands out is a copy.
    """

    def __init__(
        self,
        max_executions: int = 10_000,
        max_spans: int = 50_000,
        max_events: int = 500_000,
        max_cached: int = 10_000,
        max_state: int = 100_000,
    ) -> None:
        super().__init__(Runs(max_executions, max_spans, max_events))
        self._definitions = Definitions()
        self._max_cached = max_cached
        self._cached: dict[tuple[str, str], tuple[dict[str, Any], float]] = {}
        self._max_state = max_state
        self._state: dict[tuple[str, str], dict[str, Any]] = {}
        self._state_count = 0

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do; what it holds stays readable."""

    @property
    def shared(self) -> bool:
        """No: it is gone with the process."""
        return False

    # ------------------------------------------------------------------ definitions

    async def insert_definition(self, row: DefinitionRow, version: VersionRow | None = None) -> None:
        """See the port."""
        self._definitions.insert(row, version)

    async def get_definition(self, workspace_id: str, kind: DefinitionKind, ref: str) -> DefinitionRow | None:
        """See the port."""
        return self._definitions.get(workspace_id, kind, ref)

    async def list_definitions(
        self,
        workspace_id: str,
        kind: DefinitionKind,
        *,
        offset: int,
        limit: int,
        type: str | None = None,
        name: str | None = None,
        status: str | None = None,
    ) -> tuple[list[DefinitionRow], int]:
        """See the port."""
        found = self._definitions.matching(workspace_id, kind, type, name, status)
        return self._definitions.page(found, offset, limit), len(found)

    async def update_definition(
        self, workspace_id: str, kind: DefinitionKind, definition_id: str, changes: DefinitionChanges
    ) -> DefinitionRow | None:
        """See the port."""
        return self._definitions.update(workspace_id, kind, definition_id, changes)

    async def insert_version(self, row: VersionRow, *, make_current: bool, after: str | None = None) -> None:
        """See the port."""
        self._definitions.insert_version(row, make_current=make_current, after=after)

    async def get_version(self, workspace_id: str, kind: DefinitionKind, version_id: str) -> VersionRow | None:
        """The version, or None."""
        return self._definitions.get_version(workspace_id, kind, version_id)

    async def list_versions(self, workspace_id: str, kind: DefinitionKind, definition_id: str) -> list[VersionRow]:
        """See the port."""
        return self._definitions.versions(workspace_id, kind, definition_id)

    async def definitions_stamp(self, workspace_id: str) -> int:
        """See the port."""
        return self._definitions.stamp(workspace_id)

    # ------------------------------------------------------------------ executions

    async def begin_execution(self, row: ExecutionRow, *, wait: bool) -> None:
        """See the port.

        Raises:
            ConflictError: with `wait`, an execution with this id exists.  Without, the first one stands.
        """
        self._runs.begin(row, exclusive=wait)

    async def finish_execution(
        self,
        row: ExecutionRow,
        spans: Sequence[Span],
        events: Sequence[Event],
        entries: Sequence[JournalEntry] = (),
    ) -> None:
        """See the port.  The input, the version lock and the metadata stay as begun; a second end changes nothing."""
        self._runs.finish(row, spans, events, entries)

    async def get_execution(self, workspace_id: str, execution_id: str) -> ExecutionRow | None:
        """The execution, or None."""
        return self._runs.get(workspace_id, execution_id)

    async def list_executions(
        self, workspace_id: str, where: ExecutionFilter, *, offset: int, limit: int
    ) -> tuple[list[ExecutionRow], int]:
        """See the port."""
        return self._runs.page(workspace_id, where, offset, limit)

    async def update_metadata(
        self, workspace_id: str, execution_id: str, metadata: Mapping[str, Any]
    ) -> ExecutionRow | None:
        """See the port."""
        return self._runs.merge_metadata(workspace_id, execution_id, metadata)

    async def read_events(self, workspace_id: str, execution_id: str, after: int) -> list[Event]:
        """See the port."""
        return self._runs.read_events(workspace_id, execution_id, after)

    # ------------------------------------------------------------------ traces and costs

    async def list_spans(
        self, workspace_id: str, where: SpanFilter, *, offset: int, limit: int
    ) -> tuple[list[Span], int]:
        """See the port."""
        return self._runs.list_spans(workspace_id, where, offset, limit)

    async def cost_totals(
        self, workspace_id: str, *, agent_id: str | None, created_from: float | None, created_to: float | None
    ) -> CostTotals:
        """See the port."""
        where = ExecutionFilter(
            agent_id=agent_id, created_from=created_from, created_to=created_to, roots_only=agent_id is None
        )
        return self._runs.costs(workspace_id, where)

    # ------------------------------------------------------------------ cached answers and tool state

    async def cache_get(self, workspace_id: str, key: str, now: float) -> dict[str, Any] | None:
        """See the port."""
        value, expires_at = self._cached.get((workspace_id, key), (None, 0.0))
        return None if value is None or expires_at <= now else copy_json(value)

    async def cache_put(self, workspace_id: str, key: str, value: dict[str, Any], expires_at: float) -> None:
        """Keep an answer; past the bound the one put first goes."""
        self._cached.pop((workspace_id, key), None)
        self._cached[workspace_id, key] = (copy_json(value), expires_at)
        if len(self._cached) > self._max_cached:
            del self._cached[next(iter(self._cached))]

    async def state_list(self, workspace_id: str, scope: str) -> dict[str, Any]:
        """All values of one scope, by key, in the order of the keys."""
        values = self._state.get((workspace_id, scope), {})
        return {key: copy_json(values[key]) for key in sorted(values)}

    async def state_get(self, workspace_id: str, scope: str, key: str) -> Any:
        """The value, or None."""
        return copy_json(self._state.get((workspace_id, scope), {}).get(key))

    async def state_set(self, workspace_id: str, scope: str, key: str, value: Any) -> None:
        """Keep a value.

        Raises:
            StoreError: the store holds `max_state` values.
        """
        values = self._state.get((workspace_id, scope), {})
        if key not in values:
            if self._state_count >= self._max_state:
                raise StoreError(
                    f"The store in memory holds {self._max_state} state values, its most. Delete some, raise "
                    "max_state, or use a store in a file.",
                    code="state_full",
                )
            self._state_count += 1
        values[key] = copy_json(value)
        self._state[workspace_id, scope] = values

    async def state_delete(self, workspace_id: str, scope: str, key: str) -> bool:
        """Whether there was one."""
        values = self._state.get((workspace_id, scope), {})
        if key not in values:
            return False
        del values[key]
        self._state_count -= 1
        if not values:
            del self._state[workspace_id, scope]
        return True
