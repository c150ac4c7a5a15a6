"""NOTICE names every text that weights in the wheel were fitted on, with its licence."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "scanners/promptrails_scanners/weights"
OUR_OWN = ("own sentences", "own links")
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8").splitlines()


def sources() -> set[tuple[str, str]]:
    """Name and licence of all that the manifests of the weights name, but for our own sentences."""
    manifest = json.loads((WEIGHTS / "manifest.json").read_text(encoding="utf-8"))
    used = [[*model["sources"], *([model["vectors"]] if "vectors" in model else [])] for model in manifest.values()]
    used.append(json.loads((WEIGHTS / "malicious_urls.json").read_text(encoding="utf-8"))["sources"])
    return {(one["source"], one["licence"]) for model in used for one in model if one["source"] not in OUR_OWN}


def test_every_source_of_the_weights_is_named_with_its_licence() -> None:
    missing = [
        (name, licence)
        for name, licence in sorted(sources())
        if not any(name.split()[0] in line and re.split(r"[ /,]", licence)[0] in line for line in NOTICE)
    ]
    assert missing == []


def test_nothing_is_shipped_under_terms_that_weights_could_not_keep() -> None:
    licences = {part for _, licence in sources() for part in re.split(r" \(repo\)|; upstream |/|, ", licence) if part}
    free = {"MIT", "Apache-2.0", "CC0", "CC0-1.0", "CC-BY", "CC-BY-3.0", "CC-BY-4.0", "ODC-BY"}
    assert licences <= free
