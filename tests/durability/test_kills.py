"""Runs survive SIGKILL: nothing is lost, nothing on record is repeated, and every doubt is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.durability.crew import KINDS

ROOT = Path(__file__).resolve().parents[2]


def killed(url: str, folder: Path, how: str, number: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.durability.kills", url, str(folder), how, str(number)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["lost"] == report["repeated"] == report["missing"] == report["unreported"] == [], report
    return report


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_dies_at_any_point_of_it_goes_on(empty: str, tmp_path: Path, kind: str) -> None:
    report = killed(empty, tmp_path, kind, 1)
    assert report["kills"] >= 30
    assert report["in_doubt"] > 0


def test_many_runs_that_die_at_any_moment_go_on(empty: str, tmp_path: Path) -> None:
    report = killed(empty, tmp_path, "random", 20)
    assert report["kills"] == 20
    assert report["executions"] > 0
