"""Runs survive SIGKILL: nothing is lost, nothing on record is repeated, and every doubt is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.durability.crew import KINDS
from tests.durability.forks import report_of

pytestmark = pytest.mark.once


def killed(url: str, folder: Path, how: str, number: int) -> dict[str, Any]:
    report: dict[str, Any] = report_of("kills", url, folder, how, number)
    assert report["lost"] == report["repeated"] == report["missing"] == report["unreported"] == [], report
    return report


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_dies_at_any_point_of_it_goes_on(empty: str, tmp_path: Path, kind: str) -> None:
    # In all more than 300 kills; of the longest run each second point is enough where processes take longer to start.
    report = killed(empty, tmp_path, kind, 2 if kind == "composite" and "postgresql" in empty else 1)
    assert report["kills"] >= 25
    assert report["in_doubt"] > 0


def test_many_runs_that_die_at_any_moment_go_on(empty: str, tmp_path: Path) -> None:
    report = killed(empty, tmp_path, "random", 20)
    assert report["kills"] == 20
    assert report["executions"] > 0
