"""Other libraries on the same work, by scripts of theirs that the caller names.

A script `<peer>_peer.py CASE` runs under the Python of the environment `<peer>` and prints a line of JSON, with
`cpu_us` for a run; `floor.py`, under the environment `floor`, is their common floor.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import work

FLOOR = "floor"
REPEATS = 3
TIMEOUT_S = 600


@dataclass(frozen=True)
class Match:
    """The peers' case for a row of ours, and how its line becomes the row's figure."""

    case: str
    figure: Callable[[dict[str, Any]], float]


@dataclass(frozen=True)
class PeerFigure:
    peer: str
    figure: float
    floor: float

    @property
    def ratio(self) -> float:
        return self.figure / self.floor


def _a_run(line: dict[str, Any]) -> float:
    return float(line["cpu_us"])


MATCHES = {
    "simple run": Match("simple", _a_run),
    "chain of three": Match("chain3", _a_run),
    "tool round": Match("tool1", _a_run),
    "streamed chunk": Match("stream", lambda line: line["cpu_us"] / work.CHUNKS),
    "1000 at once, CPU time": Match("concurrent1000", lambda line: line["cpu_us"] * line["n"] / 1000),
    "stored run, durability full, CPU": Match("persist", _a_run),
}
"""By the case of the row."""


class Peers:
    """The peers that have both an environment and a script; a case is run for all of them in turns, once."""

    def __init__(self, environments: Path, scripts: Path) -> None:
        self._environments = environments
        self._scripts = scripts
        names = sorted(path.name for path in environments.iterdir() if (path / "bin" / "python").exists())
        self._names = [name for name in names if name != FLOOR and self._script(name).exists()]
        self._figures: dict[str, dict[str, float]] = {}

    def _script(self, name: str) -> Path:
        return self._scripts / (f"{name}.py" if name == FLOOR else f"{name}_peer.py")

    def figures(self, row: str) -> dict[str, float]:
        """By peer, the floor among them, the median figure for this row; {} where the peers have no such case."""
        match = MATCHES.get(row)
        if match is None:
            return {}
        if row not in self._figures:
            found: dict[str, list[float]] = {}
            for _ in range(REPEATS):
                for name in [FLOOR, *self._names]:
                    value = self._measure(name, match)
                    if value is not None:
                        found.setdefault(name, []).append(value)
            self._figures[row] = {name: statistics.median(values) for name, values in found.items()}
        return self._figures[row]

    def best(self, row: str) -> PeerFigure | None:
        """The peer that needs least."""
        figures = dict(self.figures(row))
        floor = figures.pop(FLOOR, None)
        if floor is None or not figures:
            return None
        name = min(figures, key=lambda peer: figures[peer])
        return PeerFigure(name, figures[name], floor)

    def _measure(self, name: str, match: Match) -> float | None:
        """The figure of one peer; None where it has no such case."""
        python = self._environments / name / "bin" / "python"
        command = [str(python), self._script(name).name, match.case]
        done = subprocess.run(
            command, cwd=self._scripts, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        if done.returncode:
            return None
        return match.figure(json.loads(done.stdout.strip().splitlines()[-1]))
