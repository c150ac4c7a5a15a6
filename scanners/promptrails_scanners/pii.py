"""Personal data in what a user sends: found, and taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.personal.pii import Options

__all__ = ["META", "Options", "build", "scan"]

META = ScannerMeta(
    type="pii",
    label="Personal data",
    description="Finds mail addresses, telephone, card and account numbers, national ids, names, addresses and more.",
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

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.personal.pii")
