"""What a store owes about executions, their events and their metadata."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from promptrails_engine.ports.store import ExecutionFilter, ExecutionRow, SpanFilter, Store
from promptrails_engine.testing.store_conformance.case import StoreCase
from promptrails_engine.testing.store_conformance.rows import (
    MOMENT,
    ended,
    events,
    every_event,
    execution,
    span,
    trace_of,
    unique,
)


async def found_ids(store: Store, workspace: str, where: ExecutionFilter) -> list[str]:
    """The ids that the list holds, and a check of its count."""
    rows, total = await store.list_executions(workspace, where, offset=0, limit=100)
    assert total == len(rows)
    return [row.id for row in rows]


class ExecutionPromises(StoreCase):
    """Beginnings, ends, lists, metadata and events."""

    def test_a_beginning_that_was_waited_for_is_there(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = execution(ws, metadata={"a": 1}, session="s", user="u")
            await store.begin_execution(row, wait=True)
            assert await store.get_execution(ws, row.id) == row
            assert await store.get_execution(ws, "nobody") is None

        self.run(body)

    def test_an_end_holds_the_whole_run(self) -> None:
        async def body(store: Store) -> None:
            for wait in (True, False):
                ws = unique("ws")
                row = execution(ws, metadata={"a": 1}, session="s", user="u")
                spans = [span(trace_of(row), f"n{i}", started_at=MOMENT + i) for i in range(4)]
                said = events(row, "it is ", "this")
                await store.begin_execution(row, wait=wait)
                end = ended(row)
                await store.finish_execution(end, spans, said)
                assert await store.get_execution(ws, row.id) == end
                assert await store.read_events(ws, row.id, 0) == said
                assert await store.list_spans(ws, SpanFilter(), offset=0, limit=9) == (spans[::-1], 4)

        self.run(body)

    def test_every_kind_of_end_is_kept(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            ends = [
                ended(execution(ws), "completed", cost=0.0),
                ended(execution(ws), "completed", cost=None, known=0.125),
                ended(execution(ws), "failed", error="it broke"),
                ended(execution(ws), "cancelled", cost=None),
                ended(execution(ws), "rejected"),
                replace(ended(execution(ws)), token_usage={}, duration_ms=None, started_at=None, output={}),
            ]
            for end in ends:
                await store.begin_execution(replace(end, status="running"), wait=False)
                await store.finish_execution(end, [], [])
            for end in ends:
                assert await store.get_execution(ws, end.id) == end

        self.run(body)

    def test_the_row_may_change_between_beginning_and_end(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = execution(ws)
            await store.begin_execution(row, wait=False)
            row.status, row.output, row.completed_at = "completed", {"content": "x"}, MOMENT + 2
            await store.finish_execution(row, [], [])
            assert await store.get_execution(ws, row.id) == row

        self.run(body)

    def test_lists_are_sliced_newest_first_and_counted_whole(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            rows = [execution(ws, id=f"e{i}_{unique()}", created_at=MOMENT + i // 3) for i in range(10)]
            for row in (rows[i] for i in (3, 0, 9, 5, 1, 8, 2, 7, 4, 6)):
                await store.begin_execution(row, wait=True)
            expected = sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)
            found: list[ExecutionRow] = []
            for offset in (0, 4, 8, 12):
                part, total = await store.list_executions(ws, ExecutionFilter(), offset=offset, limit=4)
                assert total == 10
                found += part
            assert found == expected

        self.run(body)

    def test_lists_are_filtered_by_each_field(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            long = "l" * 5_000
            a = execution(ws, agent="agent_a", session="s_1", user="u%1", created_at=MOMENT + 2)
            b = execution(ws, agent="agent_b", session="s_12", user="u_1", created_at=MOMENT + 1)
            c = execution(ws, agent="agent_b", session=long, user=long + "x", created_at=MOMENT)
            for row in (a, b, c):
                await store.begin_execution(row, wait=True)
            await store.finish_execution(ended(b), [], [])
            for where, expected in [
                (ExecutionFilter(), [a, b, c]),
                (ExecutionFilter(agent_id="agent_b"), [b, c]),
                (ExecutionFilter(agent_id="agent_"), []),
                (ExecutionFilter(session_id="s_1"), [a]),
                (ExecutionFilter(session_id=""), []),
                (ExecutionFilter(session_id=long), [c]),
                (ExecutionFilter(user_id="u_1"), [b]),
                (ExecutionFilter(user_id="u%1"), [a]),
                (ExecutionFilter(user_id=long), []),
                (ExecutionFilter(status="completed"), [b]),
                (ExecutionFilter(status="running"), [a, c]),
                (ExecutionFilter(created_from=MOMENT + 1), [a, b]),
                (ExecutionFilter(created_to=MOMENT + 1), [b, c]),
                (ExecutionFilter(created_from=MOMENT + 1, created_to=MOMENT + 1), [b]),
                (ExecutionFilter(agent_id="agent_b", status="running", created_from=MOMENT), [c]),
            ]:
                assert await found_ids(store, ws, where) == [row.id for row in expected], where

        self.run(body)

    def test_lists_are_filtered_by_metadata(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            values: list[Any] = ["a", "A", "a%", "%", "_", "", 1, 0, -2.5, True, False, None, [1, 2], {"x": 1, "y": 2}]
            keys = ["key", "ke_", 'quo"te', "back\\slash", "n\new", "\u00fc"]
            rows = {
                f"{key}{value!r}": execution(ws, metadata={"before": 1, key: value, "after": [key]})
                for key in keys
                for value in values
            }
            for row in rows.values():
                await store.begin_execution(row, wait=False)
                await store.finish_execution(ended(row), [], [])
            for key in keys:
                for value in values:
                    found = await found_ids(store, ws, ExecutionFilter(metadata={key: value, "before": 1}))
                    assert found == [rows[f"{key}{value!r}"].id], (key, value)
            assert await found_ids(store, ws, ExecutionFilter(metadata={"key": 1.0})) == [rows["key1"].id]
            assert await found_ids(store, ws, ExecutionFilter(metadata={"key": {"y": 2, "x": 1}})) == [
                rows["key{'x': 1, 'y': 2}"].id
            ]
            assert await found_ids(store, ws, ExecutionFilter(metadata={"key": "a", "before": 2})) == []
            assert await found_ids(store, ws, ExecutionFilter(metadata={"x": 1})) == []
            assert len(await found_ids(store, ws, ExecutionFilter(metadata={}))) == len(rows)

        self.run(body)

    def test_metadata_are_merged_by_key_and_outlive_the_end(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = execution(ws, metadata={"a": 1, "b": {"x": 1}})
            await store.begin_execution(row, wait=True)
            changed = await store.update_metadata(ws, row.id, {"b": {"y": 2}, "c": None})
            expected = {"a": 1, "b": {"y": 2}, "c": None}
            assert changed == replace(row, metadata=expected)
            await store.finish_execution(ended(row), [], [])
            await store.update_metadata(ws, row.id, {"d": [1]})
            found = await store.get_execution(ws, row.id)
            assert found == replace(ended(row), metadata={**expected, "d": [1]})
            assert await store.update_metadata(ws, "nobody", {"a": 1}) is None
            assert await found_ids(store, ws, ExecutionFilter(metadata={"d": [1], "b": {"y": 2}})) == [row.id]
            assert await found_ids(store, ws, ExecutionFilter(metadata={"b": {"x": 1}})) == []

        self.run(body)

    def test_events_are_read_in_order_from_any_number_on(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = execution(ws)
            await store.begin_execution(row, wait=False)
            said = events(row, *"abcdefgh")
            await store.write_progress(row, (), (), said[:3])
            await store.write_progress(row, (), (), [])
            await store.write_progress(row, (), (), said[3:4])
            await store.write_progress(row, (), (), said[4:8])
            assert await store.read_events(ws, row.id, 0) == said[:8]
            await store.finish_execution(ended(row), [], said[8:])
            for after in range(-1, len(said) + 2):
                assert await store.read_events(ws, row.id, after) == said[max(after, 0) :]
            assert await store.read_events(ws, "nobody", 0) == []

        self.run(body)

    def test_of_two_blocks_that_begin_alike_the_longer_one_counts(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            for again_at_end in (False, True):
                row = execution(ws)
                await store.begin_execution(row, wait=False)
                said = events(row, *"abcdef")
                await store.write_progress(row, (), (), said[:2])
                await store.write_progress(row, (), (), said[2:3])
                await store.write_progress(row, (), (), said[2:5])
                await store.write_progress(row, (), (), said[2:3])
                assert await store.read_events(ws, row.id, 0) == said[:5]
                await store.finish_execution(ended(row), [], said[2:] if again_at_end else said[5:])
                assert await store.read_events(ws, row.id, 0) == said
                assert await store.read_events(ws, row.id, 3) == said[3:]

        self.run(body)

    def test_every_event_comes_back_as_it_was(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = execution(ws)
            await store.begin_execution(row, wait=False)
            await store.finish_execution(ended(row), [], every_event(row))
            assert await store.read_events(ws, row.id, 0) == every_event(row)

        self.run(body)

    def test_runs_at_the_same_time_do_not_mix(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")

            async def one(i: int) -> ExecutionRow:
                row = execution(ws, session=f"s{i % 7}", created_at=MOMENT + i)
                await store.begin_execution(row, wait=i % 3 == 0)
                await store.write_progress(row, (), (), events(row, f"text {i}", last=False))
                spans = [span(trace_of(row), f"{row.id} {k}", started_at=MOMENT + k) for k in range(3)]
                await store.write_progress(row, (), spans[:1], ())
                await store.finish_execution(ended(row), spans[1:], events(row, first=3))
                return ended(row)

            ends = await asyncio.gather(*(one(i) for i in range(100)))
            rows, total = await store.list_executions(ws, ExecutionFilter(), offset=0, limit=200)
            assert (rows, total) == (ends[::-1], 100)
            for end in ends:
                spans, _ = await store.list_spans(ws, SpanFilter(execution_id=end.id), offset=0, limit=9)
                assert [one.name for one in spans] == [f"{end.id} {k}" for k in (2, 1, 0)]
                assert [event.seq for event in await store.read_events(ws, end.id, 0)] == [1, 2, 3]

        self.run(body)

    def test_a_caller_who_leaves_breaks_nothing(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            rows = [execution(ws) for _ in range(60)]

            async def one(row: ExecutionRow) -> None:
                await store.begin_execution(row, wait=True)
                await store.finish_execution(ended(row), [span(trace_of(row)) for _ in range(3)], events(row, "x"))

            tasks = [asyncio.create_task(one(row)) for row in rows]
            for i, task in enumerate(tasks):
                if i % 2:
                    for _ in range(i % 5):
                        await asyncio.sleep(0)
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            after = execution(ws)
            await one(after)
            for i, row in enumerate([*rows, after]):
                found = await store.get_execution(ws, row.id)
                _, spans = await store.list_spans(ws, SpanFilter(execution_id=row.id), offset=0, limit=9)
                whole = found is not None and found.status == "completed"
                assert whole or i % 2
                assert spans == (3 if whole else 0)
                assert len(await store.read_events(ws, row.id, 0)) == (3 if whole else 0)

        self.run(body)

    def test_what_is_handed_out_is_the_readers_own(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            row = execution(ws, input={"deep": [1]}, metadata={"m": [1]})
            await store.begin_execution(row, wait=True)
            await store.finish_execution(ended(row), [span(trace_of(row), input={"i": [1]})], every_event(row))
            for _ in range(2):
                found = await store.get_execution(ws, row.id)
                assert found is not None
                assert found.input == {"deep": [1]}
                assert found.metadata == {"m": [1]}
                assert found.output == {"content": "it is this", "type": "text"}
                (one,), _ = await store.list_spans(ws, SpanFilter(), offset=0, limit=9)
                assert one.input == {"i": [1]}
                assert one.attributes == {"provider": "openai", "temperature": 0.5}
                said = await store.read_events(ws, row.id, 0)
                assert said == every_event(row)
                found.input["deep"].append(2)
                found.metadata["m"].append(2)
                assert found.output is not None
                found.output["content"] = "other"
                found.token_usage["total_tokens"] = 0
                found.status = "failed"
                one.input["i"].append(2)
                one.attributes["provider"] = "other"
                one.trace.session_id = "other"
                said[0].seq = 99

        self.run(body)
