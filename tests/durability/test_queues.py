"""Two workers on one store run what is queued: each run once, also where one of them is killed, and fairly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability.forks import report_of

pytestmark = pytest.mark.once


def test_two_workers_run_each_queued_run_once_although_one_is_killed(postgres_url: str, tmp_path: Path) -> None:
    report = report_of("queues", postgres_url, tmp_path, 600, "kill", 8)
    assert report["runs"] == 600
    # A second time, too, where the machine keeps the other one waiting for longer than its lease of a second.
    assert {"0", "1"} <= set(report["attempts"]), "the one that was killed had some going on"
    # One after another would be 540, 594 and 600.
    assert report["last_place"]["small"] < 200
    assert report["last_place"]["middling"] < 400


def test_a_worker_that_runs_one_at_a_time_is_fair_too(tmp_path: Path) -> None:
    report = report_of("queues", f"sqlite:///{tmp_path}/app.db", tmp_path, 200, "keep", 1)
    # Of 180, 18 and 2 runs; one after another the last of them would be at 180, 198 and 200.
    assert report["last_place"]["small"] < 20
    assert report["last_place"]["middling"] < 60
