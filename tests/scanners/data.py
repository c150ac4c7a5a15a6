"""Labelled texts from outside the repository, for floors under what the scanners find.

They are not part of the project: tests that use them are skipped where they are not there.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "PROMPTRAILS_SCANNER_DATA"
"""The environment variable that names the folder; otherwise it is looked for beside the repository."""


def shared_rows(name: str) -> list[dict[str, Any]]:
    """The rows of a file, such as `language`; skips the test where there is none."""
    folder = Path(os.environ.get(VARIABLE) or ROOT.parent / "shared" / "data" / "scanners")
    plain, packed = folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz"
    if plain.is_file():
        text = plain.read_text(encoding="utf-8")
    elif packed.is_file():
        text = gzip.decompress(packed.read_bytes()).decode("utf-8")
    else:
        pytest.skip(f"no labelled texts here; set {VARIABLE} to the folder that has {name}.jsonl")
    return [json.loads(line) for line in text.split("\n") if line]
