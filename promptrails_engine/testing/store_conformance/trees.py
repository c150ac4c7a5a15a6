"""What a store owes about executions that other executions have started."""

from __future__ import annotations

from dataclasses import replace

from promptrails_engine.ports.store import CostTotals, DailyCost, ExecutionFilter, ExecutionRow, SpanFilter, Store
from promptrails_engine.testing.store_conformance.case import StoreCase
from promptrails_engine.testing.store_conformance.executions import found_ids
from promptrails_engine.testing.store_conformance.rows import MOMENT, ended, execution, span, trace_of, unique

_DATE = "2025-10-09"
"""The UTC day of MOMENT."""


def family(workspace: str) -> list[ExecutionRow]:
    """A root, its two children, a child of the first of them, and another root; in the order of their start."""
    root = execution(workspace, agent="top", id=unique("root"))
    rows = [root]
    for name, parent in (("one", 0), ("two", 0), ("deep", 1)):
        rows.append(
            execution(
                workspace,
                agent="helper",
                id=unique(name),
                trace=root.trace_id,
                created_at=MOMENT + len(rows),
                parent=rows[parent].id,
                root=root.id,
            )
        )
    return [*rows, execution(workspace, agent="helper", id=unique("alone"), created_at=MOMENT + 9)]


class TreePromises(StoreCase):
    """Parents and roots: kept, filtered by, and what they cost."""

    def test_a_child_names_its_parent_and_its_root(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            for row in family(ws):
                await store.begin_execution(row, wait=True)
                assert await store.get_execution(ws, row.id) == row
                # Who started it is settled when it begins.
                await store.finish_execution(
                    replace(ended(row), parent_execution_id="other", root_execution_id=None), [], []
                )
                assert await store.get_execution(ws, row.id) == ended(row)

        self.run(body)

    def test_a_tree_is_found_by_its_members(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            rows = family(ws)
            root, one, two, deep, alone = rows
            for row in rows:
                await store.begin_execution(row, wait=False)
                await store.begin_execution(replace(row, workspace_id=unique("other")), wait=False)
            for where, expected in [
                (ExecutionFilter(), rows),
                (ExecutionFilter(roots_only=True), [root, alone]),
                (ExecutionFilter(roots_only=True, agent_id="helper"), [alone]),
                (ExecutionFilter(parent_execution_id=root.id), [one, two]),
                (ExecutionFilter(parent_execution_id=one.id), [deep]),
                (ExecutionFilter(parent_execution_id=deep.id), []),
                (ExecutionFilter(parent_execution_id=""), []),
                (ExecutionFilter(root_execution_id=root.id), [one, two, deep]),
                (ExecutionFilter(root_execution_id=one.id), []),
                (ExecutionFilter(root_execution_id=root.id, agent_id="top"), []),
                (ExecutionFilter(parent_execution_id=root.id, status="completed"), []),
            ]:
                assert await found_ids(store, ws, where) == [row.id for row in reversed(expected)], where

        self.run(body)

    def test_the_spans_of_a_tree_are_one_trace(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            rows = family(ws)[:4]
            for row in rows:
                await store.begin_execution(row, wait=False)
            for row in reversed(rows):
                await store.finish_execution(
                    ended(row), [span(trace_of(row), row.agent_id, started_at=row.created_at)], []
                )
            found, total = await store.list_spans(ws, SpanFilter(trace_id=rows[0].trace_id), offset=0, limit=9)
            assert total == 4
            assert [one.trace.execution_id for one in found] == [row.id for row in reversed(rows)]
            assert [one.name for one in found] == ["helper", "helper", "helper", "top"]

        self.run(body)

    def test_costs_are_summed_over_roots(self) -> None:
        async def body(store: Store) -> None:
            ws = unique("ws")
            for row, cost, tokens in zip(family(ws), (4.0, 2.0, None, 1.0, 8.0), (40, 20, 10, 5, 80), strict=True):
                await store.begin_execution(row, wait=False)
                await store.finish_execution(ended(row, cost=cost, tokens=tokens), [], [])
            for agent_id, expected in [
                (None, CostTotals(12.0, 2, 120, 0, [DailyCost(_DATE, 12.0, 2, 120)])),
                ("top", CostTotals(4.0, 1, 40, 0, [DailyCost(_DATE, 4.0, 1, 40)])),
                ("helper", CostTotals(11.0, 4, 115, 1, [DailyCost(_DATE, 11.0, 4, 115)])),
            ]:
                totals = await store.cost_totals(ws, agent_id=agent_id, created_from=None, created_to=None)
                assert totals == expected, agent_id

        self.run(body)
