"""A run is cancelled from another process, whatever state it is in: it ends as cancelled, with all below it, and no further effect begins."""

from __future__ import annotations

from pathlib import Path

from tests.durability.forks import report_of


def test_whatever_a_run_does_another_process_can_cancel_it(empty: str, tmp_path: Path) -> None:
    report = report_of("cancels", empty, tmp_path)
    assert [busy["announced_later"] for busy in report["busy"]] == [0, 0, 0, 0], report["busy"]
    assert set(report["crowd"]) <= {"completed", "cancelled"}
    assert sum(report["crowd"].values()) == 40
