"""Personal data in what a user sends: found, and taken out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptrails_engine.ports.scanner import Scanner, ScannerMeta
from promptrails_scanners.foundation.base import alone
from promptrails_scanners.foundation.options import option_names, read_options
from promptrails_scanners.personal.scanner import MaskOptions, PersonalScanner

__all__ = ["META", "Options", "build", "scan"]


class Options(MaskOptions):
    """What is looked for, and what stands in its place."""


META = ScannerMeta(
    type="pii",
    label="Personal data",
    description="Finds mail addresses, telephone, card and account numbers, national ids, names, addresses and more.",
    redacts="spans",
    config_fields=option_names(Options),
    category="privacy",
)


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used; the message names it.
    """
    return PersonalScanner(META, read_options(Options, META.type, config))


scan = alone(build)
