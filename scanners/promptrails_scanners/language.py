"""Texts in other languages than those that are allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.languages.language import Options, detect

__all__ = ["META", "Options", "build", "detect", "scan"]

META = ScannerMeta(
    type="language",
    label="Language",
    description="Triggers where a text, or a sentence of it, is in a language that is not on your list.",
    redacts="sentences",
    config_fields=(
        "valid_languages",
        "match_type",
        "min_chars",
        "ignore",
        "unknown",
        "relatives",
        "redact_unit",
        "replacement",
        "action_on_mismatch",
        *COMMON,
    ),
    category="quality",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.languages.language")
