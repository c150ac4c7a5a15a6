"""One workspace in memory, with both catalogs, for the tests of folders."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine.catalog.agents import AgentCatalog
from promptrails_engine.catalog.base import CatalogContext
from promptrails_engine.catalog.folder import load_folder
from promptrails_engine.catalog.folder_report import LoadReport, SaveReport
from promptrails_engine.catalog.folder_save import save_folder
from promptrails_engine.catalog.prompts import PromptCatalog
from promptrails_engine.guardrails.scanners import Scanners
from promptrails_engine.ids import IdFactory
from promptrails_engine.models.registry import ModelRegistry
from promptrails_engine.store.memory import MemoryStore


class TickingClock:
    """Each reading is a second later than the one before."""

    def __init__(self) -> None:
        ticks = itertools.count(1_700_000_000)
        self.now: Callable[[], float] = lambda: float(next(ticks))
        self.monotonic: Callable[[], float] = self.now


@dataclass
class Workspace:
    """A store with its catalogs, and a folder beside it."""

    prompts: PromptCatalog
    agents: AgentCatalog
    context: CatalogContext
    folder: Path

    async def load(self, folder: Path | None = None, **options: Any) -> LoadReport:
        options = {"remember": True, **options}
        return await load_folder(self.prompts, self.agents, folder or self.folder, context=self.context, **options)

    async def save(self, folder: Path | None = None, **options: Any) -> SaveReport:
        options = {"remember": True, **options}
        return await save_folder(self.prompts, self.agents, folder or self.folder, context=self.context, **options)

    def put(self, path: str, text: str) -> Path:
        """Write a file of the folder."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    async def current(self, name: str) -> str:
        """The user prompt of a prompt's current version."""
        return (await self.prompts.get_version(name)).user_prompt


def new_workspace(folder: Path, seed: int = 1) -> Workspace:
    context = CatalogContext(MemoryStore(), "w", IdFactory(seed), TickingClock(), ModelRegistry())
    prompts = PromptCatalog(context)
    return Workspace(prompts, AgentCatalog(context, prompts, Scanners({})), context, folder)


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    folder = tmp_path / "definitions"
    folder.mkdir()
    return new_workspace(folder)


@pytest.fixture
def other_space(space: Workspace) -> Workspace:
    """Another store, with the same folder."""
    return new_workspace(space.folder, seed=2)
