"""Definitions in the store: making, finding and promoting versions of prompts and agents.

Folders of files are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptrails_engine.catalog.folder import load_folder as load_folder
    from promptrails_engine.catalog.folder_save import save_folder as save_folder

_HOMES = {"load_folder": "folder", "save_folder": "folder_save"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
