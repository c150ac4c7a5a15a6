"""Says which of the tagger's own sentences come too near to a labelled row: those would flatter its figures.

Usage: python tools/tagger_overlap.py FOLDER

FOLDER holds the files of tools/train_tagger.py.  Names and other data count as one word.  A sentence is too near where
half of its runs of four words, one of five words, or three fifths of it in their order stand in a row.  Exit code 1 if
there is one.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

SENTENCES = Path(__file__).with_name("tagger_sentences.txt")
FILES = ("pii", "sensitive", "anonymize")
DATA = "<x>"
MOST = 0.6


def words(text: str) -> list[str]:
    """The words in lower case, data that stands side by side as one."""
    found: list[str] = []
    for word in re.findall(r"<x>|\w+", re.sub(r"\d+", f" {DATA} ", text.lower())):
        if word != DATA or found[-1:] != [DATA]:
            found.append(word)
    return found


def runs(some: Sequence[str], size: int) -> set[tuple[str, ...]]:
    """Its runs of so many words that hold data at most once."""
    every = (tuple(some[at : at + size]) for at in range(len(some) - size + 1))
    return {run for run in every if run.count(DATA) < 2}


def rows(folder: Path) -> Iterator[list[str]]:
    """The labelled texts without their data."""
    for name in FILES:
        for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            text = row["text"]
            for start, end, _ in sorted(row.get("spans") or [], reverse=True):
                text = f"{text[:start]} {DATA} {text[end:]}"
            yield words(text)


def near(sentence: Sequence[str], row: Sequence[str]) -> bool:
    """Whether the sentence comes too near to the row."""
    if runs(sentence, 5) & runs(row, 5):
        return True
    four = runs(sentence, 4)
    if four and len(four & runs(row, 4)) * 2 >= len(four):
        return True
    return difflib.SequenceMatcher(None, sentence, row, autojunk=False).ratio() > MOST


def main(argv: Sequence[str]) -> int:
    known = {tuple(one) for one in rows(Path(argv[0]))}
    by_pair: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for row in known:
        for pair in runs(row, 2):
            by_pair.setdefault(pair, set()).add(row)
    lines = [one for one in SENTENCES.read_text(encoding="utf-8").splitlines() if not one.startswith("#")]
    found = 0
    for line in lines:
        sentence = words(re.sub(r"\{[a-z]\}", f" {DATA} ", line.replace("\\n", " ")))
        beside = {row for pair in runs(sentence, 2) for row in by_pair.get(pair, ())}
        if any(near(sentence, row) for row in beside):
            found += 1
            print(line)
    print(f"{found} of {len(lines)} sentences come too near to one of {len(known)} rows")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
