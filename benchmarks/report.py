"""The table: one line a figure, with its goal and whether it was reached."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

from harness import Goal, Row
from peers import PeerFigure

COLUMNS = {"case": 41, "floor": 11, "ours": 11, "ratio": 6, "goal": 9, "": 6}
PEER_COLUMNS = {"best peer": 14, "its figure": 11, "its ratio": 9}
NOTE = "note"


def machine() -> str:
    """Date, Python and machine in a line."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, CPython {platform.python_version()}, {os.cpu_count()} cores ({processor()}), "
        f"{platform.system()}, SQLite {sqlite3.sqlite_version}{load}"
    )


def processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def header(*, peers: bool) -> str:
    widths = columns(peers=peers)
    line = "| " + " | ".join(name.ljust(width) for name, width in widths.items()) + f" | {NOTE} |"
    return line + "\n|" + "|".join("-" * (width + 2) for width in widths.values()) + f"|{'-' * (len(NOTE) + 2)}|"


def line(row: Row, peer: PeerFigure | None, *, peers: bool) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    cells = [row.case, figure(row.floor, row.unit), figure(row.ours, row.unit), ratio, shown_goal(row), verdict(row)]
    if peers:
        cells += ["", "", ""] if peer is None else [peer.peer, figure(peer.figure, row.unit), f"{peer.ratio:.1f}"]
    widths = columns(peers=peers).values()
    first, *rest = (
        cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join([first, *rest])} | {row.note} |"


def columns(*, peers: bool) -> dict[str, int]:
    return COLUMNS | PEER_COLUMNS if peers else COLUMNS


def figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if abs(value) >= 1000 or not unit else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def shown_goal(row: Row) -> str:
    goal = row.goal
    if goal is None:
        return ""
    unit = "x" if goal.of == "ratio" else row.unit
    return bound(goal, unit)


def bound(goal: Goal, unit: str) -> str:
    sign, value = ("<=", goal.most) if goal.most is not None else (">=", goal.least)
    return f"{sign} {value:g}{'' if unit == 'x' else ' '}{unit}".strip()


def verdict(row: Row) -> str:
    return {None: "", True: "met", False: "missed"}[row.met]


def progress(text: str) -> None:
    """Where somebody is looking: what is being measured."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
