"""Cached answers and tool state in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, select

from promptrails_engine.store.codec import escape, index_key, load_json, unescape
from promptrails_engine.store.sql.statements import insert_into
from promptrails_engine.store.sql.tables import cache, state

MAX_CACHED = 10_000
"""Answers kept for one workspace; past it those that expire first go."""

C, T = cache.c, state.c


def cache_get(conn: Connection, workspace_id: str, key: str, now: float) -> dict[str, Any] | None:
    """The answer kept under `key`, unless it has expired at `now`."""
    chosen = and_(C.workspace_id == escape(workspace_id), C.cache_key == index_key(key), C.expires_at > now)
    found = conn.execute(select(C.value).where(chosen)).scalar()
    return None if found is None else load_json(found)


def cache_put(conn: Connection, workspace_id: str, key: str, value: str, expires_at: float) -> None:
    """Keep the JSON text `value`."""
    values = {"workspace_id": escape(workspace_id), "cache_key": index_key(key)}
    changed = {"value": value, "expires_at": expires_at}
    statement = insert_into(cache, conn.dialect.name).values(**values, **changed)
    conn.execute(statement.on_conflict_do_update(index_elements=[C.workspace_id, C.cache_key], set_=changed))


def cache_trim(conn: Connection, workspace_id: str) -> None:
    """Drop what is over the limit."""
    mine = C.workspace_id == escape(workspace_id)
    query = select(C.expires_at).where(mine).order_by(C.expires_at.desc()).offset(MAX_CACHED).limit(1)
    oldest = conn.execute(query).scalar()
    if oldest is not None:
        conn.execute(delete(cache).where(mine, C.expires_at <= oldest))


def state_list(conn: Connection, workspace_id: str, scope: str) -> dict[str, Any]:
    """All values of one scope, by key, in the order of the keys."""
    rows = conn.execute(select(T.key, T.value).where(_scope(workspace_id, scope)).order_by(T.key))
    return {unescape(row.key): load_json(row.value) for row in rows}


def state_get(conn: Connection, workspace_id: str, scope: str, key: str) -> Any:
    """The value, or None."""
    found = conn.execute(select(T.value).where(_scope(workspace_id, scope), T.key_key == index_key(key))).scalar()
    return None if found is None else load_json(found)


def state_set(conn: Connection, workspace_id: str, scope: str, key: str, value: str) -> None:
    """Keep the JSON text `value`."""
    values = {
        "workspace_id": escape(workspace_id),
        "scope_key": index_key(scope),
        "key_key": index_key(key),
        "key": escape(key),
    }
    statement = insert_into(state, conn.dialect.name).values(**values, value=value)
    conn.execute(
        statement.on_conflict_do_update(index_elements=[T.workspace_id, T.scope_key, T.key_key], set_={"value": value})
    )


def state_delete(conn: Connection, workspace_id: str, scope: str, key: str) -> bool:
    """Whether there was one."""
    chosen = and_(_scope(workspace_id, scope), T.key_key == index_key(key))
    return conn.execute(delete(state).where(chosen)).rowcount > 0


def _scope(workspace_id: str, scope: str) -> ColumnElement[bool]:
    return and_(T.workspace_id == escape(workspace_id), T.scope_key == index_key(scope))
