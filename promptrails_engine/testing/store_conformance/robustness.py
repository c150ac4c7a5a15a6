"""What a store owes whatever it holds: walls between workspaces, odd text, and a quiet end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from promptrails_engine.errors import NotFoundError
from promptrails_engine.events import ContentEvent, ErrorEvent
from promptrails_engine.ports.store import (
    CostTotals,
    DefinitionChanges,
    ExecutionFilter,
    ExecutionRow,
    SpanFilter,
    Store,
)
from promptrails_engine.testing.store_conformance.case import StoreCase, refused
from promptrails_engine.testing.store_conformance.rows import (
    LONG_TEXT,
    ODD_TEXTS,
    definition,
    ended,
    events,
    execution,
    numbered,
    span,
    trace_of,
    unique,
    version,
)


async def filled(store: Store, ws: str, key: str) -> ExecutionRow:
    """Something of everything in the workspace, under ids that others may use as well."""
    row = definition(ws, "Name", id=f"definition_{key}")
    await store.insert_definition(row, version(row, id=f"version_{key}"))
    run = execution(ws, id=f"execution_{key}", trace=f"trace_{key}", session="s", user="u", metadata={"w": ws})
    await store.begin_execution(run, wait=True)
    await store.finish_execution(ended(run), [span(trace_of(run), ws, id=f"span_{key}")], events(run, ws))
    await store.cache_put(ws, "key", {"w": ws}, 100.0)
    await store.state_set(ws, "scope", "key", ws)
    return ended(run)


class RobustnessPromises(StoreCase):
    """Isolation, text of any kind, and closing."""

    def test_a_row_of_another_workspace_does_not_exist(self) -> None:
        async def body(store: Store) -> None:
            ws, stranger, key = unique("ws"), unique("ws"), unique()
            end = await filled(store, ws, key)
            stamp = await store.definitions_stamp(ws)
            empty: Any = ([], 0)
            d, v, e = f"definition_{key}", f"version_{key}", f"execution_{key}"
            for other in (stranger, "", "%", ws[:-1], ws + "x", ws.upper()):
                assert await store.get_definition(other, "agent", d) is None
                assert await store.get_definition(other, "agent", "Name") is None
                assert await store.list_definitions(other, "agent", offset=0, limit=9) == empty
                assert await store.update_definition(other, "agent", d, DefinitionChanges(name="X")) is None
                lost = replace(version(definition(other, id=d)), version="2")
                await refused(NotFoundError, store.insert_version(lost, make_current=True))
                assert await store.get_version(other, "agent", v) is None
                assert await store.list_versions(other, "agent", d) == []
                assert await store.get_execution(other, e) is None
                assert await store.list_executions(other, ExecutionFilter(), offset=0, limit=9) == empty
                assert await store.update_metadata(other, e, {"x": 1}) is None
                assert await store.read_events(other, e, 0) == []
                for where in (SpanFilter(), SpanFilter(trace_id=f"trace_{key}"), SpanFilter(execution_id=e)):
                    assert await store.list_spans(other, where, offset=0, limit=9) == empty
                totals = await store.cost_totals(other, agent_id=None, created_from=None, created_to=None)
                assert totals == CostTotals()
                assert await store.cache_get(other, "key", 0.0) is None
                assert await store.state_get(other, "scope", "key") is None
                assert await store.state_list(other, "scope") == {}
                assert await store.state_delete(other, "scope", "key") is False
            assert await store.get_execution(ws, e) == end
            assert await store.definitions_stamp(ws) == stamp

        self.run(body)

    def test_two_workspaces_may_use_the_same_ids(self) -> None:
        async def body(store: Store) -> None:
            one, two, key = unique("ws"), unique("ws"), unique()
            ends = {ws: await filled(store, ws, key) for ws in (one, two)}
            for ws, end in ends.items():
                assert await store.get_execution(ws, end.id) == end
                assert await store.list_executions(ws, ExecutionFilter(), offset=0, limit=9) == ([end], 1)
                for where in (SpanFilter(), SpanFilter(trace_id=end.trace_id), SpanFilter(execution_id=end.id)):
                    spans, total = await store.list_spans(ws, where, offset=0, limit=9)
                    assert ([found.name for found in spans], total) == ([ws], 1)
                assert [event for event in await store.read_events(ws, end.id, 1)][:1] == [ContentEvent(ws, seq=2)]
                assert await store.cache_get(ws, "key", 0.0) == {"w": ws}
                assert await store.state_list(ws, "scope") == {"key": ws}
            await store.state_delete(one, "scope", "key")
            assert await store.state_get(two, "scope", "key") == two

        self.run(body)

    def test_text_of_any_kind_comes_back_as_it_was(self) -> None:
        async def body(store: Store) -> None:
            for text in (*ODD_TEXTS, LONG_TEXT):
                await self._round_trip(store, unique("ws"), text)

        self.run(body)

    async def _round_trip(self, store: Store, ws: str, text: str) -> None:
        data = {"text": text, text: [text, {"deep": text}]}
        row = definition(ws, text, type=text, data=data)
        first = replace(version(row, text, data=data), message=text)
        await store.insert_definition(row, first)
        assert await store.get_definition(ws, "agent", text) == row
        assert await store.list_definitions(ws, "agent", offset=0, limit=9, name=text, type=text) == ([row], 1)
        assert await store.list_versions(ws, "agent", row.id) == [first]
        run = execution(ws, session=text, user=text, metadata={text: text, "other": data}, input=data)
        end = replace(ended(run, "failed", error=text), output=data)
        said = numbered([ContentEvent(text), ErrorEvent(text, "code")])
        short = text[:100]
        one = replace(
            span(trace_of(run), text, input={"t": short}, output=short), error_message=text, attributes={text: text}
        )
        await store.begin_execution(run, wait=False)
        await store.finish_execution(end, [one], said)
        assert await store.get_execution(ws, run.id) == end
        assert await store.read_events(ws, run.id, 0) == said
        for where in (
            ExecutionFilter(session_id=text),
            ExecutionFilter(user_id=text),
            ExecutionFilter(metadata={text: text}),
        ):
            assert await store.list_executions(ws, where, offset=0, limit=9) == ([end], 1)
        assert await store.list_spans(ws, SpanFilter(session_id=text, user_id=text), offset=0, limit=9) == ([one], 1)
        await store.state_set(ws, "scope", "key", data)
        assert await store.state_get(ws, "scope", "key") == data
        await store.cache_put(ws, "key", data, 10.0)
        assert await store.cache_get(ws, "key", 0.0) == data

    def test_numbers_at_the_edges_come_back_as_they_were(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            numbers = {"big": 2**70, "small": -(2**63), "tiny": 5e-324, "huge": 1.7e308, "third": 1 / 3, "zero": -0.0}
            row = execution(ws, input=numbers, metadata=numbers, created_at=1_760_000_000.123457)
            end = replace(ended(row, cost=1e-9, tokens=2**40), duration_ms=2**40)
            await store.begin_execution(row, wait=False)
            await store.finish_execution(end, [span(trace_of(row), started_at=row.created_at)], [])
            assert await store.get_execution(ws, row.id) == end
            where = ExecutionFilter(created_from=row.created_at, created_to=row.created_at, metadata={"third": 1 / 3})
            assert await store.list_executions(ws, where, offset=0, limit=9) == ([end], 1)
            exact = SpanFilter(started_from=row.created_at, started_to=row.created_at)
            assert (await store.list_spans(ws, exact, offset=0, limit=9))[1] == 1

        self.run(body)

    def test_closing_twice_is_quiet(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            await store.begin_execution(execution(ws), wait=False)
            await store.close()
            await store.close()

        self.run(body)
