"""Personal data replaced so that it can come back: labels go to the model, values stay in a vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.personal.anonymize import Anonymize, Options, Restorer, Vault

__all__ = ["META", "Anonymize", "Options", "Restorer", "Vault", "build", "scan"]

META = ScannerMeta(
    type="anonymize",
    label="Anonymize",
    description="Replaces personal data by numbered labels, and puts it back into the answer.",
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
        "vault",
        "ttl_s",
        "restore",
        "preamble",
        *COMMON,
    ),
    category="privacy",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.personal.anonymize")
