"""`engine.definitions`: prompts and agents as files in a folder."""

from __future__ import annotations

from pathlib import Path

from promptrails_engine.catalog.folder import LoadReport, SaveReport, load_folder, save_folder
from promptrails_engine.faces import M_co, method
from promptrails_engine.resources.base import EngineResource


class Definitions(EngineResource[M_co]):
    """Definitions as files; the format is described in `promptrails_engine.definitions.files`."""

    @method
    async def load(self, folder: str | Path, *, promote: bool = True) -> LoadReport:
        """What loading the folder did: same content, same version; changed content, new version; conflicts are
        reported and left alone.

        Raises:
            DefinitionError: a file cannot be used; then nothing was changed.
        """
        await self._parts.ready()
        return await load_folder(self._parts.prompts, self._parts.agents, Path(folder), promote=promote)

    @method
    async def save(self, folder: str | Path) -> SaveReport:
        """What writing the current versions into the folder did; a file changed since is reported and left alone."""
        await self._parts.ready()
        return await save_folder(self._parts.prompts, self._parts.agents, Path(folder))
