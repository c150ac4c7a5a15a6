"""Who runs what in memory: leases, executions that have an owner, and those that wait for one."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush, nsmallest
from operator import itemgetter

from promptrails_engine.store.memory_run import Run

_Place = tuple[float, str]
"""In the queue of an agent: when it was created, and its id."""


class Owners:
    """Executions that a process may take up from another; the others are not known here."""

    def __init__(self) -> None:
        self._leases: dict[str, float] = {}
        self._owned: dict[str, dict[tuple[str, str], Run]] = {}
        self._waiting: dict[tuple[str, str], Run] = {}
        self._queues: dict[str, dict[str, list[_Place]]] = {}
        """By workspace and agent; who waits no more is passed over when its turn comes."""

    # ------------------------------------------------------------------ leases

    def renew(self, owner: str, seconds: float) -> None:
        """Make or renew a lease."""
        self._leases[owner] = time.time() + seconds

    def end(self, owner: str) -> None:
        """Let a lease lapse at once."""
        self._leases.pop(owner, None)

    def is_lapsed(self, owner: str) -> bool:
        """Whether the owner has no lease any more."""
        return self._leases.get(owner, 0.0) <= time.time()

    # ------------------------------------------------------------------ their executions

    def place(self, run: Run) -> None:
        """Enter an execution under its owner, or in its agent's queue if it waits for one."""
        row = run.row
        if run.status == "running":
            if run.owner is not None:
                self._owned.setdefault(run.owner, {})[row.workspace_id, row.id] = run
        elif run.status == "pending" and row.parent_execution_id is None:
            self._waiting[row.workspace_id, row.id] = run
            agents = self._queues.setdefault(row.workspace_id, {})
            heappush(agents.setdefault(row.agent_id, []), (row.created_at, row.id))

    def leave(self, run: Run) -> None:
        """Take an execution from its owner, or from its queue."""
        key = (run.row.workspace_id, run.row.id)
        self._waiting.pop(key, None)
        owned = None if run.owner is None else self._owned.get(run.owner)
        if run.owner is not None and owned is not None:
            owned.pop(key, None)
            if not owned:
                del self._owned[run.owner]

    def running(self, owner: str) -> list[Run]:
        """All that the owner runs."""
        return list(self._owned.get(owner, {}).values())

    def claimable(self, workspace_id: str, limit: int, *, lapsed: bool, order: Mapping[str, int]) -> list[Run]:
        """Roots that nobody runs: of each agent the oldest first, in turns; `order` is the agents' place in a turn."""
        queues: defaultdict[str, list[Run]] = defaultdict(list)
        agents = self._queues.get(workspace_id, {})
        for agent, queue in list(agents.items()):
            queues[agent] = self._first(workspace_id, queue, limit)
            if not queue:
                del agents[agent]
        for run in self._lapsed(workspace_id) if lapsed else ():
            queues[run.row.agent_id].append(run)
        turns = [
            (turn, order.get(agent, 0), _place(run), run)
            for agent, queue in queues.items()
            for turn, run in enumerate(sorted(queue, key=_place))
        ]
        return [run for *_turn, run in nsmallest(limit, turns, key=itemgetter(0, 1, 2))]

    def _first(self, workspace_id: str, queue: list[_Place], limit: int) -> list[Run]:
        """The first that still wait; they keep their places."""
        first: dict[_Place, Run] = {}
        while queue and len(first) < limit:
            place = heappop(queue)
            run = self._waiting.get((workspace_id, place[1]))
            if run is not None:
                first[place] = run
        for place in first:
            heappush(queue, place)
        return list(first.values())

    def _lapsed(self, workspace_id: str) -> Iterator[Run]:
        for owner, owned in self._owned.items():
            if self.is_lapsed(owner):
                for (workspace, _id), run in owned.items():
                    if workspace == workspace_id and run.row.parent_execution_id is None:
                        yield run


def _place(run: Run) -> _Place:
    return run.row.created_at, run.row.id
