"""A run that waits for approval costs the process that ran it nothing: no task, no thread, no memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability.forks import report_of

pytestmark = pytest.mark.once


def test_many_runs_wait_and_nothing_of_them_is_held(tmp_path: Path) -> None:
    report = report_of("parked", f"sqlite:///{tmp_path}/app.db", 1000, 1000)
    assert report["runs"] == 2000
    assert report["contexts"] == report["threads"] == 0
    assert report["blocks_a_run"] < 1, "what is left of each run"
    assert report["bytes_a_run"] < 8192, "SQLite's own caches grow to their bounds, and no more"
