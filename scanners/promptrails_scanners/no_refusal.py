"""Refusals: answers that decline in full or in part, and the boilerplate that comes with it.  Not: an apology alone, a
quoted refusal further down, or an answer that explains why something is dangerous.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.refusals.no_refusal import Options

__all__ = ["META", "Options", "build", "scan"]

META = ScannerMeta(
    type="no_refusal",
    label="Refusal",
    description="Answers that decline to help, in full or in part.",
    redacts="sentences",
    config_fields=(
        "match_type",
        "redact_unit",
        "replacement",
        "model",
        "phrases",
        "phrases_replace",
        "partial",
        "languages",
        "window",
        *COMMON,
    ),
    directions=("output",),
    category="quality",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.refusals.no_refusal")
