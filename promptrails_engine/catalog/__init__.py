"""Definitions in the store: making, finding and promoting versions of prompts and agents.

Folders of files are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

if TYPE_CHECKING:
    from promptrails_engine.catalog.folder import load_folder as load_folder
    from promptrails_engine.catalog.folder_save import save_folder as save_folder

_HOMES = {"load_folder": "folder", "save_folder": "folder_save"}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
