"""Prompts and their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptrails_engine.catalog.base import Catalog, CatalogContext, checked_labels
from promptrails_engine.definitions import content as contents
from promptrails_engine.definitions.checked import checked_prompt, prompt_settings
from promptrails_engine.definitions.records import Prompt, PromptVersion
from promptrails_engine.ports.store import DefinitionRow, VersionRow
from promptrails_engine.run.render import CompiledTemplate, compile_template

_list = list  # the classes below have a method of that name


class PromptCatalog(Catalog):
    """The prompts of one workspace."""

    kind = "prompt"

    def __init__(self, context: CatalogContext) -> None:
        super().__init__(context)
        self._models = context.models

    async def create(
        self,
        name: str,
        *,
        description: str = "",
        labels: Sequence[str] = (),
        content: Mapping[str, Any] | None = None,
        label: str | None = None,
        message: str = "",
    ) -> Prompt:
        """A new prompt; with content given, its first version is made with it and is current.

        Raises:
            ConflictError: the name is taken.
            DefinitionError, TemplateError: the content cannot be used.
        """
        row = self._new_row(name, "", {"description": description, "labels": checked_labels(labels)})
        version = None
        if content is not None:
            version = self._new_version(row.id, self.check(content), label, message, 0)
            row.current_version_id = version.id
        await self._store.insert_definition(row, version)
        return await self._prompt(row)

    async def create_version(
        self,
        ref: str,
        content: Mapping[str, Any],
        *,
        label: str | None = None,
        set_current: bool = False,
        message: str = "",
    ) -> PromptVersion:
        """A new version with this content.

        Raises:
            ConflictError: the label is taken.
            DefinitionError, TemplateError: the content cannot be used.
        """
        checked = self.check(content)
        row = await self.row(ref)
        version = await self._add_version(row, checked, label, message, set_current)
        return self._version(version, version.id if set_current else row.current_version_id)

    def check(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The content as it would be stored: checked, templates compiled, schemas in standard form.

        Raises:
            DefinitionError, TemplateError: the content cannot be used.
        """
        checked = checked_prompt(content)
        _templates(checked)
        return checked

    async def current_templates(self, ref: str) -> _list[CompiledTemplate]:
        """The templates of the current version; none where there is no such version.

        Raises:
            NotFoundError: there is no such prompt.
        """
        row = await self.row(ref)
        return [] if row.current_version_id is None else _templates((await self.version_row(row, None)).data)

    async def get(self, ref: str) -> Prompt:
        return await self._prompt(await self.row(ref))

    async def list(
        self, *, offset: int, limit: int, name: str | None = None, status: str | None = None
    ) -> tuple[_list[Prompt], int]:
        rows, total = await self._store.list_definitions(
            self._workspace_id, self.kind, offset=offset, limit=limit, name=name, status=status
        )
        return [await self._prompt(row) for row in rows], total

    async def list_versions(self, ref: str) -> _list[PromptVersion]:
        """Newest first."""
        row, versions = await self.version_rows(ref)
        return [self._version(version, row.current_version_id) for version in versions]

    async def get_version(self, ref: str, version_ref: str | None = None) -> PromptVersion:
        """A version by id or label; the current one where none is named."""
        row = await self.row(ref)
        return self._version(await self.version_row(row, version_ref), row.current_version_id)

    async def promote_version(self, ref: str, version_ref: str) -> PromptVersion:
        """Make a version current: agents that link to the prompt use it from their next run on."""
        row, version = await self.promote(ref, version_ref)
        return self._version(version, row.current_version_id)

    async def update(
        self,
        ref: str,
        *,
        name: str | None = None,
        description: str | None = None,
        labels: Sequence[str] | None = None,
        status: str | None = None,
    ) -> Prompt:
        row = await self.change(ref, name=name, description=description, labels=labels, status=status)
        return await self._prompt(row)

    def _version(self, row: VersionRow, current_id: str | None) -> PromptVersion:
        version = contents.prompt_version(row, current_id)
        models = [
            self._models.get(ref) if ref else None for ref in (version.llm_model_id, version.fallback_llm_model_id)
        ]
        return replace(version, llm_model=models[0], fallback_llm_model=models[1])

    async def _prompt(self, row: DefinitionRow) -> Prompt:
        current = None
        if row.current_version_id is not None:
            current = self._version(await self.version_row(row, None), row.current_version_id)
        return contents.prompt(row, current)


def _templates(content: Mapping[str, Any]) -> list[CompiledTemplate]:
    strict = prompt_settings(content.get("config", {})).strict
    return [
        compile_template(content.get(name, ""), strict=strict, name=name) for name in ("system_prompt", "user_prompt")
    ]
