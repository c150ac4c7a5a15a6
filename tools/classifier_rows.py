"""Rows to train classifiers on: shared data whose licence allows it, and sentences of our own; grouped, so that what is
alike is never on both sides of a cut."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / name) for name in ("scanners", "")]

from promptrails_scanners.hate.signals import kinds_of  # noqa: E402

_GROUP = frozenset({"group", "slur"})
ROOT = Path(__file__).resolve().parent.parent
OWN = Path(__file__).resolve().parent / "own_sentences"
DATA = "PROMPTRAILS_SCANNER_DATA"
"""The environment variable that names the folder with the rows; otherwise they are looked for beside the repository."""
UNSHIPPED = ("SA", "NC", "AGPL")
"""Parts of licence names that keep rows out of weights."""


@dataclass(frozen=True)
class Row:
    """A text and what it is."""

    text: str
    label: str
    """`1`, `0`, or the name of a category, which is also `1`."""
    source: str
    licence: str
    part: str = ""
    weight: float = 1.0
    own: bool = False

    @property
    def positive(self) -> bool:
        return self.label != "0"

    @property
    def shipped(self) -> bool:
        if "model answers" in self.source:  # the terms of those who made the models stand against it
            return False
        return not any(word in re.split(r"[-/ ]", self.licence) for word in UNSHIPPED)


def shared(name: str) -> list[Row]:
    """The development rows of a scanner.

    Raises:
        FileNotFoundError: the data is not there; name the folder that has NAME.jsonl in PROMPTRAILS_SCANNER_DATA.
    """
    folder = Path(os.environ.get(DATA) or ROOT.parent / "shared" / "data" / "scanners")
    rows = []
    for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        rows.append(Row(one["text"], str(int(one["label"])), one["source"], one["licence"], one.get("slice") or ""))
    return rows


def own(name: str, most: int = 5, weight: float = 0.5) -> list[Row]:
    """Sentences of our own, at most so many of each template."""
    found = []
    for number, line in enumerate((OWN / f"{name}.txt").read_text(encoding="utf-8").splitlines()):
        if line and not line.startswith("#"):
            label, template = line.replace("\\n", "\n").split("\t", 1)
            found += [
                Row(text, label, "own sentences", "MIT", f"template {number}", weight, True)
                for text in _expanded(template, most)
            ]
    return found


def _expanded(template: str, most: int) -> list[str]:
    parts = [part.split("|") if at % 2 else [part] for at, part in enumerate(re.split(r"\{([^{}]*)\}", template))]
    texts = ["".join(one) for one in itertools.islice(itertools.product(*parts), 5000)]
    return random.Random(template).sample(texts, min(most, len(texts)))


def groups(rows: Sequence[Row]) -> list[int]:
    """A number for each row: the same for rows that share 8 words in a row, or a template of our own; in families of
    more than 30 rows, which share how they begin rather than what they ask, 24 words in a row."""
    close, wide = _linked(rows, 24), _linked(rows, 8)
    sizes = Counter(wide)
    return [one if sizes[one] <= 30 else len(rows) + other for one, other in zip(wide, close, strict=True)]


def _linked(rows: Sequence[Row], length: int) -> list[int]:
    parents = list(range(len(rows)))

    def root(at: int) -> int:
        while parents[at] != at:
            parents[at] = parents[parents[at]]
            at = parents[at]
        return at

    seen: dict[str, int] = {}
    for at, row in enumerate(rows):
        for key in _keys(row, length):
            if key in seen:
                parents[root(at)] = root(seen[key])
            else:
                seen[key] = at
    return [root(at) for at in range(len(rows))]


def _keys(row: Row, length: int) -> Iterable[str]:
    if row.own:
        yield f"own {row.part}"
    found = re.findall(r"\w+", row.text.lower())[:600]
    if len(found) <= 40:
        yield _template(found)
    for at in range(max(1, len(found) - length + 1)):
        yield " ".join(found[at : at + length])


def _template(words: Sequence[str]) -> str:
    """The words with one sign for every group of people: data sets fill such a gap with each group in turn."""
    told = ["*" if _GROUP & kinds_of(word) else word for word in words]
    return "template " + re.sub(r"\*(?: (?:\*|people|person|folks?))*", "*", " ".join(told))


def folds(numbers: Sequence[int], count: int = 5) -> list[int]:
    """A fold for each row, groups whole, the folds of about the same size."""
    sizes = Counter(numbers)
    load = [0] * count
    chosen: dict[int, int] = {}
    order = sorted(sizes, key=lambda one: (-sizes[one], hashlib.md5(str(one).encode()).hexdigest()))
    for one in order:
        least = min(range(count), key=load.__getitem__)
        chosen[one] = least
        load[least] += sizes[one]
    return [chosen[one] for one in numbers]
