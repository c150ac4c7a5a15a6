"""Whatever is asked of them in whatever order, the stores answer alike."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.ports.journal import ApprovalRow, Claims, Decided, JournalEntry
from promptrails_engine.ports.store import DefinitionChanges, ExecutionFilter, ExecutionRow, SpanFilter, Store
from promptrails_engine.store import MemoryStore, SqlStore
from promptrails_engine.testing.store_conformance.rows import (
    MOMENT,
    approval,
    definition,
    ended,
    events,
    execution,
    owned,
    span,
    trace_of,
    version,
)

Action = Callable[[Store], Awaitable[Any]]


@dataclass(frozen=True)
class Step:
    """A call of a store; of those with the same `once`, only the first is made."""

    action: Action = field(repr=False)
    what: str
    once: str = ""


workspaces = st.sampled_from(["w1", "w2"])
kinds = st.sampled_from(["agent", "prompt"])
ids = st.sampled_from(["a", "b", "c"])
names = st.sampled_from(["Alpha", "alpha", "Be_ta", "be%ta", "a", "\x00\ud800"])
labels = st.sampled_from(["1", "2", "3"])
statuses = st.sampled_from(["active", "archived", "deleted"])
times = st.integers(0, 3).map(lambda i: MOMENT + i * 43_200)
texts = st.sampled_from(["", "s", "s_", "S", "\ud800x"])
scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "x", "%"])
metadata = st.dictionaries(st.sampled_from(["k", "k_", "\x00"]), scalars | st.lists(scalars, max_size=2), max_size=2)
pages = st.fixed_dictionaries({"offset": st.integers(0, 3), "limit": st.integers(0, 3)})


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def step(make: Callable[..., Any], *strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    calls = ",".join(name for name in make.__code__.co_names if "_" in name)
    return st.tuples(*strategies).map(lambda drawn: Step(lambda store: make(store, *drawn), f"{calls}{drawn}"))


def append(what: str, make: Callable[..., Any]) -> st.SearchStrategy[Step]:
    """Spans and events are written once."""
    return runs().map(lambda row: Step(lambda store: make(store, row), what, f"{what} {row.workspace_id} {row.id}"))


@st.composite
def runs(draw: st.DrawFn) -> Any:
    """A begun execution, always the same under the same id."""
    id, workspace = draw(ids), draw(workspaces)
    n = ord(id) - ord("a")
    return execution(
        workspace,
        id=id,
        agent=f"agent_{n % 2}",
        trace=f"trace_{n % 2}",
        session=["", "s", "\ud800x"][n],
        user=["u", "s_", ""][n],
        metadata=[{}, {"k": 1}, {"k": [True], "k_": "%"}][n],
        created_at=MOMENT + n // 2 * 43_200,
        parent=[None, "a", "b"][n],
        root=[None, "a", "a"][n],
    )


def finished(store: Store, row: Any, status: Any, cost: Any) -> Awaitable[Any]:
    spans = [
        span(trace_of(row), f"{row.id}{i}", id=f"{row.id}{i}", kind=kind, started_at=MOMENT + i)
        for i, kind in enumerate(("agent", "llm"))
    ]
    return store.finish_execution(ended(row, status, cost=cost), spans, events(row, "x", first=5))


async def begun(store: Store, row: Any) -> None:
    await store.begin_execution(replace(row), wait=False)


executions = st.one_of(
    step(begun, runs()),
    step(lambda s, row: s.begin_execution(replace(row), wait=True), runs()),
    step(finished, runs(), st.sampled_from(["completed", "failed"]), st.sampled_from([None, 0.0, 0.25])),
    append("events", lambda s, row: s.write_progress(row, (), (), events(row, "one", last=False))),
    append(
        "spans",
        lambda s, row: s.write_progress(
            row, (), [span(trace_of(row), "early", id=f"{row.id}e", started_at=MOMENT + 9)], ()
        ),
    ),
    step(lambda s, w, i, m: s.update_metadata(w, i, m), workspaces, ids, metadata),
)
owners = st.sampled_from([None, "p", "q"])
parked = st.sampled_from(["awaiting_approval", "in_doubt", "pending"])
keys = st.sampled_from(["k", "\x00", "k" * 300])
entries = st.lists(
    st.builds(
        lambda key, state, effect: JournalEntry(key, "tool", effect, state, {"of": key}),
        keys, st.sampled_from(["intended", "done"]), st.sampled_from(["pure", "effect"]),
    ),
    max_size=2,
)  # fmt: skip


def requests(row: Any, ends: Any) -> list[Any]:
    return [approval(row, f"{n}", id=f"{row.id}{n}", expires_at=expires_at) for n, expires_at in enumerate(ends)]


def ended_by(store: Store, row: Any, owner: Any, given: Any) -> Awaitable[Any]:
    return store.finish_execution(ended(owned(row, owner)), [span(trace_of(row), id=f"{row.id}d")], (), given)


durable = st.one_of(
    step(lambda s, row, o, st_: s.begin_execution(owned(row, o, st_), wait=True), runs(), owners,
         st.sampled_from(["running", "pending"])),
    step(lambda s, row, o, e: s.write_progress(owned(row, o), e, (), ()), runs(), owners, entries),
    step(
        lambda s, row, o, st_, e, ends: s.suspend_execution(owned(row, o, st_), e, (), (), requests(row, ends)),
        runs(), owners, parked, entries, st.lists(st.sampled_from([None, 1.0, 9e9]), max_size=2),
    ),
    step(ended_by, runs(), owners, entries),
    step(lambda s, w, i: s.read_journal(w, i), workspaces, ids),
    step(lambda s, o: s.renew_lease(o, 600.0), st.sampled_from(["p", "q"])),
    step(lambda s, o: s.end_lease(o), st.sampled_from(["p", "q"])),
    step(
        lambda s, w, o, n, la, i: s.claim_executions(w, o, limit=n, lapsed=la, execution_id=i),
        workspaces, st.sampled_from(["p", "q"]), st.integers(0, 2), st.booleans(), maybe(ids),
    ),
    step(lambda s, w, i: s.unanswered(w, ["nobody", i]), workspaces, ids),
    step(lambda s, w, i, k, v: s.answer_entry(w, i, k, v), workspaces, ids, keys, maybe(st.just({"told": 1}))),
    step(lambda s, w, i: s.request_cancel(w, i), workspaces, ids),
    step(lambda s, w, i: s.replace_lock(w, i, "version_2", {"n": 1}), workspaces, ids),
    step(lambda s, w, st_, i, p: s.list_approvals(w, status=st_, execution_id=i, **p), workspaces,
         maybe(st.sampled_from(["pending", "expired", "withdrawn"])), maybe(ids), pages),
    step(
        lambda s, w, i, st_, r: s.decide_approval(w, i, st_, reason=r, decided_by=r),
        workspaces, st.sampled_from(["a0", "b0", "c1"]), st.sampled_from(["approved", "rejected"]), texts,
    ),
    step(lambda s, w: s.expire_approvals(w), workspaces),
)  # fmt: skip
definitions = st.one_of(
    step(
        lambda s, w, k, i, n, t, st_, v: s.insert_definition(
            row := definition(w, n, kind=k, id=i, created_at=t, status=st_),
            version(row, "1", id=f"v{i}") if v else None,
        ),
        workspaces, kinds, ids, names, times, statuses, st.booleans(),
    ),
    step(
        lambda s, w, k, i, n, st_, c: s.update_definition(
            w, k, i, DefinitionChanges(name=n, status=st_, current_version_id=c, updated_at=MOMENT + 5)
        ),
        workspaces, kinds, ids, maybe(names), maybe(statuses), maybe(ids),
    ),
    step(
        lambda s, w, k, i, v, label, c: s.insert_version(
            version(definition(w, kind=k, id=i), label, id=f"v{v}"), make_current=c
        ),
        workspaces, kinds, ids, ids, labels, st.booleans(),
    ),
)  # fmt: skip
state = st.one_of(
    step(lambda s, w, sc, k, v: s.state_set(w, sc, k, v), workspaces, texts, names, scalars),
    step(lambda s, w, sc, k: s.state_delete(w, sc, k), workspaces, texts, names),
    step(lambda s, w, k, v, t: s.cache_put(w, k, {"v": v}, t), workspaces, names, scalars, times),
)
reads = st.one_of(
    step(lambda s, w, k, r: s.get_definition(w, k, r), workspaces, kinds, ids | names),
    step(
        lambda s, w, k, p, n, st_: s.list_definitions(w, k, **p, name=n, status=st_),
        workspaces, kinds, pages, maybe(names), maybe(statuses),
    ),
    step(lambda s, w, k, i: s.list_versions(w, k, i), workspaces, kinds, ids),
    step(lambda s, w, k, i: s.get_version(w, k, f"v{i}"), workspaces, kinds, ids),
    step(lambda s, w: s.definitions_stamp(w), workspaces),
    step(lambda s, w, i: s.get_execution(w, i), workspaces, ids),
    step(
        lambda s, w, p, a, se, u, st_, t, m, kin: s.list_executions(
            w, ExecutionFilter(agent_id=a, session_id=se, user_id=u, status=st_, created_from=t, metadata=m, **kin), **p
        ),
        workspaces, pages, maybe(st.just("agent_1")), maybe(texts), maybe(texts),
        maybe(st.sampled_from(["running", "completed"])), maybe(times), maybe(metadata),
        st.sampled_from([{}, {"roots_only": True}, {"parent_execution_id": "a"}, {"root_execution_id": "a"}]),
    ),
    step(lambda s, w, i, n: s.read_events(w, i, n), workspaces, ids, st.integers(0, 8)),
    step(
        lambda s, w, p, tr, e, k, se: s.list_spans(
            w, SpanFilter(trace_id=tr, execution_id=e, kind=k, session_id=se), **p
        ),
        workspaces, pages, maybe(st.just("trace_0")), maybe(ids), maybe(st.just("llm")), maybe(texts),
    ),
    step(
        lambda s, w, t: s.cost_totals(w, agent_id=None, created_from=t, created_to=None), workspaces, maybe(times)
    ),
    step(lambda s, w, sc: s.state_list(w, sc), workspaces, texts),
    step(lambda s, w, sc, k: s.state_get(w, sc, k), workspaces, texts, names),
    step(lambda s, w, k, t: s.cache_get(w, k, t), workspaces, names, times),
)  # fmt: skip


def timeless(value: Any) -> Any:
    """The answer without the times that the stores read from their own clocks."""
    if isinstance(value, ExecutionRow):
        by_store = value.error_code == "cancelled"
        at, duration = ("then", 0) if by_store else (value.completed_at, value.duration_ms)
        asked = value.cancel_requested_at is not None
        return replace(value, completed_at=at, duration_ms=duration, cancel_requested_at=asked)  # type: ignore[arg-type]
    if isinstance(value, ApprovalRow):
        return replace(value, decided_at=value.decided_at is not None)
    if isinstance(value, Claims):
        return [timeless(row) for row in value.rows], value.lapsed
    if isinstance(value, Decided):
        return timeless(value.row), value.won
    if isinstance(value, list | tuple):
        return [timeless(one) for one in value]
    return value


async def answer(store: Store, step: Step) -> Any:
    try:
        return timeless(await step.action(store))
    except PromptRailsError as error:
        return type(error), error.code


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(durable | durable | executions | reads, min_size=20, max_size=60))
def test_memory_and_sqlite_run_durable_runs_alike(steps: list[Step]) -> None:
    asyncio.run(compared(steps))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(executions | definitions | state | reads, min_size=10, max_size=50))
def test_memory_and_sqlite_answer_alike(steps: list[Step]) -> None:
    asyncio.run(compared(steps))


async def compared(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one: Store = MemoryStore()
        other: Store = SqlStore(Path(folder) / "app.db", durability="relaxed")
        await other.open()
        try:
            done: set[str] = set()
            for number, step in enumerate(steps):
                if step.once in done:
                    continue
                done |= {step.once} - {""}
                first, second = await answer(one, step), await answer(other, step)
                assert first == second, f"step {number}: {step.what}"
        finally:
            await other.close()
