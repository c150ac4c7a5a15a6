"""What the scanner `pii` looks at and how it judges, loaded at its first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptrails_engine.ports.scanner import Scanner
from promptrails_scanners.foundation.options import read_options
from promptrails_scanners.personal.scanner import Options, PersonalScanner
from promptrails_scanners.pii import META

__all__ = ["Options", "build"]


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used; the message names it.
    """
    return PersonalScanner(META, read_options(Options, META.type, config))
