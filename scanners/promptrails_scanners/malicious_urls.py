"""Links that lead to harm: phishing and malware, hosts that look like others, links that carry something away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import ScannerMeta
from promptrails_scanners.foundation.front import COMMON, front

if TYPE_CHECKING:
    from promptrails_scanners.links.malicious_urls import Options

__all__ = ["META", "Options", "build", "scan"]

META = ScannerMeta(
    type="malicious_urls",
    label="Malicious URLs",
    description="Finds links that look like phishing or malware, imitate others, or carry data away.",
    redacts="spans",
    config_fields=(
        "block_domains",
        "allow_domains",
        "block_tlds",
        "check_punycode",
        "check_exfiltration",
        "check_credentials",
        "use_model",
        "max_urls",
        "redact_mode",
        "replacement",
        *COMMON,
    ),
    category="security",
)

build, scan, __getattr__, __dir__ = front(__name__, "promptrails_scanners.links.malicious_urls")
