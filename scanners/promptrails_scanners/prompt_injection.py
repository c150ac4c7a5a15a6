"""Prompt injection: orders to drop the instructions, to leak them, to play someone without limits; instructions to an
assistant inside a document; and all of this behind lookalikes, invisible characters, leet and encodings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.injection.prompt_injection import Options

__all__ = ["META", "Options", "build", "scan"]

META = ScannerMeta(
    type="prompt_injection",
    label="Prompt injection",
    description="Orders that try to take over the model, also hidden or encoded, in prompts and in documents.",
    redacts="sentences",
    config_fields=(
        "match_type",
        "redact_unit",
        "replacement",
        "model",
        "judge",
        "patterns",
        "decode",
        "documents",
        *COMMON,
    ),
    category="security",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.injection.prompt_injection")
