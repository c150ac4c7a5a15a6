"""The texts that scanners are measured on: labelled rows where there are some, otherwise what this repository has."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VARIABLE = "PROMPTRAILS_SCANNER_DATA"
"""The environment variable that names the folder of labelled rows, as for the tests; otherwise it is looked for beside
the repository."""
KILOBYTE = 1024


def data_file(name: str) -> Path | None:
    """The labelled rows for a scanner; None where there are none."""
    folder = Path(os.environ.get(VARIABLE) or ROOT.parent / "shared" / "data" / "scanners")
    return next((path for path in (folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz") if path.is_file()), None)


def read_rows(path: Path) -> list[dict[str, Any]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.decode("utf-8").split("\n") if line]


def own_text() -> str:
    """Sentences and pages of this repository: prose, abuse, code."""
    parts = [
        part
        for path in [*sorted(ROOT.glob("tools/own_sentences/*.txt")), *sorted(ROOT.glob("docs/*.md"))]
        for part in path.read_text(encoding="utf-8").split("\n")
        if part.strip()
    ]
    random.Random(1).shuffle(parts)
    return "\n".join(parts)


def long_text(name: str) -> str:
    """A text of several KB of the kind that the scanner is for."""
    path = data_file(name)
    if path is None:
        return own_text()
    rows = read_rows(path)
    random.Random(1).shuffle(rows)
    return "\n".join(row["text"] for row in rows)


def kilobytes(text: str, most: int) -> list[str]:
    """The text in pieces of 1,024 characters, no two of them the same."""
    return [text[at : at + KILOBYTE] for at in range(0, len(text) - KILOBYTE, KILOBYTE)][:most]


def terms(count: int) -> list[str]:
    """So many made-up terms."""
    drawn = random.Random(3)
    syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(drawn.choices(syllables, k=drawn.randint(3, 4)))] = None
    return list(found)
