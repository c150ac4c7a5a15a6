"""Leases, and who takes up which executions, in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    delete,
    exists,
    func,
    literal_column,
    not_,
    select,
    update,
)

from promptrails_engine.ports.journal import Claims
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.store.codec import dump_json, escape, load_json, unescape
from promptrails_engine.store.sql.clock import now
from promptrails_engine.store.sql.keys import below, going_on, tree
from promptrails_engine.store.sql.rows import execution_row
from promptrails_engine.store.sql.statements import insert_into
from promptrails_engine.store.sql.tables import EXECUTION_ROW, executions, leases

E, L = executions.c, leases.c
SLACK = 32
"""So many more roots than wanted are looked at, since others may be taking the first."""
FORGET_S = 3600.0
"""The age of lapsed leases at which they are forgotten; an unknown one counts as lapsed."""

_RUNNING = E.status == literal_column("'running'")
_ROOT = E.parent_execution_id.is_(None)
_WAITING = and_(E.status == literal_column("'pending'"), _ROOT)
_OWNED = and_(_RUNNING, E.owner.is_not(None))
_Place = tuple[float, str]
"""When an execution was created, and its id as it is stored."""


# -------------------------------------------------------------- leases


def renew_lease(conn: Connection, owner: str, seconds: float) -> None:
    """Make or renew a lease; the first time, forget those of processes that died long ago."""
    clock = now(conn)
    until = {"until": clock + seconds}
    if conn.execute(update(leases).where(L.owner == owner).values(until)).rowcount == 0:
        conn.execute(delete(leases).where(L.until < clock - FORGET_S))
        _put_lease(conn, {"owner": owner, **until}, until)


def end_lease(conn: Connection, owner: str) -> None:
    """Let a lease lapse at once."""
    conn.execute(update(leases).where(L.owner == owner).values(until=0.0))


def _put_lease(conn: Connection, values: dict[str, Any], changed: dict[str, Any]) -> None:
    new = insert_into(leases, conn.dialect.name).values(values)
    conn.execute(new.on_conflict_do_update(index_elements=[L.owner], set_=changed))


def cancel_requests(conn: Connection, owner: str) -> list[str]:
    """Ids of the running executions of this owner that somebody wants cancelled."""
    wanted = and_(E.owner == escape(owner), _RUNNING, E.cancel_requested_at.is_not(None))
    return [unescape(found) for found in conn.execute(select(E.id).where(wanted)).scalars()]


def _is_dead(conn: Connection) -> ColumnElement[bool]:
    """Whether it runs, and the lease of its owner has lapsed or is unknown."""
    alive = exists().where(L.owner == E.owner, L.until > now(conn)).correlate(executions)
    return and_(_OWNED, not_(alive))


# -------------------------------------------------------------- claims


def are_any(conn: Connection, workspace_id: str, *, lapsed: bool) -> bool:
    """Whether there is something to claim: a look that takes no locks."""
    workspace = escape(workspace_id)
    first = conn.execute(select(E.id).where(E.workspace_id == workspace, _WAITING).limit(1)).first()
    if first is None and lapsed:
        first = conn.execute(select(E.id).where(E.workspace_id == workspace, _ROOT, _is_dead(conn)).limit(1)).first()
    return first is not None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to run."""

    limit: int
    lapsed: bool
    only: str | None
    exclude: frozenset[str]
    """Ids as they are stored."""
    order: Mapping[str, int]
    """The place in a turn of agents that are not among the first, by id as it is stored."""


def claim(conn: Connection, workspace_id: str, owner: str, wanted: Wanted, token: str) -> Claims:
    """What the owner runs from now on; `token` names this call."""
    workspace = escape(workspace_id)
    taken = _take_roots(conn, workspace, wanted)
    members, busy = _take_members(conn, workspace, list(taken)) if taken else ([], set[str]())
    roots = [root for root in taken if root not in busy]
    if not roots:
        return Claims()
    dead = [root for root in roots if taken[root]] + members
    grown = case((E.id.in_(dead), E.attempt + 1), else_=E.attempt) if dead else E.attempt
    started = func.coalesce(E.started_at, now(conn))
    values = {"status": "running", "owner": escape(owner), "attempt": grown, "started_at": started}
    conn.execute(update(executions).where(tree(workspace, roots), going_on()).values(values))
    claimed = {"claim": token, "claimed": dump_json([[unescape(one) for one in part] for part in (roots, dead)])}
    _put_lease(conn, {"owner": escape(owner), "until": 0.0, **claimed}, claimed)
    return _claims(conn, workspace, roots, dead)


def claimed(conn: Connection, workspace_id: str, owner: str, token: str) -> Claims | None:
    """What this call has claimed in an attempt of unknown outcome, or None."""
    mine = and_(L.owner == escape(owner), L.claim == token)
    found = conn.execute(select(L.claimed).where(mine)).scalar()
    if found is None:
        return None
    roots, dead = ([escape(one) for one in part] for part in load_json(found))
    return _claims(conn, escape(workspace_id), roots, dead)


def _claims(conn: Connection, workspace: str, roots: Sequence[str], dead: Sequence[str]) -> Claims:
    turns = {unescape(root): turn for turn, root in enumerate(roots)}
    query = select(*EXECUTION_ROW).where(tree(workspace, roots), going_on())
    rows = [execution_row(row) for row in conn.execute(query)]

    def place(row: ExecutionRow) -> tuple[int, bool, float, str]:
        root = row.root_execution_id
        return turns[root or row.id], root is not None, row.created_at, row.id

    rows.sort(key=place)  # the database would take an index that gives the order, and read them all
    return Claims(rows, frozenset(unescape(one) for one in dead))


def _take_roots(conn: Connection, workspace: str, wanted: Wanted) -> dict[str, bool]:
    """Up to `limit` roots, locked, in turns between agents; and whether their owner has died."""
    limit = wanted.limit
    if wanted.only is None:
        candidates = [one for one in _candidates(conn, workspace, wanted) if one not in wanted.exclude]
    else:
        candidates = [escape(wanted.only)]
    taken: dict[str, bool] = {}
    while candidates and len(taken) < limit:
        part, candidates = candidates[: limit - len(taken)], candidates[limit - len(taken) :]
        # By their key and nothing else: no statistics can lead to another index.  The rows are as they are once locked.
        columns = (E.id, E.status, E.parent_execution_id, _is_dead(conn).label("dead"))
        query = select(*columns).where(E.workspace_id == workspace, E.id.in_(part))
        locked = {row.id: row for row in conn.execute(query.with_for_update(skip_locked=True, of=executions))}
        for one in part:
            row = locked.get(one)
            if (
                row is not None
                and row.parent_execution_id is None
                and (row.status == "pending" or (wanted.lapsed and row.dead))
            ):
                taken[one] = bool(row.dead)
    return taken


def _take_members(conn: Connection, workspace: str, roots: Sequence[str]) -> tuple[list[str], set[str]]:
    """Lock what is below the roots: those whose owner has died; and the roots of which somebody has locked a part.

    The latter have to be left: a claim waits for nobody, who in turn might wait for it.
    """
    mine = and_(below(workspace, roots), going_on())
    members = conn.execute(select(E.id, E.root_execution_id).where(mine)).all()
    if not members:
        return [], set()
    query = select(E.id, E.root_execution_id, _is_dead(conn).label("dead")).where(mine)
    locked = {row.id: row for row in conn.execute(query.with_for_update(skip_locked=True, of=executions))}
    busy = {member.root_execution_id for member in members if member.id not in locked}
    return [row.id for row in locked.values() if row.dead and row.root_execution_id not in busy], busy


def _candidates(conn: Connection, workspace: str, wanted: Wanted) -> list[str]:
    """Ids of roots that nobody runs, some more than wanted: of each agent the oldest first, in turns."""
    most = wanted.limit + len(wanted.exclude) + SLACK
    places: defaultdict[str, list[_Place]] = defaultdict(list)
    firsts = _first_of_agents(conn, workspace)
    if len(firsts) >= most:
        places.update({agent: [place] for agent, place in firsts.items()})
    else:
        for agent in firsts:
            oldest = select(E.created_at, E.id).where(E.workspace_id == workspace, E.agent_id == agent, _WAITING)
            found = conn.execute(oldest.order_by(E.created_at, E.id).limit(most))
            places[agent] = [(row.created_at, row.id) for row in found]
    if wanted.lapsed:
        for agent, place in _lapsed(conn, workspace, most):
            places[agent].append(place)
    turns = [
        (turn, wanted.order.get(agent, 0), place)
        for agent, queue in places.items()
        for turn, place in enumerate(sorted(queue))
    ]
    return [place[1] for _turn, _order, place in nsmallest(most, turns)]


def _first_of_agents(conn: Connection, workspace: str) -> dict[str, _Place]:
    """Of each agent that has some waiting the oldest one: a step along the index for each agent, however many wait."""
    mine = and_(E.workspace_id == workspace, _WAITING)
    first = select(E.agent_id).where(mine).order_by(E.agent_id).limit(1).scalar_subquery()
    agents = select(first.label("agent_id")).cte("agents", recursive=True)
    after = select(E.agent_id).where(mine, E.agent_id > agents.c.agent_id).order_by(E.agent_id).limit(1)
    agents = agents.union_all(select(after.correlate(agents).scalar_subquery()).where(agents.c.agent_id.is_not(None)))

    def oldest(column: ColumnElement[Any]) -> Any:
        queue = select(column).where(mine, E.agent_id == agents.c.agent_id).order_by(E.created_at, E.id)
        return queue.limit(1).correlate(agents).scalar_subquery()

    query = select(agents.c.agent_id, oldest(E.created_at), oldest(E.id)).where(agents.c.agent_id.is_not(None))
    return {
        agent: (created_at, oldest_id) for agent, created_at, oldest_id in conn.execute(query) if oldest_id is not None
    }


def _lapsed(conn: Connection, workspace: str, most: int) -> list[tuple[str, _Place]]:
    """Of each agent the oldest roots whose owner has died: one if there are so many agents, else so many."""
    turn = func.row_number().over(partition_by=E.agent_id, order_by=(E.created_at, E.id)).label("turn")
    dead = and_(E.workspace_id == workspace, _ROOT, _is_dead(conn))
    ranked = select(E.agent_id, E.created_at, E.id, turn).where(dead).cte("ranked")
    agents = select(func.count()).select_from(ranked).where(ranked.c.turn == 1).scalar_subquery()
    first = select(ranked).where(ranked.c.turn <= case((agents < most, most), else_=1))
    return [(row.agent_id, (row.created_at, row.id)) for row in conn.execute(first)]
