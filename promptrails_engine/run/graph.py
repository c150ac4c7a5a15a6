"""Graphs of named nodes: compiled once for a version, run once for each execution.

The scheduler makes a task only where nodes really run at once: of the nodes that become ready together the first goes
on in the task of the one they waited for, so a line of nodes costs no task at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from promptrails_engine import run
from promptrails_engine.definitions.configs import FailurePolicy
from promptrails_engine.definitions.graph_nodes import Join
from promptrails_engine.errors import (
    ApprovalRejectedError,
    DefinitionError,
    FencedError,
    JournalError,
    RunCancelledError,
    RunError,
    RunTimeoutError,
)
from promptrails_engine.run.parking import Parked, all_parked

NodeState = Literal["done", "skipped", "failed", "blocked"]
"""done: it ran.  skipped: it was not meant to.  failed: it raised.  blocked: something before it failed."""

RunNode = Callable[[str], Awaitable[str | None]]
"""Runs one node; None says that it is done, a text that it was skipped, and why."""

_NO_JOINS: Mapping[str, Join] = {}
_STOPPERS = (RunCancelledError, RunTimeoutError, FencedError, JournalError, ApprovalRejectedError)
"""The end of the run itself: no policy goes on after these."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A directed acyclic graph; everything in it is in a stable order."""

    order: tuple[str, ...]
    """All names, each after all that it depends on."""
    parents: Mapping[str, tuple[str, ...]]
    """What each depends on, in the order of its mention."""
    children: Mapping[str, tuple[str, ...]]
    """What depends on each, in `order`."""
    sinks: tuple[str, ...]
    """Those on which nothing depends."""

    def ancestors(self, name: str) -> frozenset[str]:
        """All that `name` depends on, near or far."""
        found: set[str] = set()
        todo = list(self.parents[name])
        while todo:
            parent = todo.pop()
            if parent not in found:
                found.add(parent)
                todo.extend(self.parents[parent])
        return frozenset(found)


def compile_graph(edges: Sequence[tuple[str, Sequence[str]]], what: str) -> Graph:
    """The graph of names and of what each depends on; `what` is the noun for them in messages.

    Raises:
        DefinitionError: there are none, a name comes twice or is unknown, or they depend on each other in a circle.
    """
    parents: dict[str, tuple[str, ...]] = {}
    for name, before in edges:
        if name in parents:
            raise DefinitionError(f"{what} id '{name}' is used twice")
        parents[name] = tuple(dict.fromkeys(before))
    for name, before in parents.items():
        for parent in before:
            if parent not in parents:
                raise DefinitionError(f"{what} '{name}' depends on '{parent}', which does not exist")
    if not parents:
        raise DefinitionError(f"a graph needs at least one {what}")
    order = run.topological_order(parents, what)
    children: dict[str, list[str]] = {name: [] for name in order}
    for name in order:
        for parent in parents[name]:
            children[parent].append(name)
    return Graph(
        order,
        {name: parents[name] for name in order},
        {name: tuple(after) for name, after in children.items()},
        tuple(name for name in order if not children[name]),
    )


@dataclass(slots=True)
class GraphRun:
    """What became of each node, in the graph's order."""

    states: dict[str, NodeState] = field(default_factory=dict[str, NodeState])
    reasons: dict[str, str] = field(default_factory=dict[str, str])
    """Why the skipped and the blocked ones did not run."""
    errors: dict[str, Exception] = field(default_factory=dict[str, Exception])
    """Of those that failed; empty under fail_fast, which raises."""


async def run_graph(
    graph: Graph,
    run_node: RunNode,
    *,
    policy: FailurePolicy = "fail_fast",
    joins: Mapping[str, Join] = _NO_JOINS,
    passed_over: Callable[[str, str], None] | None = None,
) -> GraphRun:
    """Run every node once all that it depends on is over, or pass it over for a stated reason.

    A node with a failed or blocked parent is blocked, one with skipped parents runs as its entry in `joins` says ("any"
    without one); with "always" it runs after both.  `passed_over` hears the name and the reason of each node that this
    function decides not to run.  When it returns or raises, no task of its own is left.

    Raises:
        RunCancelledError, RunTimeoutError, FencedError, ApprovalRejectedError: a node raised it: the run is over,
            whatever the policy.
        Parked: a node waits for a decision, and all that does not depend on it is over.
        Exception: under fail_fast, the first that a node raised.
    """
    task = asyncio.current_task()
    scheduler = _Scheduler(graph, run_node, policy, joins, passed_over)
    if task is None or task.cancelling():
        # The task owes a cancellation to somebody already, which a task group could not tell from its own.
        return await asyncio.ensure_future(scheduler.run())
    return await scheduler.run()


class _Scheduler:
    """One run of a graph."""

    __slots__ = (
        "_first",
        "_graph",
        "_group",
        "_joins",
        "_parked",
        "_passed_over",
        "_policy",
        "_result",
        "_run_node",
        "_tasks",
        "_waiting",
    )

    def __init__(
        self,
        graph: Graph,
        run_node: RunNode,
        policy: FailurePolicy,
        joins: Mapping[str, Join],
        passed_over: Callable[[str, str], None] | None,
    ) -> None:
        self._graph = graph
        self._run_node = run_node
        self._policy = policy
        self._joins = joins
        self._passed_over = passed_over
        self._waiting = {name: len(parents) for name, parents in graph.parents.items()}
        self._result = GraphRun()
        self._first: Exception | None = None
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []
        self._parked: list[Parked] = []

    async def run(self) -> GraphRun:
        roots = [name for name in self._graph.order if not self._waiting[name]]
        try:
            async with self._group:
                await self._line(roots)
                # A task that fails while the group is being left has Python 3.11 cancel this one for good.
                while left := [task for task in self._tasks if not task.done()]:
                    await asyncio.wait(left)
                if any(not task.cancelled() and task.exception() for task in self._tasks):
                    await asyncio.sleep(0)  # the same, where it has failed and the group does not know it yet
        except (BaseExceptionGroup, Exception, asyncio.CancelledError) as failure:
            await self._judge(failure)
        if self._parked:
            raise all_parked(self._parked)
        found = self._result
        order = self._graph.order
        return GraphRun(
            {name: found.states[name] for name in order},
            {name: found.reasons[name] for name in order if name in found.reasons},
            {name: found.errors[name] for name in order if name in found.errors},
        )

    async def _judge(self, failure: BaseException) -> NoReturn:
        """Raise what the end came from: a cancellation from outside before an error, an error before its echoes."""
        if _asked_to_stop():
            if isinstance(failure, asyncio.CancelledError):
                raise failure
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # from Python 3.13 on, the group asks once more for what it did not raise
            raise asyncio.CancelledError from None
        if self._first is not None:
            raise self._first from None
        raise failure

    async def _line(self, ready: list[str]) -> None:
        """Run the first of the names and what follows from it; the others in tasks of their own."""
        while ready:
            for other in ready[1:]:
                self._tasks.append(self._group.create_task(self._line([other])))
            try:
                await self._node(ready[0])
            except Parked as stop:  # what depends on it waits with it; the others go on to their end
                self._parked.append(stop)
                return
            ready = self._released(ready[0])

    async def _node(self, name: str) -> None:
        error: Exception | None = None
        why = None
        try:
            why = await self._run_node(name)
        except asyncio.CancelledError:
            if _asked_to_stop():
                raise
            error = RunError(f"'{name}' raised CancelledError, which nobody had asked for")
        except Exception as exc:
            error = exc
        if error is not None and (self._policy == "fail_fast" or isinstance(error, _STOPPERS)):
            if self._first is None:
                self._first = error
            raise error
        if _asked_to_stop():
            raise asyncio.CancelledError  # the node has swallowed the one that it got
        if error is not None:
            self._result.states[name] = "failed"
            self._result.errors[name] = error
        elif why is not None:
            self._result.states[name] = "skipped"
            self._result.reasons[name] = why
        else:
            self._result.states[name] = "done"

    def _released(self, name: str) -> list[str]:
        """The nodes that can run now that `name` is over; those that need not are passed over, with what follows."""
        ready: list[str] = []
        over = [name]
        while over:
            for child in self._graph.children[over.pop()]:
                self._waiting[child] -= 1
                if self._waiting[child]:
                    continue
                verdict = self._verdict(child)
                if verdict is None:
                    ready.append(child)
                    continue
                self._result.states[child], self._result.reasons[child] = verdict
                if self._passed_over is not None:
                    self._passed_over(child, verdict[1])
                over.append(child)
        return ready

    def _verdict(self, name: str) -> tuple[NodeState, str] | None:
        """None for a node that is to run, else its state and the reason."""
        join = self._joins.get(name, "any")
        if join == "always":
            return None
        states = self._result.states
        parents = self._graph.parents[name]
        for parent in parents:
            if states[parent] == "failed":
                return "blocked", f"it depends on '{parent}', which failed"
            if states[parent] == "blocked":
                return "blocked", f"it depends on '{parent}', which could not run"
        skipped = [parent for parent in parents if states[parent] == "skipped"]
        if len(skipped) == len(parents):
            return "skipped", f"all that it depends on was skipped: {', '.join(skipped)}"
        if skipped and join == "all":
            return "skipped", f"its join is 'all', and skipped was: {', '.join(skipped)}"
        return None


async def run_each(count: int, at_once: int, run_one: Callable[[int], Awaitable[None]]) -> None:
    """Run `run_one` for every number below `count`, so many at once; the first error stops the rest and is raised.

    The numbers are begun in their order; no task is left when it returns or raises.

    Raises:
        Parked: some wait for a decision, and all others are over.
    """
    left = iter(range(count))
    parked: list[Parked] = []

    async def work(_: str) -> None:
        for index in left:
            try:
                await run_one(index)
            except Parked as stop:
                parked.append(stop)

    lanes = tuple(f"lane {number}" for number in range(min(count, at_once)))
    alone: dict[str, tuple[str, ...]] = dict.fromkeys(lanes, ())
    await run_graph(Graph(lanes, alone, alone, lanes), work)
    if parked:
        raise all_parked(parked)


def _asked_to_stop() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
