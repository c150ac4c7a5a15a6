"""Texts about subjects that are banned, or about others than those that are allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.topics.ban_topics import Options, Topic

__all__ = ["META", "Options", "Topic", "build", "scan"]

META = ScannerMeta(
    type="ban_topics",
    label="Banned topics",
    description="Triggers on texts about the topics that you name, describe or give examples of.",
    redacts="sentences",
    config_fields=("topics", "mode", "match_type", "min_words", "redact_unit", "replacement", "model", *COMMON),
    category="custom",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.topics.ban_topics")
