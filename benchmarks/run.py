"""Measures the engine against bare floors and prints a table of goals with the figures reached.

Usage: python benchmarks/run.py [--quick] [--case NAME ...] [--json FILE] [--strict]
                                [--peers ENVIRONMENTS --peer-scripts SCRIPTS]

The exit code is 1 if a case fails, such as by a wrong output; with --strict also if a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import report
from harness import Goal, Row
from peers import Peers
from worker import CASES

TIMEOUT_S = 1800


def main() -> int:
    arguments = parsed()
    peers = Peers(arguments.peers, arguments.peer_scripts) if arguments.peers else None
    print(report.machine(), end="\n\n")
    print(report.header(peers=peers is not None), flush=True)
    rows: list[Row] = []
    failures: list[str] = []
    for case in arguments.case or CASES:
        report.progress(f"measuring {case} ...")
        found = measure(case, quick=arguments.quick)
        if isinstance(found, str):
            failures.append(f"{case}: {found}")
            continue
        for row in found:
            rows.append(row)
            best = peers.best(row.case) if peers else None
            report.progress("")
            print(report.line(row, best, peers=peers is not None), flush=True)
    report.progress("")
    print(*failures, sep="\n", file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps(document(rows, peers), indent=1), encoding="utf-8")
    missed = [row.case for row in rows if row.met is False]
    print(f"\n{sum(row.met is True for row in rows)} goals met, {len(missed)} missed")
    return 1 if failures or (arguments.strict and missed) else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="little of everything: shows that it works, not how fast")
    parser.add_argument("--case", action="append", choices=CASES, help="only this case; may be given again")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    parser.add_argument("--strict", action="store_true", help="a missed goal is an error")
    parser.add_argument("--peers", type=Path, metavar="DIR", help="virtual environments of other libraries, by name")
    parser.add_argument("--peer-scripts", type=Path, metavar="DIR", help="their scripts, <name>_peer.py, and floor.py")
    arguments = parser.parse_args()
    if (arguments.peers is None) != (arguments.peer_scripts is None):
        parser.error("--peers and --peer-scripts go together")
    return arguments


def measure(case: str, *, quick: bool) -> list[Row] | str:
    """The rows of a case, run in a process of its own; or how it failed."""
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), case, *(["--quick"] if quick else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"not done after {TIMEOUT_S} seconds"
    if done.returncode:
        return done.stderr.strip()[-3000:]
    return [row_from(data) for data in json.loads(done.stdout.strip().splitlines()[-1])]


def row_from(data: dict[str, Any]) -> Row:
    goal = data.pop("goal")
    return Row(**data, goal=None if goal is None else Goal(**goal))


def document(rows: list[Row], peers: Peers | None) -> dict[str, Any]:
    figures = [
        asdict(row) | {"ratio": row.ratio, "met": row.met} | ({"peers": peers.figures(row.case)} if peers else {})
        for row in rows
    ]
    return {"machine": report.machine(), "rows": figures}


if __name__ == "__main__":
    sys.exit(main())
