"""Leases, and who takes up which executions, in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import nsmallest
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Integer,
    Select,
    and_,
    bindparam,
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
from promptrails_engine.store.sql.clock import NOW
from promptrails_engine.store.sql.keys import BELOW, GOING_ON, ROOTS, TREES, WORKSPACE
from promptrails_engine.store.sql.rows import execution_row
from promptrails_engine.store.sql.statements import insert_into
from promptrails_engine.store.sql.tables import EXECUTION_ROW, STRING, executions, leases

E, L = executions.c, leases.c
SLACK = 32
"""So many more roots than wanted are looked at, since others may be taking the first."""
FORGET_S = 3600.0
"""The age of lapsed leases at which they are forgotten; an unknown one counts as lapsed."""

_OWNER = bindparam("of_owner", type_=STRING)
_MOST = bindparam("most", type_=Integer)
_RUNNING = E.status == literal_column("'running'")
_TOP = E.parent_execution_id.is_(None)
_WAITING = and_(E.status == literal_column("'pending'"), _TOP)
_OWNED = and_(_RUNNING, E.owner.is_not(None))
_DEAD = and_(_OWNED, not_(exists().where(L.owner == E.owner, L.until > NOW).correlate(executions)))
"""Those that run, and the lease of whose owner has lapsed or is unknown."""
_Place = tuple[float, str]
"""When an execution was created, and its id as it is stored."""


# -------------------------------------------------------------- leases


_UNTIL = NOW + bindparam("seconds", type_=Double)
_RENEW = update(leases).where(L.owner == _OWNER).values(until=_UNTIL)
_FORGET = delete(leases).where(L.until < NOW - bindparam("age", type_=Double))
_END = update(leases).where(L.owner == _OWNER).values(until=0.0)
_CANCEL_REQUESTS = select(E.id).where(E.owner == _OWNER, _RUNNING, E.cancel_requested_at.is_not(None))


@cache
def _new_lease(dialect_name: str) -> Any:
    new = insert_into(leases, dialect_name).values(owner=_OWNER, until=_UNTIL)
    return new.on_conflict_do_update(index_elements=[L.owner], set_={"until": new.excluded.until})


def renew_lease(conn: Connection, owner: str, seconds: float) -> None:
    """Make or renew a lease; the first time, forget those of processes that died long ago."""
    lease = {"of_owner": owner, "seconds": seconds}
    if conn.execute(_RENEW, lease).rowcount == 0:
        conn.execute(_FORGET, {"age": FORGET_S})
        conn.execute(_new_lease(conn.dialect.name), lease)


def end_lease(conn: Connection, owner: str) -> None:
    """Let a lease lapse at once."""
    conn.execute(_END, {"of_owner": owner})


def cancel_requests(conn: Connection, owner: str) -> list[str]:
    """Ids of the running executions of this owner that somebody wants cancelled."""
    return [unescape(found) for found in conn.execute(_CANCEL_REQUESTS, {"of_owner": escape(owner)}).scalars()]


# -------------------------------------------------------------- claims


_ANY_WAITING = select(E.id).where(WORKSPACE, _WAITING).limit(1)
_ANY_DEAD = select(E.id).where(WORKSPACE, _TOP, _DEAD).limit(1)


def are_any(conn: Connection, workspace_id: str, *, lapsed: bool) -> bool:
    """Whether there is something to claim: a look that takes no locks."""
    workspace = {"workspace": escape(workspace_id)}
    first = conn.execute(_ANY_WAITING, workspace).first()
    if first is None and lapsed:
        first = conn.execute(_ANY_DEAD, workspace).first()
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


_TAKE = (
    update(executions)
    .where(TREES, GOING_ON)
    .values(
        status="running",
        owner=_OWNER,
        attempt=E.attempt + case((E.id.in_(bindparam("dead", expanding=True)), 1), else_=0),
        started_at=func.coalesce(E.started_at, NOW),
    )
)
_CLAIMED = select(L.claimed).where(L.owner == _OWNER, L.claim == bindparam("token"))
_ROWS = select(*EXECUTION_ROW).where(TREES, GOING_ON)


@cache
def _note_claim(dialect_name: str) -> Any:
    new = insert_into(leases, dialect_name).values(
        owner=_OWNER, until=0.0, claim=bindparam("token"), claimed=bindparam("what")
    )
    noted = {"claim": new.excluded.claim, "claimed": new.excluded.claimed}
    return new.on_conflict_do_update(index_elements=[L.owner], set_=noted)


def claim(conn: Connection, workspace_id: str, owner: str, wanted: Wanted, token: str) -> Claims:
    """What the owner runs from now on; `token` names this call."""
    workspace = escape(workspace_id)
    taken = _take_roots(conn, workspace, wanted)
    members, busy = _take_members(conn, workspace, list(taken)) if taken else ([], set[str]())
    roots = [root for root in taken if root not in busy]
    if not roots:
        return Claims()
    dead = [root for root in roots if taken[root]] + members
    lease = {"of_owner": escape(owner)}
    conn.execute(_TAKE, lease | {"workspace": workspace, "roots": roots, "dead": dead})
    what = dump_json([[unescape(one) for one in part] for part in (roots, dead)])
    conn.execute(_note_claim(conn.dialect.name), lease | {"token": token, "what": what})
    return _claims(conn, workspace, roots, dead)


def claimed(conn: Connection, workspace_id: str, owner: str, token: str) -> Claims | None:
    """What this call has claimed in an attempt of unknown outcome, or None."""
    found = conn.execute(_CLAIMED, {"of_owner": escape(owner), "token": token}).scalar()
    if found is None:
        return None
    roots, dead = ([escape(one) for one in part] for part in load_json(found))
    return _claims(conn, escape(workspace_id), roots, dead)


def _claims(conn: Connection, workspace: str, roots: Sequence[str], dead: Sequence[str]) -> Claims:
    turns = {unescape(root): turn for turn, root in enumerate(roots)}
    rows = [execution_row(row) for row in conn.execute(_ROWS, {"workspace": workspace, "roots": roots})]

    def place(row: ExecutionRow) -> tuple[int, bool, float, str]:
        root = row.root_execution_id
        return turns[root or row.id], root is not None, row.created_at, row.id

    rows.sort(key=place)  # the database would take an index that gives the order, and read them all
    return Claims(rows, frozenset(unescape(one) for one in dead))


# By their key and nothing else: no statistics can lead to another index.  The rows are as they are once locked.
_LOCK_ROOTS = (
    select(E.id, E.status, E.parent_execution_id, _DEAD.label("dead"))
    .where(ROOTS)
    .with_for_update(skip_locked=True, of=executions)
)
_MEMBERS = select(E.id, E.root_execution_id).where(BELOW, GOING_ON)
_LOCK_MEMBERS = (
    select(E.id, E.root_execution_id, _DEAD.label("dead"))
    .where(BELOW, GOING_ON)
    .with_for_update(skip_locked=True, of=executions)
)


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
        locked = {row.id: row for row in conn.execute(_LOCK_ROOTS, {"workspace": workspace, "roots": part})}
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
    mine = {"workspace": workspace, "roots": roots}
    members = conn.execute(_MEMBERS, mine).all()
    if not members:
        return [], set()
    locked = {row.id: row for row in conn.execute(_LOCK_MEMBERS, mine)}
    busy = {member.root_execution_id for member in members if member.id not in locked}
    return [row.id for row in locked.values() if row.dead and row.root_execution_id not in busy], busy


def _firsts() -> Select[Any, Any, Any]:
    """Of each agent the first that waits: a step along the index for each agent, however many wait."""
    mine = and_(WORKSPACE, _WAITING)
    first = select(E.agent_id).where(mine).order_by(E.agent_id).limit(1).scalar_subquery()
    agents = select(first.label("agent_id")).cte("agents", recursive=True)
    after = select(E.agent_id).where(mine, E.agent_id > agents.c.agent_id).order_by(E.agent_id).limit(1)
    agents = agents.union_all(select(after.correlate(agents).scalar_subquery()).where(agents.c.agent_id.is_not(None)))

    def oldest(column: ColumnElement[Any]) -> Any:
        queue = select(column).where(mine, E.agent_id == agents.c.agent_id).order_by(E.created_at, E.id)
        return queue.limit(1).correlate(agents).scalar_subquery()

    return select(agents.c.agent_id, oldest(E.created_at), oldest(E.id)).where(agents.c.agent_id.is_not(None))


def _lapsed_first() -> Select[Any]:
    """Of each agent the oldest roots whose owner has died: one if there are so many agents, else so many."""
    turn = func.row_number().over(partition_by=E.agent_id, order_by=(E.created_at, E.id)).label("turn")
    ranked = select(E.agent_id, E.created_at, E.id, turn).where(WORKSPACE, _TOP, _DEAD).cte("ranked")
    agents = select(func.count()).select_from(ranked).where(ranked.c.turn == 1).scalar_subquery()
    return select(ranked).where(ranked.c.turn <= case((agents < _MOST, _MOST), else_=1))


_FIRSTS = _firsts()
_OLDEST = (
    select(E.created_at, E.id)
    .where(WORKSPACE, E.agent_id == bindparam("agent"), _WAITING)
    .order_by(E.created_at, E.id)
    .limit(_MOST)
)
_LAPSED = _lapsed_first()


def _candidates(conn: Connection, workspace: str, wanted: Wanted) -> list[str]:
    """Ids of roots that nobody runs, some more than wanted: of each agent the oldest first, in turns."""
    most = wanted.limit + len(wanted.exclude) + SLACK
    places: defaultdict[str, list[_Place]] = defaultdict(list)
    firsts = _first_of_agents(conn, workspace)
    if len(firsts) >= most:
        places.update({agent: [place] for agent, place in firsts.items()})
    else:
        for agent in firsts:
            found = conn.execute(_OLDEST, {"workspace": workspace, "agent": agent, "most": most})
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
    """Of each agent that has some waiting the oldest one."""
    firsts = conn.execute(_FIRSTS, {"workspace": workspace})
    return {agent: (created_at, oldest_id) for agent, created_at, oldest_id in firsts if oldest_id is not None}


def _lapsed(conn: Connection, workspace: str, most: int) -> list[tuple[str, _Place]]:
    first = conn.execute(_LAPSED, {"workspace": workspace, "most": most})
    return [(row.agent_id, (row.created_at, row.id)) for row in first]
