"""A folder of definition files, loaded into the store.

Every file is read and checked before anything is applied.  Then each definition is compared three ways: its file, the
current version in the store, and what both were when they last agreed.

* Same content on both sides: nothing is done.
* Only the file has changed: the content becomes a new version and is promoted; content that some older version has
  already is not stored again, that version is promoted.
* Only the store has changed: the file is *behind*, and stays so until `save_folder`.
* Both have changed, or they differ and have never agreed: a conflict; nothing is done.
* A fresh checkout has no record of its own.  There, content of an older version is *behind* too: it is more likely an
  old checkout than a wish to roll back.

A conflict is also: an archived, deleted or renamed definition, an agent of another type, a label that another content
has.  Conflicts never stop the other definitions.  To decide one for the file, name it in `file_wins`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from promptrails_engine.catalog.agents import AgentCatalog
from promptrails_engine.catalog.base import CatalogContext
from promptrails_engine.catalog.check_workflow import check_graph, parts_of
from promptrails_engine.catalog.descent import child_refs
from promptrails_engine.catalog.folder_memory import Agreement, FolderMemory
from promptrails_engine.catalog.folder_report import LoadReport, Outcome, SyncEntry
from promptrails_engine.catalog.folder_rules import Standing, forced_fields, judge_content, judge_fields
from promptrails_engine.catalog.prompts import PromptCatalog
from promptrails_engine.definitions.configs import parse_config, prompt_refs
from promptrails_engine.definitions.digest import content_digest
from promptrails_engine.definitions.files import AgentFile, DefinitionFile, PromptFile, read_folder
from promptrails_engine.definitions.records import AgentVersion, PromptVersion
from promptrails_engine.errors import ConflictError, DefinitionError, NotFoundError, ValidationError
from promptrails_engine.ports.store import DefinitionKind, DefinitionRow

_TRIES = 3


async def load_folder(
    prompts: PromptCatalog,
    agents: AgentCatalog,
    folder: str | os.PathLike[str],
    *,
    context: CatalogContext,
    promote: bool = True,
    file_wins: Collection[str] = (),
    remember: bool | None = None,
) -> LoadReport:
    """What became of each definition in the folder.

    Args:
        context: that of the two catalogs.
        promote: whether changed content becomes current; otherwise it is only stored as a version.
        file_wins: definitions, such as `prompt/support`, whose file is taken whatever the store says.
        remember: whether the folder keeps a record of what agrees (`.promptrails-sync.json`); by default it does where
            the store outlives the process.

    Raises:
        DefinitionError: a file cannot be used; nothing was applied.  The message lists every faulty file.
    """
    files = await asyncio.to_thread(read_folder, folder)
    root = await asyncio.to_thread(Path(folder).resolve)
    await _refuse_unusable(prompts, agents, files)
    ordered = _in_order(files)
    memory = await FolderMemory.open(root, context)
    loader = _Loader(prompts, agents, memory, promote, _known(file_wins, files))
    remembered = False
    try:
        entries = [await loader.load(file) for file in ordered]
    finally:
        if context.store.shared if remember is None else remember:
            remembered = await memory.save()
    return LoadReport(tuple(entries), remembered)


def _known(wins: Collection[str], files: Iterable[DefinitionFile]) -> frozenset[str]:
    known = {f"{file.kind}/{file.name}" for file in files}
    if strange := sorted(set(wins) - known):
        raise DefinitionError(
            f"file_wins names what no file defines: {', '.join(strange)}; write prompt/NAME or agent/NAME"
        )
    return frozenset(wins)


# ------------------------------------------------------------------ before anything is applied


async def _refuse_unusable(prompts: PromptCatalog, agents: AgentCatalog, files: list[DefinitionFile]) -> None:
    names = {(file.kind, file.name) for file in files}
    errors: list[str] = []
    for file in files:
        try:
            if isinstance(file, PromptFile):
                prompts.check(file.content)
            elif isinstance(file, AgentFile):
                await asyncio.to_thread(_check_expressions, file)
            for kind, ref in _references(file):
                if (kind, ref) not in names:
                    await (prompts if kind == "prompt" else agents).row(ref)
        except (ValidationError, NotFoundError) as error:
            errors.append(f"{file.path.as_posix()}: {error.message}")
    if errors:
        lines = errors[0] if len(errors) == 1 else "\n  ".join([f"{len(errors)} files cannot be used:", *errors])
        raise DefinitionError(lines, details={"errors": errors})


def _check_expressions(file: AgentFile) -> None:
    parts = parts_of(parse_config(file.content["config"]))
    if parts:
        check_graph(parts, file.content.get("input_schema"), {})


def _references(file: DefinitionFile) -> list[tuple[DefinitionKind, str]]:
    if not isinstance(file, AgentFile):
        return []
    prompts: list[tuple[DefinitionKind, str]] = [
        ("prompt", ref) for ref in prompt_refs(parse_config(file.content["config"]))
    ]
    return [*prompts, *(("agent", ref) for ref in child_refs(file.content))]


def _in_order(files: list[DefinitionFile]) -> list[DefinitionFile]:
    """Prompts, then agents, each after those that it runs.

    Raises:
        DefinitionError: agents run each other in a circle.
    """
    found = {file.name: file for file in files if isinstance(file, AgentFile)}
    graph = {name: [ref for ref in child_refs(file.content) if ref in found] for name, file in found.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        path = found[error.args[1][0]].path.as_posix()
        raise DefinitionError(f"{path}: agents run each other in a circle: {circle}") from None
    return [*(file for file in files if isinstance(file, PromptFile)), *(found[name] for name in order)]


# ------------------------------------------------------------------ one definition


@dataclass(slots=True)
class _Loader:
    """Loads files one by one."""

    prompts: PromptCatalog
    agents: AgentCatalog
    memory: FolderMemory
    promote: bool
    wins: frozenset[str]

    async def load(self, file: DefinitionFile) -> SyncEntry:
        """What became of the file; a process that loads the same folder at the same time is waited out."""
        said = ""
        for _ in range(_TRIES):
            try:
                return await self._load(file)
            except ConflictError as error:
                said = error.message
            except (ValidationError, NotFoundError) as error:
                said = error.message
                break
        return _entry(file, "conflict", said)

    async def _load(self, file: DefinitionFile) -> SyncEntry:
        row = await self._row(file.kind, file.name)
        forced = f"{file.kind}/{file.name}" in self.wins
        if row is None:
            gone = await self._gone(file, forced)
            return _entry(file, "conflict", gone) if gone else await self._create(file)
        if isinstance(file, AgentFile) and file.type != row.type:
            said = f"the agent in the store is of type '{row.type}', the file says '{file.type}'; use another name"
            return _entry(file, "conflict", said, row)
        if row.status == "archived" and not forced:
            said = f"archived in the store; restore it with {file.kind}s.restore, or delete the file"
            return _entry(file, "conflict", said, row)
        return await self._bring(file, row, forced)

    async def _bring(self, file: DefinitionFile, row: DefinitionRow, forced: bool) -> SyncEntry:
        """Bring file and definition together, as the rules say."""
        content = await self._checked(file, row.type)
        versions = await self._catalog(file.kind).list_versions(row.id)
        digests = [version.digest for version in versions]
        current = next((version.digest for version in versions if version.is_current), "")
        base = self.memory.of(row.id)
        digest = content_digest(content)
        sides = Standing(file, digest, current, digests, base, self.memory.seen_here(row.id))
        body, fields = judge_content(sides, promote=self.promote), judge_fields(file, row, base)
        changes = fields.changes
        if forced:
            changes = forced_fields(file) | ({"status": "active"} if row.status == "archived" else {})
        else:
            for verdict in (body, fields):
                if verdict.step == "conflict":
                    said = f"{verdict.reason}; merge by hand, then load with file_wins=['{file.kind}/{file.name}']"
                    return _entry(file, "conflict", said, row)
            if body.step == "behind":
                return _entry(file, "behind", body.reason, row, _label(versions, digest))
        label, reason = _label(versions, digest), body.reason
        act = body.step == "apply" or (forced and digest != current)
        if act:
            if not label and file.version in {version.version for version in versions}:
                said = f"the label '{file.version}' belongs to a version with other content; give the file a new one"
                return _entry(file, "conflict", said, row)
            reason = "" if not label else ("an older version was promoted" if self.promote else "stored already")
            label = await self._apply(file, row, content, label)
            current = digest if self.promote else current
        if changes:
            row = await self._catalog(file.kind).change(row.id, **changes)
        await self._note(file, row, digest, current)
        if fields.step == "behind" and not act and not forced:
            return _entry(file, "behind", fields.reason, row, label)
        return _entry(file, "updated" if act or changes else "unchanged", reason, row, label)

    async def _apply(self, file: DefinitionFile, row: DefinitionRow, content: dict[str, Any], label: str) -> str:
        catalog = self._catalog(file.kind)
        if not label:
            made = await catalog.create_version(
                row.id, content, label=file.version, set_current=self.promote, message=file.message
            )
            return made.version
        if self.promote:
            await catalog.promote_version(row.id, label)
        return label

    async def _create(self, file: DefinitionFile) -> SyncEntry:
        fields: dict[str, Any] = {"description": file.description or "", "labels": file.labels or ()}
        first: dict[str, Any] = {"label": file.version, "message": file.message}
        content = await self._checked(file, file.type if isinstance(file, AgentFile) else "")
        if self.promote:
            fields |= {"content": content, **first}
        made = (
            await self.agents.create(file.name, file.type, **fields)
            if isinstance(file, AgentFile)
            else await self.prompts.create(file.name, **fields)
        )
        catalog = self._catalog(file.kind)
        version = made.current_version or await catalog.create_version(made.id, content, **first)
        row = await catalog.row(made.id)
        await self._note(file, row, version.digest, version.digest if self.promote else "")
        return _entry(file, "created", "", row, version.version)

    async def _gone(self, file: DefinitionFile, forced: bool) -> str:
        """Why the definition is not there any more under this name; "" where it never was, or may be made anew."""
        for agreement in list(self.memory.named(file.kind, file.name)):
            try:
                row = await self._catalog(file.kind).row(agreement.id)
                said = f"renamed to '{row.name}' in the store; rename it in the file too"
            except NotFoundError:
                said = f"deleted in the store; delete the file, or load with file_wins=['{file.kind}/{file.name}']"
            if not forced:
                return said
            await self.memory.forget(agreement)
        return ""

    async def _note(self, file: DefinitionFile, row: DefinitionRow, digest: str, current: str) -> None:
        # What the file says and the store does not is not agreed: it is kept as the file had it.
        stored = {"description": row.data.get("description", ""), "labels": row.data.get("labels", ())}
        agreed = stored | forced_fields(file)
        description, labels = str(agreed["description"]), list(agreed["labels"])
        await self.memory.note(
            Agreement(row.id, file.kind, file.name, file.digest, digest, current, description, labels)
        )

    async def _row(self, kind: DefinitionKind, name: str) -> DefinitionRow | None:
        try:
            row = await self._catalog(kind).row(name)
        except NotFoundError:
            return None
        return row if row.name == name else None

    async def _checked(self, file: DefinitionFile, type: str) -> dict[str, Any]:
        if isinstance(file, AgentFile):
            return await self.agents.check(file.content, type)
        return self.prompts.check(file.content)

    def _catalog(self, kind: DefinitionKind) -> PromptCatalog | AgentCatalog:
        return self.prompts if kind == "prompt" else self.agents


def _label(versions: Iterable[PromptVersion | AgentVersion], digest: str) -> str:
    """Label of the newest version with this content, the current one first; "" where none has it."""
    found = [version for version in versions if version.digest == digest]
    found.sort(key=lambda version: not version.is_current)
    return found[0].version if found else ""


def _entry(
    file: DefinitionFile, outcome: Outcome, reason: str = "", row: DefinitionRow | None = None, version: str = ""
) -> SyncEntry:
    return SyncEntry(
        kind=file.kind,
        name=file.name,
        path=file.path.as_posix(),
        outcome=outcome,
        reason=reason,
        version=version,
        definition_id=row.id if row else "",
    )
