"""`engine.traces`: the spans of runs."""

from __future__ import annotations

from promptrails_engine.errors import NotFoundError
from promptrails_engine.faces import M_co, method
from promptrails_engine.ports.store import SpanFilter
from promptrails_engine.resources.base import EngineResource, page_slice
from promptrails_engine.resources.dates import day_end, moment
from promptrails_engine.results import Page, Trace, page_of
from promptrails_engine.rows import trace

_MOST_SPANS = 100_000

_list = list  # the classes below have a method of that name


class Traces(EngineResource[M_co]):
    """Finished spans of this workspace."""

    @method
    async def list(
        self,
        *,
        page: int = 1,
        limit: int = 20,
        trace_id: str | None = None,
        kind: str | None = None,
        agent_id: str | None = None,
        execution_id: str | None = None,
        status: str | None = None,
        model_name: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        from_date: str | None = None,
        to_date: str | None = None,
    ) -> Page[Trace]:
        """One page of spans, newest first; every filter that is given must match.

        `from_date` and `to_date` are ISO dates or times, inclusive.
        """
        await self._parts.ready()
        offset, limit = page_slice(page, limit)
        where = SpanFilter(
            trace_id=trace_id,
            execution_id=execution_id,
            agent_id=agent_id,
            kind=kind,
            status=status,
            model_name=model_name,
            session_id=session_id,
            user_id=user_id,
            started_from=moment(from_date, "from_date"),
            started_to=day_end(to_date, "to_date"),
        )
        spans, total = await self._store.list_spans(self._workspace_id, where, offset=offset, limit=limit)
        return page_of([trace(span) for span in spans], total, page, limit)

    @method
    async def get_by_trace_id(self, trace_id: str) -> _list[Trace]:
        """All spans of one trace in order of their start, the root first.

        Raises:
            NotFoundError: there is none.
        """
        await self._parts.ready()
        spans, _ = await self._store.list_spans(
            self._workspace_id, SpanFilter(trace_id=trace_id), offset=0, limit=_MOST_SPANS
        )
        if not spans:
            raise NotFoundError(f"no trace with the id '{trace_id}'; it may belong to a run that has not ended")
        spans.sort(key=lambda span: (span.started_at, span.parent_span_id != ""))
        return [trace(span) for span in spans]
