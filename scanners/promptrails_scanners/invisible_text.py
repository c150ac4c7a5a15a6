"""Characters that nobody sees: hidden instructions, words broken up for filters, code that reads as it does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.invisible.invisible_text import Options, hidden_texts

__all__ = ["META", "Options", "build", "hidden_texts", "scan"]

META = ScannerMeta(
    type="invisible_text",
    label="Invisible text",
    description="Finds characters that are not seen where they have no use, and takes out only those.",
    redacts="spans",
    config_fields=("classes", "allow_scripts", "decode", "strip", *COMMON),
    category="security",
    clears=True,
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.invisible.invisible_text")
