"""Graphs: their order, what runs at once, what is passed over and why, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine.definitions.graph_nodes import Join
from promptrails_engine.errors import DefinitionError, RunCancelledError, RunError
from promptrails_engine.run.graph import Graph, GraphRun, compile_graph, run_each, run_graph

Edges = list[tuple[str, list[str]]]


@st.composite
def dags(draw: st.DrawFn, most: int = 9) -> Edges:
    """Nodes in any order of mention, edges only along a hidden one."""
    names = [f"n{index}" for index in range(draw(st.integers(1, most)))]
    edges: Edges = []
    for index, name in enumerate(names):
        edges.append((name, draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []))
    return draw(st.permutations(edges))


def graph_of(edges: Edges) -> Graph:
    return compile_graph(edges, "node")


async def quiet(_: str) -> None: ...


# ------------------------------------------------------------------ compiling


@given(dags())
def test_the_order_puts_each_after_what_it_depends_on(edges: Edges) -> None:
    graph = graph_of(edges)
    assert sorted(graph.order) == sorted(name for name, _ in edges)
    for name, parents in edges:
        assert list(graph.parents[name]) == parents
        assert all(graph.order.index(parent) < graph.order.index(name) for parent in parents)
        assert all(name in graph.children[parent] for parent in parents)
    assert set(graph.sinks) == {name for name, _ in edges} - {parent for _, parents in edges for parent in parents}


def test_the_order_keeps_that_of_the_definition_where_it_can() -> None:
    graph = graph_of([("z", []), ("b", ["a"]), ("y", []), ("a", [])])
    assert graph.order == ("z", "y", "a", "b")
    assert graph.sinks == ("z", "y", "b")
    assert graph.ancestors("b") == {"a"}


@pytest.mark.parametrize(
    ("edges", "said"),
    [
        ([], "at least one node"),
        ([("a", []), ("a", [])], "node id 'a' is used twice"),
        ([("a", ["x"])], "node 'a' depends on 'x', which does not exist"),
        ([("a", ["a"])], "circle: a -> a"),
        ([("d", ["c"]), ("a", ["c"]), ("b", ["a"]), ("c", ["b"])], "circle: a -> b -> c -> a"),
    ],
)
def test_a_graph_that_cannot_run_says_why(edges: Edges, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        graph_of(edges)


def test_networkx_waits_for_the_first_graph() -> None:
    code = (
        "import sys; from promptrails_engine.run.graph import compile_graph\n"
        "assert 'networkx' not in sys.modules\n"
        "compile_graph([('a', [])], 'node'); assert 'networkx' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------ running


class Gates:
    """Nodes that begin when the scheduler says so and end when the test says so."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.open: dict[str, asyncio.Future[None]] = {}

    async def __call__(self, name: str) -> None:
        self.begun.append(name)
        self.open[name] = asyncio.get_running_loop().create_future()
        await self.open[name]
        self.ended.append(name)

    def release(self, name: str) -> None:
        self.open.pop(name).set_result(None)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(12):
        await asyncio.sleep(0)


@settings(max_examples=60, deadline=None)
@given(dags(), st.integers(0, 2**32))
async def test_all_that_can_run_runs_at_once_in_any_interleaving(edges: Edges, seed: int) -> None:
    choose = Random(seed).choice
    graph = graph_of(edges)
    gates = Gates()
    running = asyncio.ensure_future(run_graph(graph, gates))
    for _ in edges:
        await settle()
        ready = {name for name, parents in edges if set(parents) <= set(gates.ended)}
        assert set(gates.begun) == ready
        assert set(gates.open) == ready - set(gates.ended)
        gates.release(choose(sorted(gates.open)))
    assert (await running).states == dict.fromkeys(graph.order, "done")
    assert len(gates.begun) == len(edges)


def expected(graph: Graph, acts: dict[str, str], joins: dict[str, Join]) -> dict[str, str]:
    """The states of a settled run, worked out node by node."""
    states: dict[str, str] = {}
    for name in graph.order:
        before = [states[parent] for parent in graph.parents[name]]
        join = joins.get(name, "any")
        if join != "always" and {"failed", "blocked"} & set(before):
            states[name] = "blocked"
        elif (join == "any" and before and set(before) == {"skipped"}) or (join == "all" and "skipped" in before):
            states[name] = "skipped"
        else:
            states[name] = {"run": "done", "skip": "skipped", "fail": "failed"}[acts[name]]
    return states


@settings(max_examples=120, deadline=None)
@given(dags(), st.data())
async def test_every_node_runs_once_or_is_passed_over_for_a_reason(edges: Edges, data: st.DataObject) -> None:
    graph = graph_of(edges)
    acts = {name: data.draw(st.sampled_from(["run", "run", "skip", "fail"])) for name in graph.order}
    joins = {name: data.draw(st.sampled_from(["any", "all", "always"])) for name in graph.order}
    turns = {name: data.draw(st.integers(0, 4)) for name in graph.order}
    begun: list[str] = []
    heard: dict[str, str] = {}

    async def act(name: str) -> str | None:
        begun.append(name)
        for _ in range(turns[name]):
            await asyncio.sleep(0)
        if acts[name] == "fail":
            raise ValueError(name)
        return "not wanted" if acts[name] == "skip" else None

    result = await run_graph(graph, act, policy="settle", joins=joins, passed_over=heard.__setitem__)
    states = expected(graph, acts, joins)
    assert result.states == states
    assert list(result.states) == list(graph.order)
    ran = {name for name, state in states.items() if state in ("done", "failed")}
    assert sorted(begun) == sorted(set(begun))
    assert set(begun) == ran | {name for name, why in result.reasons.items() if why == "not wanted"}
    assert set(result.reasons) == {name for name, state in states.items() if state in ("skipped", "blocked")}
    assert heard == {name: why for name, why in result.reasons.items() if why != "not wanted"}
    assert {name: str(error) for name, error in result.errors.items()} == {
        name: name for name, state in states.items() if state == "failed"
    }


async def test_reasons_name_what_stood_before() -> None:
    graph = graph_of([("a", []), ("b", []), ("c", ["a", "b"]), ("d", ["c"]), ("e", ["a"]), ("f", ["e"])])

    async def act(name: str) -> str | None:
        if name == "b":
            raise ValueError("b")
        return "no" if name == "a" else None

    result = await run_graph(graph, act, policy="settle")
    assert result.reasons == {
        "a": "no",
        "c": "it depends on 'b', which failed",
        "d": "it depends on 'c', which could not run",
        "e": "all that it depends on was skipped: a",
        "f": "all that it depends on was skipped: e",
    }


async def tasks_during(edges: Edges) -> int:
    """The most tasks alive while the graph runs, beside the test's own."""
    most = 0

    async def act(name: str) -> None:
        nonlocal most
        await asyncio.sleep(0)
        most = max(most, len(asyncio.all_tasks()) - 1)

    await run_graph(graph_of(edges), act)
    return most


async def test_a_line_of_nodes_is_no_task_of_its_own() -> None:
    assert await tasks_during([("a", []), ("b", ["a"]), ("c", ["b"])]) == 0
    assert await tasks_during([("a", []), ("b", ["a"]), ("c", ["a"]), ("d", ["b", "c"])]) == 1


# ------------------------------------------------------------------ endings


DIAMOND: Edges = [("a", []), ("b", ["a"]), ("c", ["a"]), ("d", ["b", "c"])]


def waiting(failing: str, error: BaseException, stopped: list[str]) -> Callable[[str], Awaitable[None]]:
    """Nodes of which one fails when the others are under way, and `b` and `c` else wait for ever."""

    async def act(name: str) -> None:
        if name == failing:
            await settle()
            raise error
        if name in "bc":
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append(name)

    return act


@pytest.mark.parametrize(("failing", "other"), [("b", "c"), ("c", "b")])
async def test_the_first_error_stops_the_rest_and_is_raised_as_it_is(failing: str, other: str) -> None:
    error, stopped = ValueError("no"), list[str]()
    with pytest.raises(ValueError, match="no") as caught:
        await run_graph(graph_of(DIAMOND), waiting(failing, error, stopped))
    assert caught.value is error
    assert stopped == [other]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    await asyncio.sleep(0)  # no cancellation is left behind


async def test_a_cancelled_graph_stops_everything_and_leaves_no_task() -> None:
    stopped: list[str] = []
    running = asyncio.ensure_future(run_graph(graph_of(DIAMOND), waiting("", ValueError(), stopped), policy="settle"))
    await settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(stopped) == ["b", "c"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_cancellation_that_a_node_swallows_still_ends_the_graph() -> None:
    begun: list[str] = []

    async def deaf(name: str) -> None:
        begun.append(name)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    running = asyncio.ensure_future(run_graph(graph_of(DIAMOND), deaf))
    await settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert begun == ["a"]


@pytest.mark.parametrize("policy", ["fail_fast", "settle"])
async def test_an_error_beside_a_cancellation_does_not_hide_it_nor_double_it(policy: Any) -> None:
    calm: list[bool] = []

    async def spiteful(name: str) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError(name) from None

    async def tidy() -> None:
        try:
            await run_graph(graph_of([("a", []), ("b", [])]), spiteful, policy=policy)
        finally:
            await asyncio.sleep(0)  # what was asked for once comes once
            calm.append(True)

    running = asyncio.ensure_future(tidy())
    await settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert calm == [True]


@pytest.mark.parametrize("failing", ["a", "b", "c"])
async def test_a_cancellation_that_nobody_asked_for_is_a_fault_of_the_node(failing: str) -> None:
    with pytest.raises(RunError, match=f"'{failing}' raised CancelledError, which nobody had asked for"):
        await run_graph(graph_of(DIAMOND), waiting(failing, asyncio.CancelledError(), []))


async def test_the_end_of_the_run_is_no_error_of_a_node() -> None:
    stopped: list[str] = []
    act = waiting("b", RunCancelledError("stop"), stopped)
    with pytest.raises(RunCancelledError):
        await run_graph(graph_of(DIAMOND), act, policy="settle")
    assert stopped == ["c"]


async def test_a_graph_runs_in_a_task_that_is_being_cancelled_already() -> None:
    """As clean-up does: the old cancellation is neither raised again nor taken away."""
    outcome: list[Any] = []

    async def clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            result: GraphRun = await run_graph(graph_of(DIAMOND), quiet)
            outcome.append(set(result.states.values()))
            try:
                await run_graph(graph_of(DIAMOND), waiting("c", ValueError("no"), []))
            except ValueError as error:
                outcome.append(str(error))
            await asyncio.sleep(0)
            task = asyncio.current_task()
            assert task is not None
            outcome.append(task.cancelling())

    running = asyncio.ensure_future(clean_up())
    await settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert outcome == [{"done"}, "no", 1]


async def test_a_branch_that_fails_after_the_first_has_ended_is_no_cancellation() -> None:
    async def node(name: str) -> None:
        for _ in range(5 if name == "b" else 0):
            await asyncio.sleep(0)
        if name == "b":
            raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        await run_graph(compile_graph([("a", ()), ("b", ()), ("c", ())], "node"), node)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


# ------------------------------------------------------------------ many of a kind


@given(st.integers(0, 12), st.integers(1, 5))
@settings(deadline=None)
async def test_only_so_many_run_at_once_and_all_do(count: int, at_once: int) -> None:
    running, most, begun = 0, 0, list[int]()

    async def one(index: int) -> None:
        nonlocal running, most
        begun.append(index)
        running += 1
        most = max(most, running)
        for _ in range(index % 3 + 1):
            await asyncio.sleep(0)
        running -= 1

    await run_each(count, at_once, one)
    assert begun == list(range(count))
    assert most == min(count, at_once)


async def test_none_at_all_is_done_at_once() -> None:
    await run_each(0, 3, asyncio.sleep)


async def test_the_first_error_ends_the_others() -> None:
    begun: list[int] = []

    async def one(index: int) -> None:
        begun.append(index)
        await asyncio.sleep(0)
        if index == 1:
            raise ValueError("one")
        await asyncio.Event().wait()

    with pytest.raises(ValueError, match="one"):
        await run_each(9, 3, one)
    assert begun == [0, 1, 2]
    assert asyncio.all_tasks() == {asyncio.current_task()}
