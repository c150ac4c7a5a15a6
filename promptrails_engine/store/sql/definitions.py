"""Definitions and versions in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Table, and_, bindparam, func, insert, select, update

from promptrails_engine.errors import ConflictError, NotFoundError
from promptrails_engine.ports.store import DefinitionChanges, DefinitionKind, DefinitionRow, VersionRow
from promptrails_engine.store.codec import dump_json, escape, index_key, load_json, unescape
from promptrails_engine.store.sql.statements import insert_into
from promptrails_engine.store.sql.tables import definitions, stamps, versions

D, V = definitions.c, versions.c
Values = dict[str, Any]
OFFSET, LIMIT = bindparam("offset", type_=Integer), bindparam("limit", type_=Integer)

_STAMP = select(stamps.c.stamp).where(stamps.c.workspace_id == bindparam("workspace"))
_VERSION = select(versions).where(
    V.workspace_id == bindparam("workspace"), V.kind == bindparam("kind"), V.id == bindparam("version")
)


def insert_definition(conn: Connection, values: Values, version: Values | None) -> int:
    """Add rows of `definition_values` and `version_values`; returns the workspace's new stamp."""
    conn.execute(insert(definitions), values)
    if version is not None:
        conn.execute(insert(versions), {**version, "seq": 1})
    return _bump(conn, values["workspace_id"])


def inserted(conn: Connection, row: DefinitionRow) -> int | None:
    """The stamp if exactly this definition is there already, which an attempt of unknown outcome then wrote."""
    found = get_definition(conn, row.workspace_id, row.kind, row.id)
    return None if found is None or found != row else stamp(conn, row.workspace_id)


def get_definition(conn: Connection, workspace_id: str, kind: DefinitionKind, ref: str) -> DefinitionRow | None:
    """By id, else by the name of one that is not deleted."""
    mine = _mine(definitions, workspace_id, kind)
    found = conn.execute(select(definitions).where(mine, D.id == escape(ref))).first()
    if found is None:
        named = and_(D.name_key == index_key(ref), D.status != "deleted")
        found = conn.execute(select(definitions).where(mine, named)).first()
    return None if found is None else _definition_row(found)


def list_definitions(
    conn: Connection,
    workspace_id: str,
    kind: DefinitionKind,
    *,
    offset: int,
    limit: int,
    type: str | None,
    name: str | None,
    status: str | None,
) -> tuple[list[DefinitionRow], int]:
    """One slice, newest first, and the count of all that match."""
    where = [_mine(definitions, workspace_id, kind), D.status != "deleted" if status is None else D.status == status]
    if type is not None:
        where.append(D.type == escape(type))
    if name is not None:
        where.append(contains(conn, D.name_folded, escape(name.casefold())))
    query = select(definitions).where(*where).order_by(D.created_at.desc(), D.id.desc())
    rows = conn.execute(query.offset(offset).limit(limit)).all()
    return [_definition_row(row) for row in rows], total(rows, offset, limit, lambda: count(conn, definitions, where))


def update_definition(
    conn: Connection, workspace_id: str, kind: DefinitionKind, definition_id: str, changes: DefinitionChanges
) -> tuple[DefinitionRow, int] | None:
    """The changed row with the workspace's new stamp, or None where there is none."""
    values = _changed_values(changes)
    chosen = and_(_mine(definitions, workspace_id, kind), D.id == escape(definition_id))
    if values and conn.execute(update(definitions).where(chosen).values(values)).rowcount == 0:
        return None
    found = conn.execute(select(definitions).where(chosen)).first()
    return None if found is None else (_definition_row(found), _bump(conn, escape(workspace_id)))


def insert_version(conn: Connection, values: Values, *, make_current: bool, after: str | None) -> int:
    """Add a row of `version_values`; returns the workspace's new stamp."""
    mine = and_(D.workspace_id == values["workspace_id"], D.kind == values["kind"], D.id == values["definition_id"])
    # The lock orders the versions of one definition; SQLite has one writer anyway.
    found = conn.execute(select(D.current_version_id).where(mine).with_for_update()).first()
    if found is None:
        kind, definition_id = values["kind"], unescape(values["definition_id"])
        raise NotFoundError(f"There is no {kind} '{definition_id}' to add a version to.")
    if after is not None and unescape(found.current_version_id or "") != after:
        raise ConflictError(f"The version '{after}' is no longer the current one; read what is, and change that.")
    siblings = [V[name] == values[name] for name in ("workspace_id", "kind", "definition_id")]
    last = conn.execute(select(func.max(V.seq)).where(*siblings)).scalar()
    conn.execute(insert(versions), {**values, "seq": (last or 0) + 1})
    if make_current:
        changed = {"current_version_id": values["id"], "updated_at": values["created_at"]}
        conn.execute(update(definitions).where(mine).values(changed))
    return _bump(conn, values["workspace_id"])


def version_inserted(conn: Connection, row: VersionRow) -> int | None:
    """The stamp if exactly this version is there already, which an attempt of unknown outcome then wrote."""
    found = get_version(conn, row.workspace_id, row.kind, row.id)
    return None if found is None or found != row else stamp(conn, row.workspace_id)


def get_version(conn: Connection, workspace_id: str, kind: DefinitionKind, version_id: str) -> VersionRow | None:
    """The version, or None."""
    chosen = {"workspace": escape(workspace_id), "kind": kind, "version": escape(version_id)}
    found = conn.execute(_VERSION, chosen).first()
    return None if found is None else _version_row(found)


def list_versions(conn: Connection, workspace_id: str, kind: DefinitionKind, definition_id: str) -> list[VersionRow]:
    """Newest first."""
    chosen = and_(_mine(versions, workspace_id, kind), V.definition_id == escape(definition_id))
    return [_version_row(row) for row in conn.execute(select(versions).where(chosen).order_by(V.seq.desc()))]


def stamp(conn: Connection, workspace_id: str) -> int:
    """How often definitions of this workspace have changed."""
    return conn.execute(_STAMP, {"workspace": escape(workspace_id)}).scalar() or 0


def _bump(conn: Connection, workspace_id: str) -> int:
    """The stamp, one higher; its row lock also orders the workspace's changes."""
    statement = insert_into(stamps, conn.dialect.name).values(workspace_id=workspace_id, stamp=1)
    conn.execute(
        statement.on_conflict_do_update(index_elements=[stamps.c.workspace_id], set_={"stamp": stamps.c.stamp + 1})
    )
    found: int = conn.execute(_STAMP, {"workspace": workspace_id}).scalar_one()
    return found


def contains(conn: Connection, column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Whether the text holds this part; no character in it is a wildcard, and any length will do."""
    find = func.instr if conn.dialect.name == "sqlite" else func.strpos
    return find(column, part) > 0


def count(conn: Connection, table: Table, where: Sequence[ColumnElement[bool]]) -> int:
    """How many rows match."""
    return conn.execute(select(func.count()).select_from(table).where(*where)).scalar_one()


def total(rows: Sequence[Any], offset: int, limit: int, count: Callable[[], int]) -> int:
    """How many there are in all, of which these rows are one slice; counted only where they do not say it."""
    is_last = len(rows) < limit and (len(rows) > 0 or offset == 0)
    return offset + len(rows) if is_last else count()


def _mine(table: Table, workspace_id: str, kind: DefinitionKind) -> ColumnElement[bool]:
    return and_(table.c.workspace_id == escape(workspace_id), table.c.kind == kind)


def definition_values(row: DefinitionRow) -> Values:
    """The columns of a definition."""
    return {
        "workspace_id": escape(row.workspace_id),
        "kind": row.kind,
        "id": escape(row.id),
        **_name_values(row.name),
        "type": escape(row.type),
        "status": row.status,
        "current_version_id": None if row.current_version_id is None else escape(row.current_version_id),
        "data": dump_json(row.data),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _name_values(name: str) -> dict[str, str]:
    return {"name": escape(name), "name_key": index_key(name), "name_folded": escape(name.casefold())}


def _changed_values(changes: DefinitionChanges) -> dict[str, Any]:
    values: dict[str, Any] = {} if changes.name is None else dict(_name_values(changes.name))
    if changes.status is not None:
        values["status"] = changes.status
    if changes.data is not None:
        values["data"] = dump_json(changes.data)
    if changes.current_version_id is not None:
        values["current_version_id"] = escape(changes.current_version_id)
    if changes.updated_at:
        values["updated_at"] = changes.updated_at
    return values


def version_values(row: VersionRow) -> Values:
    """The columns of a version, but for its place among its siblings."""
    return {
        "workspace_id": escape(row.workspace_id),
        "kind": row.kind,
        "id": escape(row.id),
        "definition_id": escape(row.definition_id),
        "version": escape(row.version),
        "version_key": index_key(row.version),
        "digest": escape(row.digest),
        "message": escape(row.message),
        "data": dump_json(row.data),
        "created_at": row.created_at,
    }


def _definition_row(row: Any) -> DefinitionRow:
    current = row.current_version_id
    return DefinitionRow(
        kind=row.kind,
        id=unescape(row.id),
        workspace_id=unescape(row.workspace_id),
        name=unescape(row.name),
        type=unescape(row.type),
        status=row.status,
        current_version_id=None if current is None else unescape(current),
        data=load_json(row.data),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _version_row(row: Any) -> VersionRow:
    return VersionRow(
        kind=row.kind,
        id=unescape(row.id),
        definition_id=unescape(row.definition_id),
        workspace_id=unescape(row.workspace_id),
        version=unescape(row.version),
        digest=unescape(row.digest),
        message=unescape(row.message),
        data=load_json(row.data),
        created_at=row.created_at,
    )
