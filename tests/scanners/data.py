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


def rows_if_here(name: str) -> list[dict[str, Any]]:
    """The rows of a file, such as `language`; none where there is no such file."""
    folder = Path(os.environ.get(VARIABLE) or ROOT.parent / "shared" / "data" / "scanners")
    plain, packed = folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz"
    if plain.is_file():
        text = plain.read_text(encoding="utf-8")
    elif packed.is_file():
        text = gzip.decompress(packed.read_bytes()).decode("utf-8")
    else:
        return []
    return [json.loads(line) for line in text.split("\n") if line]


def shared_rows(name: str) -> list[dict[str, Any]]:
    """The same; skips the test where there is none."""
    rows = rows_if_here(name)
    if not rows:
        pytest.skip(f"no labelled texts here; set {VARIABLE} to the folder that has {name}.jsonl")
    return rows
