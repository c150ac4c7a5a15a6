"""Rows that the tagger is trained on and judged by, and which of them are of one template."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]

from tagger_texts import Pieces  # noqa: E402

Row = dict[str, Any]
Rows = Mapping[str, Sequence[Row]]
"""The rows of each file."""
FILES = ("pii", "sensitive", "anonymize")
LEARNT = ("pii", "sensitive")
"""The files that are trained on; the documents of the third are made of the same sentences."""
PLACES = frozenset({"ADDRESS", "LOCATION", "ZIP_CODE"})
"""Kinds that may be parts of an address."""


def read(folder: Path) -> Rows:
    """The labelled rows of each file."""
    return {name: read_file(folder / f"{name}.jsonl") for name in FILES}


def read_file(path: Path) -> list[Row]:
    """The rows of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def merged(row: Row) -> list[tuple[int, int, str]]:
    """Its persons and addresses; an address takes in the towns, countries and codes that belong to it."""
    text, spans = row["text"], sorted(tuple(one) for one in row.get("spans") or [])
    persons = [one for one in spans if one[2] == "PERSON"]
    groups: list[list[tuple[int, int, str]]] = []
    for one in spans:
        if one[2] not in PLACES:
            continue
        if groups and re.fullmatch(r"[\s,>?]{0,12}", text[groups[-1][-1][1] : one[0]]):
            groups[-1].append(one)
        else:
            groups.append([one])
    places = [(g[0][0], g[-1][1], "ADDRESS") for g in groups if any(one[2] == "ADDRESS" for one in g)]
    return sorted(persons + places)


def pieces(row: Row) -> Pieces:
    found: Pieces = []
    after = 0
    for start, end, kind in merged(row):
        if start < after:
            continue
        found += (row["text"][after:start], ""), (row["text"][start:end], kind)
        after = end
    return [*found, (row["text"][after:], "")]


def skeleton(row: Row) -> str:
    """The template that a row was made from."""
    text = row["text"]
    for start, end, kind in sorted(row.get("spans") or [], reverse=True):
        text = text[:start] + ("<ADDRESS>" if kind in PLACES else f"<{kind}>") + text[end:]
    plain = re.sub(r"(<ADDRESS>[\s,]*)+", "<ADDRESS>", re.sub(r"\d+", "0", text))
    return re.sub(r"\W+", " ", plain).lower().strip()


def usable(row: Row) -> bool:
    """Whether it says where all names are: in prompts and exercises they are not labelled."""
    return not row.get("structured_only")


def learnt(rows: Rows) -> list[Row]:
    """What can be trained on."""
    return [row for name in LEARNT for row in rows[name] if usable(row)]


def fold(row: Row, folds: int) -> int:
    """Which part of the rows it is in: one template is in one part, whatever else there is."""
    return int(hashlib.sha256(skeleton(row).encode()).hexdigest(), 16) % folds


def without_templates(rows: Sequence[Row], texts: Sequence[Row]) -> list[Row]:
    """The rows of which none is a sentence of the texts, whatever names are in it."""
    documents = [skeleton(text) for text in texts]

    def is_part(template: str) -> bool:
        if len(template.split()) < 3:  # it says too little to be told from others
            return template in documents
        return any(template in document for document in documents)

    return [row for row in rows if not is_part(skeleton(row))]
