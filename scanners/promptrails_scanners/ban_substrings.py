"""Texts that hold banned terms: literally, and if asked to, however they are disguised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.substrings.ban_substrings import Options

__all__ = ["META", "Options", "build", "scan"]

META = ScannerMeta(
    type="ban_substrings",
    label="Banned substrings",
    description="Finds literal terms of your own list, as parts of words or as whole words.",
    redacts="spans",
    config_fields=(
        "substrings",
        "match_type",
        "case_sensitive",
        "contains_all",
        "redact",
        "replacement",
        "normalise",
        "max_terms",
        *COMMON,
    ),
    category="custom",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.substrings.ban_substrings")
