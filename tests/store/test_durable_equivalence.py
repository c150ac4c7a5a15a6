"""Whatever becomes of durable runs, in whatever order, the stores answer alike."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.store import ExecutionFilter, ExecutionRow, SpanFilter, Store
from promptrails_engine.testing.store_conformance.rows import (
    MOMENT,
    approval,
    ended,
    events,
    execution,
    owned,
    span,
    trace_of,
)
from tests.store.steps import Step, compared, maybe, step

KIN = {"root": (None, None), "child": ("root", "root"), "deep": ("child", "root"), "alone": (None, None)}
AGENTS = {"root": "top", "child": "helper", "deep": "helper", "alone": "helper"}

ids = st.sampled_from(list(KIN))
owners = st.sampled_from(["p", "q"])
writers = st.sampled_from(["its", "its", "its", "p", "q", None])
parked = st.sampled_from(["awaiting_approval", "awaiting_approval", "in_doubt", "pending"])
keys = st.sampled_from(["k", "\x00", "k" * 300])
expiries = st.sampled_from([None, 1.0, 9e9])
entries = st.lists(
    st.builds(
        lambda key, state, effect: JournalEntry(key, "tool", effect, state, {"of": key}),
        keys, st.sampled_from(["intended", "intended", "done"]), st.sampled_from(["pure", "effect", "effect"]),
    ),
    max_size=2,
)  # fmt: skip


def made(id: str, owner: str | None, status: Any) -> ExecutionRow:
    """Always the same under the same id, but for these two."""
    parent, root = KIN[id]
    created_at = MOMENT + list(KIN).index(id) % 3
    row = execution("w", id=id, agent=AGENTS[id], trace="t", created_at=created_at, parent=parent, root=root)
    return owned(row, owner, status)


async def held(store: Store, id: str, owner: str | None) -> ExecutionRow:
    """The row as its owner holds it, or as somebody else does who thinks that it is his."""
    found = await store.get_execution("w", id)
    row = made(id, "p", "running") if found is None else found
    return owned(row, row.owner if owner == "its" else owner)


async def written(store: Store, id: str, owner: str | None, given: Any) -> None:
    row = await held(store, id, owner)
    spans = [span(trace_of(row), "early", id=f"{id}e", started_at=MOMENT + 9)]
    await store.write_progress(row, given, spans, events(row, "one", last=False))


async def suspended(store: Store, id: str, owner: str | None, status: Any, given: Any, ends: Any) -> str:
    row = owned(await held(store, id, owner), owner, status)
    row.owner = (await held(store, id, owner)).owner
    asked = [approval(row, f"{n}", id=f"{id}{n}", expires_at=end) for n, end in enumerate(ends)]
    return await store.suspend_execution(replace(row, cost_known=0.5), given, (), (), asked)


async def finished(store: Store, id: str, owner: str | None, given: Any) -> None:
    row = await held(store, id, owner)
    await store.finish_execution(ended(row), [span(trace_of(row), id=f"{id}d")], events(row, first=3), given)


async def all_of(store: Store, id: str) -> Any:
    """All that there is to know of an execution."""
    return (
        await store.get_execution("w", id),
        await store.read_journal("w", id),
        [(event.type, event.seq) for event in await store.read_events("w", id, 0)],
        await store.list_spans("w", SpanFilter(execution_id=id), offset=0, limit=9),
        await store.list_approvals("w", root_execution_id=id, offset=0, limit=9),
        await store.unanswered("w", ["nobody", id]),
    )


async def requested(store: Store, owner: str) -> list[str]:
    return sorted(await store.cancel_requests(owner))


preface = st.lists(
    st.one_of(
        step(
            lambda s, i, o: s.begin_execution(made(i, o, "running" if o else "pending"), wait=True),
            ids, st.sampled_from(["p", "p", "p", None]),
        ),
        step(lambda s, o: s.renew_lease(o, 600.0), owners),
    ),
    min_size=6, max_size=10,
)  # fmt: skip
steps = st.one_of(
    step(written, ids, writers, entries),
    step(suspended, ids, writers, parked, entries, st.lists(expiries, max_size=2)),
    step(suspended, ids, st.just("its"), parked, entries, st.lists(expiries, max_size=2)),
    step(
        lambda s, i, given: suspended(s, i, "its", "in_doubt", given, ()), st.sampled_from(["root", "alone"]), entries
    ),
    step(finished, ids, writers, entries),
    step(lambda s, o: s.renew_lease(o, 600.0), owners),
    step(lambda s, o: s.end_lease(o), owners),
    step(
        lambda s, o, n, la, i: s.claim_executions("w", o, limit=n, lapsed=la, execution_id=i),
        owners, st.integers(0, 2), st.booleans(), maybe(ids),
    ),
    step(
        lambda s, i, k, v: s.answer_entry("w", i, k, v), ids, keys, maybe(st.just({"told": "\ud800"}))
    ),
    step(lambda s, i: s.request_cancel("w", i), ids),
    step(requested, owners),
    step(lambda s, i: s.replace_lock("w", i, "version_2", {"n": 1}), ids),
    step(
        lambda s, i, n, st_: s.decide_approval("w", f"{i}{n}", st_, reason=st_, decided_by="\x00"),
        ids, st.integers(0, 1), st.sampled_from(["approved", "rejected"]),
    ),
    step(lambda s: s.expire_approvals("w")),
    step(lambda s, st_: s.list_approvals("w", status=st_, offset=0, limit=9), maybe(st.just("pending"))),
    step(
        lambda s, st_: s.list_executions("w", ExecutionFilter(status=st_), offset=0, limit=9),
        maybe(st.sampled_from(["running", "pending", "awaiting_approval", "cancelled"])),
    ),
    step(all_of, ids),
)  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(preface, st.lists(steps, min_size=20, max_size=50))
def test_memory_and_sqlite_run_durable_runs_alike(first: list[Step], then: list[Step]) -> None:
    asyncio.run(compared([*first, *then]))
