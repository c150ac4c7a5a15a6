"""Toxicity: insults, slurs, threats, obscenity, hatred of groups.  Not: what is merely unpleasant; reports of abuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.hate.toxicity import Label, Options

__all__ = ["META", "Label", "Options", "build", "scan"]

META = ScannerMeta(
    type="toxicity",
    label="Toxicity",
    description="Insults, slurs, threats, obscenity and attacks on groups of people.",
    redacts="spans",
    config_fields=(
        "match_type",
        "redact_unit",
        "replacement",
        "model",
        "judge",
        "labels",
        "words",
        "words_replace",
        "mask",
        "min_sentences",
        *COMMON,
    ),
    category="safety",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.hate.toxicity")
