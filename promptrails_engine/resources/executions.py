"""`engine.executions`: the records of runs, their events, and stopping them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptrails_engine.comparison.records import ExecutionDiff
from promptrails_engine.errors import ConflictError, NotFoundError
from promptrails_engine.faces import M_co, method
from promptrails_engine.ports.store import EXECUTION_TERMINAL, ExecutionFilter, ExecutionRow
from promptrails_engine.resources.base import EngineResource, page_slice
from promptrails_engine.resources.comparing import diff_executions
from promptrails_engine.resources.dates import day_end, moment
from promptrails_engine.results import AgentExecution, Page, page_of
from promptrails_engine.rows import agent_execution, execution_tree
from promptrails_engine.run.pipeline import json_object
from promptrails_engine.streams import AsyncEventStream, EventSource, StoredEvents, streaming

_MOST_CHILDREN = 1_000_000

_list = list  # the class below has a method of that name


class Executions(EngineResource[M_co]):
    """Executions of this workspace."""

    @method
    async def list(
        self,
        *,
        page: int = 1,
        limit: int = 20,
        agent_id: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        status: str | None = None,
        from_date: str | None = None,
        to_date: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        parent_execution_id: str | None = None,
        include_children: bool = False,
    ) -> Page[AgentExecution]:
        """One page of executions, newest first; every filter that is given must match.

        Those that other executions have started are listed by their `parent_execution_id`, or with `include_children`.
        `from_date` and `to_date` are ISO dates or times, inclusive; `metadata` compares top-level keys.
        """
        await self._parts.ready()
        offset, limit = page_slice(page, limit)
        where = ExecutionFilter(
            agent_id,
            session_id,
            user_id,
            status,
            moment(from_date, "from_date"),
            day_end(to_date, "to_date"),
            metadata,
            parent_execution_id,
            roots_only=parent_execution_id is None and not include_children,
        )
        rows, total = await self._store.list_executions(self._workspace_id, where, offset=offset, limit=limit)
        return page_of([agent_execution(row) for row in rows], total, page, limit)

    @method
    async def get(self, execution_id: str) -> AgentExecution:
        """The record of one execution, finished or not, with those that it started itself as its `children`.

        Raises:
            NotFoundError: there is none.
        """
        row = await self._row(execution_id)
        children = await self._all(ExecutionFilter(parent_execution_id=execution_id))
        return execution_tree(row, children)

    @method
    async def tree(self, execution_id: str) -> AgentExecution:
        """The record of one execution, finished or not, with all below it as `children` of their parents.

        Raises:
            NotFoundError: there is none.
        """
        row = await self._row(execution_id)
        return execution_tree(row, await self._all(ExecutionFilter(root_execution_id=row.root_execution_id or row.id)))

    @streaming
    def stream(self, execution_id: str, *, after: int = 0) -> AsyncEventStream:
        """The events of an execution numbered above `after`: those that were, and those to come until it ends.

        Works while it runs, in this process or another on the same store, and after its end.

        Raises:
            NotFoundError: there is none.
        """

        async def attach() -> EventSource:
            await self._row(execution_id)
            ctx = self._parts.runner.live(execution_id)
            return StoredEvents(
                read=lambda position: self._store.read_events(self._workspace_id, execution_id, position),
                row=lambda: self._row(execution_id),
                log=None if ctx is None else ctx.log,
            )

        return AsyncEventStream(attach, after)

    @method
    async def diff(self, a: str, b: str) -> ExecutionDiff:
        """What differs between two executions, step by step, and the first step at which they part.

        They may be of different versions or agents, and may still run.  Print it, or look at `steps`.

        Raises:
            NotFoundError: there is none with one of the ids.
        """
        await self._parts.ready()
        return await diff_executions(self._parts, await self._row(a), await self._row(b))

    @method
    async def cancel(self, execution_id: str) -> AgentExecution:
        """The execution, asked to stop: no new step begins, and it ends as cancelled, with all below it.

        A child fails the step of its parent that waits for it, and no more.
        One that has ended already is returned as it is.

        Raises:
            NotFoundError: there is none.
            ConflictError: it runs in another process.
        """
        await self._parts.ready()
        if self._parts.runner.cancel(execution_id):
            return agent_execution(await self._row(execution_id))
        row = await self._row(execution_id)
        if row.status not in EXECUTION_TERMINAL:
            raise ConflictError(
                f"execution '{execution_id}' does not run in this process; cancel it in the one that started it"
            )
        return agent_execution(row)

    @method
    async def update_metadata(self, execution_id: str, metadata: Mapping[str, Any]) -> AgentExecution:
        """The execution with these top-level keys set in its metadata.

        Raises:
            NotFoundError: there is none.
        """
        await self._parts.ready()
        row = await self._store.update_metadata(self._workspace_id, execution_id, json_object(metadata, "metadata"))
        if row is None:
            raise _unknown(execution_id)
        return agent_execution(row)

    # -------------------------------------------------------------- inside

    async def _all(self, where: ExecutionFilter) -> _list[ExecutionRow]:
        rows, _ = await self._store.list_executions(self._workspace_id, where, offset=0, limit=_MOST_CHILDREN)
        return rows

    async def _row(self, execution_id: str) -> ExecutionRow:
        await self._parts.ready()
        row = await self._store.get_execution(self._workspace_id, execution_id)
        if row is None:
            raise _unknown(execution_id)
        return row


def _unknown(execution_id: str) -> NotFoundError:
    return NotFoundError(f"no execution with the id '{execution_id}'; executions.list() shows what there is")
