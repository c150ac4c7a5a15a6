"""Harmful requests and contents: violence, weapons, self-harm, crime, fraud, attacks on computers, sex, hatred.
Not: the same words about games, history, kitchens, processes of a computer, or how to protect oneself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.harm.harmful import Category, Options

__all__ = ["META", "Category", "Options", "build", "scan"]

META = ScannerMeta(
    type="harmful",
    label="Harmful content",
    description="Requests for help with violence, weapons, self-harm, crime, fraud or abuse, and content giving it.",
    redacts="sentences",
    config_fields=("match_type", "redact_unit", "replacement", "model", "judge", "categories", *COMMON),
    category="safety",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.harm.harmful")
