"""Personal data in what a model answers: found, and taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.personal.sensitive import Options

__all__ = ["META", "Options", "build", "scan"]

META = ScannerMeta(
    type="sensitive",
    label="Personal data in answers",
    description="Finds in answers what the scanner `pii` finds in prompts.",
    redacts="spans",
    config_fields=(
        "entities",
        "exclude",
        "thresholds",
        "names",
        "deny",
        "patterns",
        "regions",
        "language",
        "engine",
        "model",
        "occurrences",
        "mask",
        "mask_key",
        "mask_with",
        *COMMON,
    ),
    category="privacy",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.personal.sensitive")
