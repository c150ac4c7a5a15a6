"""What a store owes about spans and costs."""

from __future__ import annotations

import json
from dataclasses import replace

from promptrails_engine.ports.sink import SPAN_KINDS, Span
from promptrails_engine.ports.store import CostTotals, DailyCost, SpanFilter, Store
from promptrails_engine.testing.store_conformance.case import StoreCase
from promptrails_engine.testing.store_conformance.rows import MOMENT, ended, execution, span, trace_of, unique

PAYLOAD_BYTES = 8192
DAY = 86_400.0
MIDNIGHT = 20_000 * DAY
"""2024-10-04 in UTC."""


async def found_spans(store: Store, workspace: str, where: SpanFilter) -> list[str]:
    """The names that the list holds, and a check of its count."""
    rows, total = await store.list_spans(workspace, where, offset=0, limit=100)
    assert total == len(rows)
    return [row.name for row in rows]


class TracePromises(StoreCase):
    """Spans by every filter, payloads cut to size, sums of costs."""

    def test_a_span_comes_back_as_it_was(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = execution(ws, session="s", user="u")
            info = trace_of(row)
            spans = [span(info, kind, kind=kind, started_at=MOMENT + i) for i, kind in enumerate(SPAN_KINDS)]
            spans.append(span(info, "broken", status="error", started_at=MOMENT + 98))
            spans.append(
                Span(trace=info, span_id="0" * 16, parent_span_id="", name="bare", kind="agent", started_at=MOMENT + 99)
            )
            await store.begin_execution(row, wait=False)
            await store.finish_execution(ended(row), spans, [])
            found, total = await store.list_spans(ws, SpanFilter(), offset=0, limit=100)
            assert total == len(spans)
            assert found == spans[::-1]

        self.run(body)

    def test_the_hosts_context_is_not_kept(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = execution(ws)
            await store.begin_execution(row, wait=False)
            await store.finish_execution(ended(row), [span(replace(trace_of(row), ambient=object()))], [])
            (found,), _ = await store.list_spans(ws, SpanFilter(), offset=0, limit=9)
            assert found.trace == trace_of(row)

        self.run(body)

    def test_spans_of_a_run_that_goes_on_are_there(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = execution(ws)
            await store.begin_execution(row, wait=False)
            await store.write_progress(row, (), [span(trace_of(row), "one", started_at=MOMENT + 1)], ())
            await store.write_progress(row, (), (), ())
            assert await found_spans(store, ws, SpanFilter(trace_id=row.trace_id)) == ["one"]
            await store.finish_execution(ended(row), [span(trace_of(row), "two", started_at=MOMENT)], [])
            assert await found_spans(store, ws, SpanFilter(trace_id=row.trace_id)) == ["one", "two"]
            assert await found_spans(store, ws, SpanFilter(execution_id=row.id)) == ["one", "two"]

        self.run(body)

    def test_spans_are_filtered_by_each_field(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            parent = execution(ws, agent="agent_a", session="s1", user="u1")
            child = execution(ws, agent="agent_b", session="s_", user="u" * 5_000, trace=parent.trace_id)
            other = execution(ws, agent="agent_b")
            await store.begin_execution(parent, wait=False)
            await store.begin_execution(child, wait=False)
            await store.begin_execution(other, wait=False)
            p, c, o = trace_of(parent), trace_of(child), trace_of(other)
            one = [
                span(p, "p1", kind="agent", model="", started_at=MOMENT + 5),
                span(p, "p2", model="m_1", started_at=MOMENT + 4),
            ]
            two = [span(c, "c1", kind="tool", status="error", model="m%1", started_at=MOMENT + 3)]
            three = [span(o, "o1", model="m_12", started_at=MOMENT + 2), span(o, "o2", started_at=MOMENT + 1)]
            await store.finish_execution(ended(child), two, [])
            await store.finish_execution(ended(other), three, [])
            await store.finish_execution(ended(parent), one, [])
            for where, expected in [
                (SpanFilter(), ["p1", "p2", "c1", "o1", "o2"]),
                (SpanFilter(trace_id=parent.trace_id), ["p1", "p2", "c1"]),
                (SpanFilter(trace_id="f" * 32), []),
                (SpanFilter(execution_id=child.id), ["c1"]),
                (SpanFilter(trace_id=parent.trace_id, execution_id=other.id), []),
                (SpanFilter(agent_id="agent_b"), ["c1", "o1", "o2"]),
                (SpanFilter(kind="llm"), ["p2", "o1", "o2"]),
                (SpanFilter(status="error"), ["c1"]),
                (SpanFilter(model_name="m_1"), ["p2"]),
                (SpanFilter(session_id="s1"), ["p1", "p2"]),
                (SpanFilter(session_id="s_"), ["c1"]),
                (SpanFilter(session_id=""), ["o1", "o2"]),
                (SpanFilter(user_id="u" * 5_000), ["c1"]),
                (SpanFilter(user_id="u1"), ["p1", "p2"]),
                (SpanFilter(started_from=MOMENT + 3), ["p1", "p2", "c1"]),
                (SpanFilter(started_to=MOMENT + 3), ["c1", "o1", "o2"]),
                (SpanFilter(started_from=MOMENT + 3, started_to=MOMENT + 3), ["c1"]),
                (SpanFilter(trace_id=parent.trace_id, kind="llm", model_name="m_1", agent_id="agent_a"), ["p2"]),
            ]:
                assert await found_spans(store, ws, where) == expected, where

        self.run(body)

    def test_spans_are_sliced_newest_first_and_counted_whole(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = execution(ws)
            await store.begin_execution(row, wait=False)
            spans = [span(trace_of(row), id=f"{i:016x}", started_at=MOMENT + i // 3) for i in range(10)]
            await store.finish_execution(ended(row), [spans[i] for i in (3, 0, 9, 5, 1, 8, 2, 7, 4, 6)], [])
            found: list[Span] = []
            for offset in (0, 4, 8, 12):
                part, total = await store.list_spans(ws, SpanFilter(), offset=offset, limit=4)
                assert total == 10
                found += part
            assert found == sorted(spans, key=lambda one: (one.started_at, one.span_id), reverse=True)

        self.run(body)

    def test_large_payloads_of_spans_are_cut_and_those_of_executions_are_not(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            big = {"messages": [{"role": "user", "content": 'x"\u00e9\n' * 3_000}]}
            row = execution(ws, input=big)
            fits = {"text": "y" * (PAYLOAD_BYTES - 100)}
            info = trace_of(row)
            spans = [
                span(info, "big in", input=big, output=fits, started_at=MOMENT + 3),
                span(info, "big out", input=fits, output="z" * 5_000_000, started_at=MOMENT + 2),
                span(info, "many", input=list(range(100_000)), output=fits, started_at=MOMENT + 1),
                span(info, "fits", input=fits, output=fits, started_at=MOMENT),
            ]
            await store.begin_execution(row, wait=False)
            await store.finish_execution(replace(ended(row), output=big), spans, [])
            found = await store.get_execution(ws, row.id)
            assert found is not None
            assert found.input == found.output == big
            one, two, three, four = (await store.list_spans(ws, SpanFilter(), offset=0, limit=9))[0]
            for cut, start in ((one.input, '{"messages":[{"role"'), (two.output, '"zzz'), (three.input, "[0,1,2,")):
                assert cut["truncated"] is True
                assert cut["preview"].startswith(start)
                assert PAYLOAD_BYTES / 2 < len(json.dumps(cut, ensure_ascii=False).encode()) <= PAYLOAD_BYTES
            assert one.output == two.input == three.output == four.input == four.output == fits

        self.run(body)

    def test_costs_are_summed_by_day_over_finished_executions(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            for agent, created, status, cost, known, tokens in [
                ("a", MIDNIGHT, "completed", 0.5, 0.5, 10),
                ("a", MIDNIGHT + DAY - 0.5, "failed", None, 0.25, 20),
                ("b", MIDNIGHT + DAY, "cancelled", None, 0.0, 30),
                ("a", MIDNIGHT + DAY + 1, "completed", 0.0, 0.0, 40),
                ("a", MIDNIGHT + 3 * DAY, "completed", 2.0, 2.0, 50),
            ]:
                row = execution(ws, agent=agent, created_at=created)
                await store.begin_execution(row, wait=False)
                await store.finish_execution(ended(row, status, cost=cost, known=known, tokens=tokens), [], [])  # type: ignore[arg-type]  # a status
            bare = execution(ws, agent="c", created_at=MIDNIGHT + 5 * DAY)
            await store.finish_execution(
                replace(ended(bare, cost=1.0), token_usage={"prompt_tokens": 3, "completion_tokens": 4}), [], []
            )
            await store.begin_execution(execution(ws, created_at=MIDNIGHT), wait=True)
            day = {
                0: DailyCost("2024-10-04", 0.75, 2, 30),
                1: DailyCost("2024-10-05", 0.0, 2, 70),
                3: DailyCost("2024-10-07", 2.0, 1, 50),
                5: DailyCost("2024-10-09", 1.0, 1, 7),
            }
            for agent_id, low, high, expected in [
                (None, None, None, CostTotals(3.75, 6, 157, 2, [day[0], day[1], day[3], day[5]])),
                ("b", None, None, CostTotals(0.0, 1, 30, 1, [DailyCost("2024-10-05", 0.0, 1, 30)])),
                (None, MIDNIGHT + 3 * DAY, MIDNIGHT + 3 * DAY, CostTotals(2.0, 1, 50, 0, [day[3]])),
                (None, None, MIDNIGHT + DAY - 0.5, CostTotals(0.75, 2, 30, 1, [day[0]])),
                ("nobody", None, None, CostTotals()),
            ]:
                totals = await store.cost_totals(ws, agent_id=agent_id, created_from=low, created_to=high)
                assert totals == expected, (agent_id, low, high)

        self.run(body)
