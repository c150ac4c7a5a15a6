"""Secrets in a text: tokens of services, private keys, passwords in settings and URLs, and what is named a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.credentials.secrets import Options, Pattern

__all__ = ["META", "Options", "Pattern", "build", "scan"]

META = ScannerMeta(
    type="secrets",
    label="Secrets",
    description="Finds tokens of services, private keys, passwords in settings and URLs, and values named a secret.",
    redacts="spans",
    config_fields=(
        "providers",
        "exclude",
        "generic",
        "entropy",
        "entropy_only",
        "patterns",
        "redact_mode",
        "hash_key",
        "verify_checksum",
        "occurrences",
        *COMMON,
    ),
    category="security",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.credentials.secrets")
