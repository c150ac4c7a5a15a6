"""What prompts and agents have in common: names, status, versions, and which one is current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from promptrails_engine.clock import Clock
from promptrails_engine.definitions.digest import content_digest
from promptrails_engine.errors import (
    ArchivedError,
    DefinitionError,
    NotFoundError,
    ValidationError,
    VersionMismatchError,
)
from promptrails_engine.ids import IdFactory
from promptrails_engine.models.registry import ModelRegistry
from promptrails_engine.ports.store import (
    DefinitionChanges,
    DefinitionKind,
    DefinitionRow,
    DefinitionStatus,
    Store,
    VersionRow,
)

_STATUSES: frozenset[str] = frozenset({"active", "archived"})
_NAME_LIMIT = 200


class CatalogContext(NamedTuple):
    """What a catalog works with."""

    store: Store
    workspace_id: str
    ids: IdFactory
    clock: Clock
    models: ModelRegistry


class Catalog:
    """Definitions of one kind in one workspace."""

    kind: DefinitionKind

    def __init__(self, context: CatalogContext) -> None:
        self._store = context.store
        self._workspace_id = context.workspace_id
        self._ids = context.ids
        self._clock = context.clock

    async def row(self, ref: str) -> DefinitionRow:
        """The definition with this id or name, archived or not.

        Raises:
            NotFoundError: there is none, or it was deleted.
        """
        if not isinstance(ref, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValidationError(f"the id or name of {self._a} must be a string, not {type(ref).__name__}")
        row = await self._store.get_definition(self._workspace_id, self.kind, ref)
        if row is None or row.status == "deleted":
            raise NotFoundError(f"no {self.kind} with the id or name '{ref}'; {self.kind}s.list() shows what there is")
        return row

    async def any_row(self, definition_id: str) -> DefinitionRow:
        """The definition with this id, also where it was archived or deleted since a run began with it.

        Raises:
            NotFoundError: there is none.
        """
        row = await self._store.get_definition(self._workspace_id, self.kind, definition_id)
        if row is None or row.id != definition_id:
            raise NotFoundError(f"{self.kind} '{definition_id}' is not in this store; open the one where the run began")
        return row

    async def active_row(self, ref: str) -> DefinitionRow:
        """As `row`, for use in a run.

        Raises:
            ArchivedError: it is archived.
        """
        row = await self.row(ref)
        if row.status != "active":
            raise ArchivedError(
                f"{self.kind} '{row.name}' is archived and cannot run; restore it with {self.kind}s.restore('{row.id}')"
            )
        return row

    async def version_row(self, row: DefinitionRow, version_ref: str | None) -> VersionRow:
        """A version of `row` by id or label; its current version where none is named.

        Raises:
            NotFoundError: there is no such version, or none is current.
            VersionMismatchError: the version belongs to something else.
        """
        if version_ref is None:
            if row.current_version_id is None:
                raise NotFoundError(
                    f"{self.kind} '{row.name}' has no current version; create one with set_current=True or promote one"
                )
            version_ref = row.current_version_id
        found = await self._store.get_version(self._workspace_id, self.kind, version_ref)
        if found is not None:
            if found.definition_id != row.id:
                raise VersionMismatchError(
                    f"version '{version_ref}' is not a version of {self.kind} '{row.name}'; "
                    f"{self.kind}s.list_versions('{row.id}') shows what there is"
                )
            return found
        for version in await self._store.list_versions(self._workspace_id, self.kind, row.id):
            if version.version == version_ref:
                return version
        raise NotFoundError(
            f"{self.kind} '{row.name}' has no version '{version_ref}'; "
            f"{self.kind}s.list_versions('{row.id}') shows what there is"
        )

    async def pinned_version(self, row: DefinitionRow, version_id: str) -> VersionRow:
        """The version of `row` with exactly this id, with which a run began.

        Raises:
            NotFoundError: there is none.
        """
        found = await self._store.get_version(self._workspace_id, self.kind, version_id)
        if found is None or found.definition_id != row.id:
            raise NotFoundError(
                f"{self.kind} '{row.name}' has no version '{version_id}' in this store, with which the run began; "
                "open the store where it began, or start it anew"
            )
        return found

    async def version_rows(self, ref: str) -> tuple[DefinitionRow, list[VersionRow]]:
        """The definition and all its versions, newest first."""
        row = await self.row(ref)
        return row, await self._store.list_versions(self._workspace_id, self.kind, row.id)

    async def promote(self, ref: str, version_ref: str) -> tuple[DefinitionRow, VersionRow]:
        """Make a version the current one; an older one too, which is how to roll back."""
        row = await self.row(ref)
        version = await self.version_row(row, version_ref)
        return await self._change(row, DefinitionChanges(current_version_id=version.id)), version

    async def change(
        self,
        ref: str,
        *,
        name: str | None = None,
        description: str | None = None,
        labels: Sequence[str] | None = None,
        status: str | None = None,
    ) -> DefinitionRow:
        """Change what is not versioned."""
        row = await self.row(ref)
        changes = DefinitionChanges()
        if name is not None:
            changes.name = self._checked_name(name)
        if status is not None:
            if status not in _STATUSES:
                raise ValidationError(f"status must be active or archived, not {status!r}")
            changes.status = "archived" if status == "archived" else "active"
        if description is not None or labels is not None:
            data = dict(row.data)
            if description is not None:
                data["description"] = _text(description, "description")
            if labels is not None:
                data["labels"] = checked_labels(labels)
            changes.data = data
        return await self._change(row, changes)

    async def delete(self, ref: str) -> None:
        """Hide a definition for good; executions that used it keep their references."""
        await self._change(await self.row(ref), DefinitionChanges(status="deleted"))

    async def _change(self, row: DefinitionRow, changes: DefinitionChanges) -> DefinitionRow:
        changes.updated_at = self._clock.now()
        changed = await self._store.update_definition(self._workspace_id, self.kind, row.id, changes)
        if changed is None:
            raise NotFoundError(f"{self.kind} '{row.name}' has just been deleted")
        return changed

    def _new_row(self, name: str, type: str, data: dict[str, Any]) -> DefinitionRow:
        now = self._clock.now()
        status: DefinitionStatus = "active"
        name = self._checked_name(name)
        return DefinitionRow(
            self.kind, self._ids.record(), self._workspace_id, name, type, status, None, data, now, now
        )

    def _new_version(
        self, definition_id: str, content: Mapping[str, Any], label: str | None, message: str, count: int
    ) -> VersionRow:
        label = f"v{count + 1}" if label is None else label
        if not _text(label, "version").strip():
            raise DefinitionError("a version's label must not be empty")
        return VersionRow(
            self.kind,
            self._ids.record(),
            definition_id,
            self._workspace_id,
            label,
            content_digest(content),
            _text(message, "message"),
            dict(content),
            self._clock.now(),
        )

    async def _add_version(
        self,
        row: DefinitionRow,
        content: Mapping[str, Any],
        label: str | None,
        message: str,
        set_current: bool,
        after: str | None = None,
    ) -> VersionRow:
        existing = await self._store.list_versions(self._workspace_id, self.kind, row.id)
        count = len(existing)
        if label is None:
            taken = {version.version for version in existing}
            while f"v{count + 1}" in taken:
                count += 1
        version = self._new_version(row.id, content, label, message, count)
        await self._store.insert_version(version, make_current=set_current, after=after)
        return version

    def _checked_name(self, name: str) -> str:
        name = _text(name, "name")
        if not name.strip() or len(name) > _NAME_LIMIT:
            raise DefinitionError(f"the name of {self._a} must have 1 to {_NAME_LIMIT} characters")
        return name

    @property
    def _a(self) -> str:
        return f"an {self.kind}" if self.kind[0] in "aeiou" else f"a {self.kind}"


def checked_labels(labels: Sequence[str]) -> list[str]:
    """The labels as a list.

    Raises:
        DefinitionError: one is not a string, or they are one string.
    """
    if isinstance(labels, str):
        raise DefinitionError("labels must be a list of strings, not one string")
    return [_text(label, "label") for label in labels]


def _text(value: str, what: str) -> str:
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise DefinitionError(f"{what} must be a string, not {type(value).__name__}")
    return value
