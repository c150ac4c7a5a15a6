"""What is still found when a text is written so that people still read it and patterns do not.

Usage: python benchmarks/scanner_tricks.py [KIND ...]

Needs the labelled rows that PROMPTRAILS_SCANNER_DATA names. Of up to a hundred texts that a scanner finds as they are
written, it prints the part that it finds behind each trick; and of sixty that it lets pass, the part it finds then.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from scanner_texts import ROOT, data_file, read_rows

sys.path.append(str(ROOT / "tools"))
TRICKS: dict[str, Callable[[str], str]] = dict(import_module("evasions").TRICKS)
OPTIONS: dict[str, dict[str, Any]] = {"ban_substrings": {"normalise": "aggressive"}, "pii": {"engine": "builtin"}}
KINDS = ("prompt_injection", "toxicity", "harmful", "bias", "no_refusal", "pii", "ban_substrings", "ban_topics")
FOUND, PASSED, LONGEST = 100, 60, 1500


def main() -> int:
    print(f"| {'scanner':16} | {' | '.join(TRICKS)} |")
    for kind in sys.argv[1:] or KINDS:
        path = data_file(kind)
        if path is None:
            print(f"no labelled rows for {kind}", file=sys.stderr)
            return 1
        rows = [row for row in read_rows(path) if len(row["text"]) < LONGEST]
        random.Random(5).shuffle(rows)
        triggered = detector(kind)
        found = [row for row in rows if row["label"] and triggered(row, str)][:FOUND]
        passed = [row for row in rows if not row["label"] and not triggered(row, str)][:PASSED]
        for name, some in ((kind, found), ("  false alarms", passed)):
            cells = (f"{part(some, triggered, trick):.2f}".rjust(len(told)) for told, trick in TRICKS.items())
            print(f"| {name:16} | {' | '.join(cells)} |", flush=True)
    return 0


def detector(kind: str) -> Callable[[dict[str, Any], Callable[[str], str]], bool]:
    """Whether the scanner triggers on a row that was written so."""
    scan = import_module(f"promptrails_scanners.{kind}").scan
    more = OPTIONS.get(kind, {})
    return lambda row, trick: scan(trick(row["text"]), **{**(row.get("options") or {}), **more}).triggered


def part(rows: Sequence[dict[str, Any]], triggered: Callable[..., bool], trick: Callable[[str], str]) -> float:
    return sum(triggered(row, trick) for row in rows) / max(1, len(rows))


if __name__ == "__main__":
    sys.exit(main())
