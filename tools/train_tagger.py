"""Trains the tagger of names and addresses, and says how good it is.

Usage: python tools/train_tagger.py FOLDER WORDS --write FILE      trains on all rows
       python tools/train_tagger.py FOLDER WORDS --check           prints the figures of the pages

The pages are docs/scanner-pii.md, docs/scanner-sensitive.md and docs/scanner-anonymize.md.  FOLDER holds pii.jsonl,
sensitive.jsonl and anonymize.jsonl, a row a line: text, label, source, and spans (start, end, type).  WORDS is a list
of English words, one a line, as Debian's package wamerican-small has one; it and the texts of the other files of FOLDER
tell which words are common, and nothing else is taken from them.

--check trains four times without a quarter of the templates, and reads their texts with the scanners: with the rules
and the tagger alone and, where it is installed, with Presidio.  Then it leaves out each source that it reads, and reads
pii_fixtures.jsonl of the folder with the weights of the package.  With --kept FOLDER the weights of the quarters are
kept there, and taken from there the next time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scanners"), str(ROOT / "tools")]

from tagger_field import train  # noqa: E402
from tagger_figures import check, fixtures, without_sources  # noqa: E402
from tagger_rows import Row, learnt, read, read_file  # noqa: E402
from tagger_words import tables  # noqa: E402

from promptrails_engine.require import installed  # noqa: E402

SOURCES = ("WNUT", "presidio-research")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("words", type=Path)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", type=Path, metavar="FILE")
    what.add_argument("--check", action="store_true")
    parser.add_argument("--kept", type=Path, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--folds", type=int, default=4)
    given = parser.parse_args()
    rows, known = read(given.folder), tables(given.folder, given.words)

    def trained(some: Sequence[Row], seed: int) -> bytes:
        return train(some, known, given.epochs, seed).packed(known)

    if given.check:
        engines = ["builtin"] + ["presidio"] * installed("presidio_analyzer")
        check(rows, trained, given.folds, engines, given.kept)
        without_sources(rows, trained, SOURCES)
        fixtures(read_file(given.folder / "pii_fixtures.jsonl"), engines)
        return 0
    data = trained(learnt(rows), 0)
    given.write.write_bytes(data)
    print(f"{given.write}: {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
