"""When file and store last agreed: the base of every three-way comparison.

It is kept twice.  The folder's record (`.promptrails-sync.json`) says what this checkout has seen; ids of definitions
are unique to a store, so one folder may serve several.  The store's own says what was last synchronised from anywhere;
it serves folders without a record, such as a fresh checkout or a read-only one.  The folder's comes first.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from promptrails_engine.catalog.base import CatalogContext
from promptrails_engine.errors import DefinitionError

STATE_FILE = ".promptrails-sync.json"
_SCOPE = "definition-files"
_VERSION = 1
_KEPT_PER_NAME = 8
_MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Agreement:
    """One definition at the moment when its file and the store were last brought together.

    Attributes:
        file: digest of the content as the file said it.
        content: digest of the same content in the store's terms.
        current: digest of the current version, which is another one where the content was stored without promotion.
    """

    id: str
    kind: str
    name: str
    file: str
    content: str
    current: str
    description: str
    labels: list[str]


class FolderMemory:
    """Agreements of one folder with one store."""

    def __init__(self, root: Path, context: CatalogContext, here: Mapping[str, Agreement], there: Mapping[str, Any]):
        self._root, self._context = root, context
        self._here, self._there = dict(here), dict(there)
        self._names: dict[tuple[str, str], set[str]] = {}
        for agreement in filter(None, map(_agreement, there.values())):
            self._index(agreement)
        self._changed = False

    @classmethod
    async def open(cls, root: Path, context: CatalogContext) -> FolderMemory:
        """The agreements that are on record.

        Raises:
            DefinitionError: the folder's record is damaged.
        """
        here = await asyncio.to_thread(_read, root / STATE_FILE)
        there = await context.store.state_list(context.workspace_id, _SCOPE)
        return cls(root, context, here, there)

    def seen_here(self, definition_id: str) -> bool:
        """Whether this folder has held the definition before."""
        return definition_id in self._here

    def of(self, definition_id: str) -> Agreement | None:
        """The last agreement about the definition, this folder's first."""
        return self._here.get(definition_id) or _agreement(self._there.get(definition_id))

    def named(self, kind: str, name: str) -> Iterator[Agreement]:
        """Agreements of this store about definitions that had the name then."""
        for definition_id in sorted(self._names.get((kind, name), ())):
            found = _agreement(self._there.get(definition_id))
            if found is not None and (found.kind, found.name) == (kind, name):
                yield found

    async def note(self, agreement: Agreement) -> None:
        if self._here.get(agreement.id) != agreement:
            self._here.pop(agreement.id, None)  # the newest stand last
            self._here[agreement.id] = agreement
            self._changed = True
        if _agreement(self._there.get(agreement.id)) != agreement:
            data = asdict(agreement)
            self._index(agreement)
            self._there[agreement.id] = data
            await self._context.store.state_set(self._context.workspace_id, _SCOPE, agreement.id, data)

    def _index(self, agreement: Agreement) -> None:
        self._names.setdefault((agreement.kind, agreement.name), set()).add(agreement.id)

    async def forget(self, agreement: Agreement) -> None:
        """The definition is gone, and its file now stands for another one."""
        self._changed = self._here.pop(agreement.id, None) is not None or self._changed
        if self._there.pop(agreement.id, None) is not None:
            await self._context.store.state_delete(self._context.workspace_id, _SCOPE, agreement.id)

    async def save(self) -> bool:
        """Write the folder's record; False where the folder cannot be written."""
        if not self._changed:
            return (self._root / STATE_FILE).exists()
        return await asyncio.to_thread(_write, self._root / STATE_FILE, self._kept())

    def _kept(self) -> list[Agreement]:
        """All agreements but those of stores long gone: the newest few of each name."""
        counts: dict[tuple[str, str], int] = {}
        kept: list[Agreement] = []
        for agreement in reversed(self._here.values()):
            key = agreement.kind, agreement.name
            counts[key] = counts.get(key, 0) + 1
            if counts[key] <= _KEPT_PER_NAME:
                kept.append(agreement)
        return kept[::-1]


def _agreement(data: Any) -> Agreement | None:
    """The agreement in JSON data, None where a newer or older library wrote something else."""
    if not isinstance(data, dict):
        return None
    with contextlib.suppress(TypeError):
        return Agreement(**cast("dict[str, Any]", data))
    return None


def _read(path: Path) -> dict[str, Agreement]:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        data = json.loads(raw)
        if data["version"] != _VERSION:
            raise ValueError("written by a newer library")
        found = [Agreement(**entry) for entry in data["definitions"]]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DefinitionError(
            f"'{path}' cannot be read ({error}); delete it, and differences between files and store "
            "will be reported as conflicts until they agree again"
        ) from None
    return {agreement.id: agreement for agreement in found}


def _write(path: Path, agreements: list[Agreement]) -> bool:
    data = {"version": _VERSION, "definitions": [asdict(agreement) for agreement in agreements]}
    temp = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temp.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        os.replace(temp, path)
    except OSError:
        with contextlib.suppress(OSError):
            temp.unlink(missing_ok=True)
        return False
    return True
