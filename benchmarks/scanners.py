"""Measures our scanners beside others that work offline, in speed and in quality, and prints a table.

Usage: python benchmarks/scanners.py [--peers ENVIRONMENTS] [--kind KIND ...] [--repeats N] [--quick] [--json FILE]

ENVIRONMENTS holds a virtual environment for each of the others, named as its script in scanner_peers; those that are
not there are named, and left out.  Quality is measured where PROMPTRAILS_SCANNER_DATA names a folder of labelled rows.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import report
from case_scanners import OPTIONS
from scanner_texts import ROOT, data_file, kilobytes, long_text, read_rows

HERE = Path(__file__).parent
OURS = "promptrails"
FITTED = {"pii", "sensitive", "prompt_injection", "toxicity", "harmful", "bias", "no_refusal", "malicious_urls"}
"""Their models were fitted on these rows: what is shown of them is the cross-validated figure of docs/scanners.md."""
TEXTS = 120
TIMEOUT_S = 1800
COLUMNS = {
    "kind": 9, "scanner": 26, "1 KB p50": 8, "p99": 8, "64 KB": 9, "load": 8, "memory": 9, "F1": 7, "false alarms": 12,
}  # fmt: skip


@dataclass(frozen=True)
class Contender:
    script: str
    variant: str = ""

    @property
    def name(self) -> str:
        return f"{self.script} {self.variant}".strip()


SPACY = Contender("presidio", "with spaCy small")
BESIDE: dict[str, tuple[Contender, ...]] = {
    "pii": (Contender("presidio", "patterns"), SPACY, Contender("datafog")),
    "sensitive": (Contender("presidio", "patterns"), SPACY, Contender("datafog")),
    "secrets": (Contender("detect_secrets"), Contender("detect_secrets", "all plugins")),
    "toxicity": (Contender("alt_profanity_check"), Contender("better_profanity")),
    "language": (Contender("py3langid"), Contender("lingua")),
}
"""By kind, those that ours is measured beside."""


def main() -> int:
    arguments = parsed()
    print(report.machine(), end="\n\n")
    print(row(dict(zip(COLUMNS, COLUMNS, strict=True))))
    print("|" + "|".join("-" * (width + 2) for width in COLUMNS.values()) + "|")
    everything, absent = [], set[str]()
    for kind in arguments.kind or BESIDE:
        there = [Contender(OURS)]
        for peer in BESIDE[kind]:
            if interpreter(peer, arguments.peers).exists():
                there.append(peer)
            else:
                absent.add(peer.script)
        for contender, figures in side_by_side(kind, there, arguments).items():
            print(line(kind, contender, figures), flush=True)
            everything.append({"kind": kind, "scanner": contender.name, **figures})
    if absent:
        print(f"\nNot installed, so not measured: {', '.join(sorted(absent))}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": report.machine(), "rows": everything}, indent=1))
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, metavar="DIR", help="virtual environments of the others, by name")
    parser.add_argument("--kind", action="append", choices=BESIDE, help="only this kind; may be given again")
    parser.add_argument("--repeats", type=int, default=3, help="so many processes each; the median is shown")
    parser.add_argument("--quick", action="store_true", help="little of everything: shows that it works, not how fast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    return parser.parse_args()


def interpreter(contender: Contender, environments: Path | None) -> Path:
    if contender.script == OURS:
        return Path(sys.executable)
    return (environments or Path("none")).resolve() / contender.script / "bin" / "python"


def side_by_side(
    kind: str, contenders: list[Contender], arguments: argparse.Namespace
) -> dict[Contender, dict[str, Any]]:
    """Their figures: each in fresh processes, in turns, the median of those; quality once."""
    found: dict[Contender, list[dict[str, Any]]] = {contender: [] for contender in contenders}
    for number in range(1 if arguments.quick else arguments.repeats):
        for contender in contenders:
            rated = number == 0 and not (contender.script == OURS and kind in FITTED)
            work = job(kind, rated=rated, quick=arguments.quick)
            found[contender].append(run(contender, kind, work, interpreter(contender, arguments.peers)))
    return {contender: figures_of(kind, contender, runs) for contender, runs in found.items()}


def job(kind: str, *, rated: bool, quick: bool) -> dict[str, Any]:
    path, text = data_file(kind), long_text(kind)
    rows = read_rows(path) if path and rated else []
    options = next((row["options"] for row in rows if row.get("options")), OPTIONS.get(kind, {}))
    pieces = kilobytes(text, 30 if quick else TEXTS)
    long = (text * (1 + 2**16 // len(text)))[: 2**12 if quick else 2**16]
    rows = rows[:60] if quick else rows
    return {"warm": pieces[:10], "texts": pieces[10:], "long": long, "options": options, "rows": rows}


def run(contender: Contender, kind: str, work: dict[str, Any], python: Path) -> dict[str, Any]:
    script = HERE / "scanner_peers" / f"{contender.script}.py"
    command = [str(python), str(HERE / "scanner_worker.py"), str(script), kind, contender.variant]
    environment, given = os.environ | {"DO_NOT_TRACK": "1", "DATAFOG_NO_TELEMETRY": "1"}, json.dumps(work)
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment
    )
    if done.returncode:
        raise SystemExit(f"{contender.name}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def figures_of(kind: str, contender: Contender, runs: list[dict[str, Any]]) -> dict[str, Any]:
    timed = ("load_ms", "rss_mib", "p50_ms", "p99_ms", "long_ms")
    figures = {name: statistics.median(run[name] for run in runs) for name in timed if runs[0][name] is not None}
    rated = {name: value for name, value in runs[0].items() if name not in timed}
    if contender.script == OURS and kind in FITTED:
        rated = documented(kind)
    return figures | rated


def documented(kind: str) -> dict[str, Any]:
    """Our cross-validated figures, as the index of the documents has them and its tests hold them to the pages."""
    index = (ROOT / "docs/scanners.md").read_text(encoding="utf-8")
    found = re.search(rf"^\| \[{kind}\].*\| ([\d.]+) \| ([\d.]+) \| [\d.]+ \|$", index, re.MULTILINE)
    return {} if found is None else {"f1": float(found[1]), "false_alarms": float(found[2]), "cross_validated": True}


def line(kind: str, contender: Contender, figures: dict[str, Any]) -> str:
    mark = " *" if figures.get("cross_validated") else ""
    memory = figures.get("rss_mib")
    return row({
        "kind": kind,
        "scanner": contender.name,
        "1 KB p50": report.figure(figures["p50_ms"], "ms"),
        "p99": report.figure(figures["p99_ms"], "ms"),
        "64 KB": report.figure(figures["long_ms"], "ms"),
        "load": report.figure(figures["load_ms"], "ms"),
        "memory": "" if memory is None else report.figure(memory, "MiB"),
        "F1": f"{figures['f1']:.3f}{mark}" if "f1" in figures else "",
        "false alarms": f"{figures['false_alarms']:.3f}{mark}" if "f1" in figures else "",
    })  # fmt: skip


def row(cells: dict[str, Any]) -> str:
    return "| " + " | ".join(str(cells[name]).ljust(width) for name, width in COLUMNS.items()) + " |"


if __name__ == "__main__":
    sys.exit(main())
