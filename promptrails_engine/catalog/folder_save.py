"""The definitions of the store, saved into a folder of files.

A file is only rewritten where nothing of it is lost: it is still what it was when file and store last agreed, or it
holds the content of some version.  An edited file is a conflict, and so is one that was deleted; load the edit first,
or name the definition in `store_wins`.  What says the same already is not touched, comments and all.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from promptrails_engine.catalog.agents import AgentCatalog
from promptrails_engine.catalog.base import CatalogContext
from promptrails_engine.catalog.folder_memory import Agreement, FolderMemory
from promptrails_engine.catalog.folder_report import Outcome, SaveReport, SyncEntry
from promptrails_engine.catalog.folder_rules import file_was_edited, forced_fields
from promptrails_engine.catalog.prompts import PromptCatalog
from promptrails_engine.definitions.digest import content_digest
from promptrails_engine.definitions.files import (
    AgentFile,
    DefinitionFile,
    PromptFile,
    read_folder,
    write_agent,
    write_prompt,
)
from promptrails_engine.definitions.records import Agent, AgentVersion, Prompt, PromptVersion
from promptrails_engine.errors import ConflictError, DefinitionError, NotFoundError, ValidationError
from promptrails_engine.ports.store import DefinitionKind

_PAGE = 100


async def save_folder(
    prompts: PromptCatalog,
    agents: AgentCatalog,
    folder: str | os.PathLike[str],
    *,
    context: CatalogContext,
    store_wins: Collection[str] = (),
    templates: Literal["inline", "files"] = "inline",
    format: Literal["yaml", "json"] = "yaml",
    remember: bool | None = None,
) -> SaveReport:
    """What became of the file of each active definition that has a current version.

    Args:
        context: that of the two catalogs.
        store_wins: definitions, such as `prompt/support`, whose file is replaced or made again whatever it says.
        templates: for new files: whether templates of several lines get a `.j2` file of their own.
        format: of new files.
        remember: whether the folder keeps a record of what agrees (`.promptrails-sync.json`); by default it does where
            the store outlives the process.

    Raises:
        DefinitionError: a file in the folder cannot be read; nothing was written.
    """
    root = Path(folder)
    files = await asyncio.to_thread(_files, root)
    found = [*await _all(prompts), *await _all(agents)]
    memory = await FolderMemory.open(root, context)
    names = {definition.id: definition.name for definition in found}
    saver = _Saver(prompts, agents, memory, root, names, files, frozenset(store_wins), templates, format)
    remembered = False
    try:
        entries = [await saver.save(definition) for definition in found if definition.status == "active"]
    finally:
        if context.store.shared if remember is None else remember:
            remembered = await memory.save()
    return SaveReport(tuple(entry for entry in entries if entry is not None), remembered)


def _files(root: Path) -> dict[tuple[DefinitionKind, str], DefinitionFile]:
    """The folder's files by kind and name.  A template that several of them use is nobody's to rewrite."""
    root.mkdir(parents=True, exist_ok=True)
    files = read_folder(root)
    users = Counter(path for file in files for path in file.templates.values())
    alone = [
        replace(file, templates={name: path for name, path in file.templates.items() if users[path] == 1})
        for file in files
    ]
    return {(file.kind, file.name): file for file in alone}


async def _all(catalog: PromptCatalog | AgentCatalog) -> list[Prompt | Agent]:
    found: list[Prompt | Agent] = []
    while True:
        page, total = await catalog.list(offset=len(found), limit=_PAGE)
        found.extend(page)
        if not page or len(found) >= total:
            return sorted(found, key=lambda definition: definition.name)


@dataclass(slots=True)
class _Saver:
    """Saves definitions one by one."""

    prompts: PromptCatalog
    agents: AgentCatalog
    memory: FolderMemory
    root: Path
    names: Mapping[str, str]
    files: Mapping[tuple[DefinitionKind, str], DefinitionFile]
    wins: frozenset[str]
    templates: Literal["inline", "files"]
    format: Literal["yaml", "json"]

    async def save(self, definition: Prompt | Agent) -> SyncEntry | None:
        """What became of its file; None where it has no current version to be saved."""
        version = definition.current_version
        if version is None:
            return None
        file = self._file_of(definition)
        try:
            if file is None:
                return await self._make(definition, version)
            return await self._renew(definition, version, file)
        except (ConflictError, DefinitionError) as error:
            return _entry(definition, file, "conflict", error.message)

    def _file_of(self, definition: Prompt | Agent) -> DefinitionFile | None:
        """Its file by name, else by the name that it had when they last agreed."""
        kind = _kind(definition)
        base = self.memory.of(definition.id)
        found = self.files.get((kind, definition.name))
        if found is None and base is not None and base.name not in self.names.values():
            found = self.files.get((kind, base.name))
        return found

    async def _make(self, definition: Prompt | Agent, version: PromptVersion | AgentVersion) -> SyncEntry:
        if self.memory.seen_here(definition.id) and not self._forced(definition):
            ref = f"{_kind(definition)}/{definition.name}"
            said = f"its file was deleted; archive the {_kind(definition)} as well, or save with store_wins=['{ref}']"
            return _entry(definition, None, "conflict", said)
        written = await self._write(definition, version, None)
        await self._note(definition, version, written)
        return _entry(definition, written, "created")

    async def _renew(
        self, definition: Prompt | Agent, version: PromptVersion | AgentVersion, file: DefinitionFile
    ) -> SyncEntry:
        digest = await self._digest(file, definition)
        given = forced_fields(file)
        stored = {"description": definition.description, "labels": list(definition.labels)}
        same_fields = all(given[name] == stored[name] for name in given)
        if digest == version.digest and same_fields and file.name == definition.name:
            await self._note(definition, version, file)
            return _entry(definition, file, "unchanged")
        said = await self._objection(definition, version, file, digest)
        if said and not self._forced(definition):
            return _entry(definition, file, "conflict", said)
        written = await self._write(definition, version, file)
        await self._note(definition, version, written)
        return _entry(definition, written, "updated")

    async def _objection(
        self, definition: Prompt | Agent, version: PromptVersion | AgentVersion, file: DefinitionFile, digest: str
    ) -> str:
        """Why the file must not be replaced; "" where nothing of it would be lost."""
        base = self.memory.of(definition.id)
        ref = f"{_kind(definition)}/{definition.name}"
        way_out = f"load it first, or save with store_wins=['{ref}']"
        if base is not None and not file_was_edited(file, base):
            return ""
        if not self.memory.seen_here(definition.id):
            catalog = self.prompts if _kind(definition) == "prompt" else self.agents
            digests = {old.digest for old in await catalog.list_versions(definition.id)}
            return "" if digest in digests else f"the file holds what no version has; {way_out}"
        if base is not None and version.digest in (base.content, base.current):
            return f"the file was edited since; {way_out}"
        return f"both the file and the store have changed since they last agreed; {way_out}"

    async def _digest(self, file: DefinitionFile, definition: Prompt | Agent) -> str:
        """Of the file's content in the store's terms; "" where the store cannot have it."""
        try:
            if isinstance(definition, Agent):
                return content_digest(await self.agents.check(file.content, definition.type))
            return content_digest(self.prompts.check(file.content))
        except (ValidationError, NotFoundError):
            return ""

    async def _write(
        self, definition: Prompt | Agent, version: PromptVersion | AgentVersion, file: DefinitionFile | None
    ) -> DefinitionFile:
        # A label in a file must be renewed with each edit, so only those who write one get one.
        options: dict[str, Any] = {"labelled": file is not None and file.version is not None, "format": self.format}
        if isinstance(definition, Prompt) and isinstance(version, PromptVersion):
            old_prompt = file if isinstance(file, PromptFile) else None
            options["templates"] = self.templates
            return await asyncio.to_thread(write_prompt, self.root, definition, version, existing=old_prompt, **options)
        assert isinstance(definition, Agent)
        assert isinstance(version, AgentVersion)
        old_agent = file if isinstance(file, AgentFile) else None
        return await asyncio.to_thread(
            write_agent, self.root, definition, version, names=self.names, existing=old_agent, **options
        )

    async def _note(
        self, definition: Prompt | Agent, version: PromptVersion | AgentVersion, file: DefinitionFile
    ) -> None:
        digest, labels = version.digest, list(definition.labels)
        await self.memory.note(
            Agreement(definition.id, file.kind, file.name, file.digest, digest, digest, definition.description, labels)
        )

    def _forced(self, definition: Prompt | Agent) -> bool:
        return f"{_kind(definition)}/{definition.name}" in self.wins


def _kind(definition: Prompt | Agent) -> DefinitionKind:
    return "prompt" if isinstance(definition, Prompt) else "agent"


def _entry(definition: Prompt | Agent, file: DefinitionFile | None, outcome: Outcome, reason: str = "") -> SyncEntry:
    current = definition.current_version
    return SyncEntry(
        kind=_kind(definition),
        name=definition.name,
        path=file.path.as_posix() if file else "",
        outcome=outcome,
        reason=reason,
        version=current.version if current else "",
        definition_id=definition.id,
    )
