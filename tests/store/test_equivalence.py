"""Whatever is asked of them in whatever order, the stores answer alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptrails_engine.ports.store import DefinitionChanges, ExecutionFilter, SpanFilter, Store
from promptrails_engine.testing.store_conformance.rows import (
    MOMENT,
    definition,
    ended,
    events,
    execution,
    span,
    trace_of,
    version,
)
from tests.store.steps import Step, compared, maybe, step

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
        lambda s, w, k, i, v, label, c, a: s.insert_version(
            version(definition(w, kind=k, id=i), label, id=f"v{v}"), make_current=c, after=a and f"v{a}"
        ),
        workspaces, kinds, ids, ids, labels, st.booleans(), maybe(ids),
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


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(executions | definitions | state | reads, min_size=10, max_size=50))
def test_memory_and_sqlite_answer_alike(steps: list[Step]) -> None:
    asyncio.run(compared(steps))
