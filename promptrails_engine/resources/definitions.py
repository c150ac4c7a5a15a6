"""`engine.definitions`: prompts and agents as files in a folder."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Literal

from promptrails_engine import catalog
from promptrails_engine.catalog.folder_report import LoadReport, SaveReport
from promptrails_engine.faces import M_co, method
from promptrails_engine.resources.base import EngineResource


class Definitions(EngineResource[M_co]):
    """Definitions as files; the format is described in `promptrails_engine.definitions.files`."""

    @method
    async def load(
        self, folder: str | os.PathLike[str], *, promote: bool = True, file_wins: Collection[str] = ()
    ) -> LoadReport:
        """What loading the folder did: same content, same version; changed content, new version.

        What both the folder and the store have changed is a conflict: reported, and left alone.

        Args:
            folder: holds one YAML or JSON file a prompt or agent.
            promote: make new versions current.
            file_wins: definitions, such as `prompt/support`, whose file is taken whatever the store says.

        Raises:
            DefinitionError: a file cannot be used; then nothing was changed.
        """
        parts = self._parts
        await parts.ready()
        return await catalog.load_folder(
            parts.prompts, parts.agents, folder, context=parts.catalogs, promote=promote, file_wins=file_wins
        )

    @method
    async def save(
        self,
        folder: str | os.PathLike[str],
        *,
        store_wins: Collection[str] = (),
        templates: Literal["inline", "files"] = "inline",
        format: Literal["yaml", "json"] = "yaml",
    ) -> SaveReport:
        """What writing the current versions into the folder did.

        A file that was changed since the two last agreed is a conflict: reported, and left alone.

        Args:
            folder: made if it does not exist.
            store_wins: definitions, such as `prompt/support`, whose file is replaced whatever it says.
            templates: for new files: whether templates of several lines get a `.j2` file of their own.
            format: for new files.
        """
        parts = self._parts
        await parts.ready()
        return await catalog.save_folder(
            parts.prompts,
            parts.agents,
            folder,
            context=parts.catalogs,
            store_wins=store_wins,
            templates=templates,
            format=format,
        )
