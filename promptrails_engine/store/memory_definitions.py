"""Definitions and versions in memory."""

from __future__ import annotations

from dataclasses import replace

from promptrails_engine.errors import ConflictError, NotFoundError
from promptrails_engine.ports.store import DefinitionChanges, DefinitionKind, DefinitionRow, VersionRow
from promptrails_engine.store.payload import copy_json

Scope = tuple[str, DefinitionKind]
Key = tuple[str, DefinitionKind, str]


class Definitions:
    """Small, seldom changed and read through copies; a list is a scan of its workspace and kind."""

    def __init__(self) -> None:
        self._rows: dict[Scope, dict[str, DefinitionRow]] = {}
        self._names: dict[Key, str] = {}
        self._versions: dict[Key, VersionRow] = {}
        self._siblings: dict[Key, list[VersionRow]] = {}
        self._stamps: dict[str, int] = {}

    def insert(self, row: DefinitionRow, version: VersionRow | None) -> None:
        """Add a definition, and its first version with it."""
        scope = (row.workspace_id, row.kind)
        if row.id in self._rows.get(scope, {}):
            raise ConflictError(f"There is a {row.kind} with the id '{row.id}' already.")
        self._check_name(row.workspace_id, row.kind, row.name, row.id, live=row.status != "deleted")
        if version is not None:
            self._check_version(version)
        self._rows.setdefault(scope, {})[row.id] = _copied(row)
        self._index_name(row)
        if version is not None:
            self._add_version(version)
        self._bump(row.workspace_id)

    def get(self, workspace_id: str, kind: DefinitionKind, ref: str) -> DefinitionRow | None:
        """By id, else by the name of one that is not deleted."""
        rows = self._rows.get((workspace_id, kind), {})
        found = rows.get(ref) or rows.get(self._names.get((workspace_id, kind, ref), ""))
        return None if found is None else _copied(found)

    def matching(
        self, workspace_id: str, kind: DefinitionKind, type: str | None, name: str | None, status: str | None
    ) -> list[DefinitionRow]:
        """All that match, newest first; not copies."""
        part = None if name is None else name.casefold()

        def wanted(row: DefinitionRow) -> bool:
            if (row.status == "deleted") if status is None else (row.status != status):
                return False
            return (type is None or row.type == type) and (part is None or part in row.name.casefold())

        found = [row for row in self._rows.get((workspace_id, kind), {}).values() if wanted(row)]
        return sorted(found, key=lambda row: (row.created_at, row.id), reverse=True)

    def page(self, rows: list[DefinitionRow], offset: int, limit: int) -> list[DefinitionRow]:
        """Copies of one slice."""
        return [_copied(row) for row in rows[offset : offset + limit]]

    def update(
        self, workspace_id: str, kind: DefinitionKind, definition_id: str, changes: DefinitionChanges
    ) -> DefinitionRow | None:
        """The changed row, or None where there is none."""
        rows = self._rows.get((workspace_id, kind), {})
        row = rows.get(definition_id)
        if row is None:
            return None
        changed = replace(
            row,
            name=row.name if changes.name is None else changes.name,
            status=changes.status or row.status,
            data=row.data if changes.data is None else copy_json(changes.data),
            current_version_id=changes.current_version_id or row.current_version_id,
            updated_at=changes.updated_at or row.updated_at,
        )
        self._check_name(workspace_id, kind, changed.name, definition_id, live=changed.status != "deleted")
        self._names.pop((workspace_id, kind, row.name), None) if row.status != "deleted" else None
        rows[definition_id] = changed
        self._index_name(changed)
        self._bump(workspace_id)
        return _copied(changed)

    def insert_version(self, row: VersionRow, *, make_current: bool, after: str | None) -> None:
        """Add a version."""
        rows = self._rows.get((row.workspace_id, row.kind), {})
        definition = rows.get(row.definition_id)
        if definition is None:
            raise NotFoundError(f"There is no {row.kind} '{row.definition_id}' to add a version to.")
        if after is not None and definition.current_version_id != after:
            raise ConflictError(f"The version '{after}' is no longer the current one; read what is, and change that.")
        self._check_version(row)
        self._add_version(row)
        if make_current:
            rows[row.definition_id] = replace(definition, current_version_id=row.id, updated_at=row.created_at)
        self._bump(row.workspace_id)

    def get_version(self, workspace_id: str, kind: DefinitionKind, version_id: str) -> VersionRow | None:
        """The version, or None."""
        found = self._versions.get((workspace_id, kind, version_id))
        return None if found is None else replace(found, data=copy_json(found.data))

    def versions(self, workspace_id: str, kind: DefinitionKind, definition_id: str) -> list[VersionRow]:
        """Newest first."""
        rows = self._siblings.get((workspace_id, kind, definition_id), ())
        return [replace(row, data=copy_json(row.data)) for row in reversed(rows)]

    def stamp(self, workspace_id: str) -> int:
        """How often definitions of this workspace have changed."""
        return self._stamps.get(workspace_id, 0)

    def _check_name(self, workspace_id: str, kind: DefinitionKind, name: str, own_id: str, *, live: bool) -> None:
        if live and self._names.get((workspace_id, kind, name), own_id) != own_id:
            raise ConflictError(f"The name '{name}' is taken by another {kind}; choose another.")

    def _check_version(self, row: VersionRow) -> None:
        siblings = self._siblings.get((row.workspace_id, row.kind, row.definition_id), ())
        taken = any(other.version == row.version for other in siblings)
        if taken or (row.workspace_id, row.kind, row.id) in self._versions:
            raise ConflictError(
                f"The version '{row.version}' of this {row.kind} exists already; give it another label."
            )

    def _add_version(self, row: VersionRow) -> None:
        kept = replace(row, data=copy_json(row.data))
        self._versions[row.workspace_id, row.kind, row.id] = kept
        self._siblings.setdefault((row.workspace_id, row.kind, row.definition_id), []).append(kept)

    def _index_name(self, row: DefinitionRow) -> None:
        if row.status != "deleted":
            self._names[row.workspace_id, row.kind, row.name] = row.id

    def _bump(self, workspace_id: str) -> None:
        self._stamps[workspace_id] = self._stamps.get(workspace_id, 0) + 1


def _copied(row: DefinitionRow) -> DefinitionRow:
    return replace(row, data=copy_json(row.data))
