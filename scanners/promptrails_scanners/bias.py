"""Bias: statements that generalise about a protected group of people, or demean it; in answers above all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.hate.bias import Options

__all__ = ["META", "Options", "build", "scan"]

META = ScannerMeta(
    type="bias",
    label="Bias",
    description="Statements that generalise about a group of people or demean it; made to log with.",
    redacts="sentences",
    config_fields=("match_type", "redact_unit", "replacement", "model", "judge", "groups", *COMMON),
    category="safety",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.hate.bias")
