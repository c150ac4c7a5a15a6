"""A run is cancelled from another process, whatever state it is in: it ends as cancelled, with all below it."""

from __future__ import annotations

from pathlib import Path

from tests.durability.forks import report_of


def test_whatever_a_run_does_another_process_can_cancel_it(empty: str, tmp_path: Path) -> None:
    report = report_of("cancels", empty, tmp_path)
    assert set(report["crowd"]) <= {"completed", "cancelled"}
    assert sum(report["crowd"].values()) == 40
