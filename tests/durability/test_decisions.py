"""A request is decided once: by one of many processes, or by its expiry, and its run ends in that one way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability.forks import report_of

pytestmark = pytest.mark.once


def test_of_twenty_processes_that_decide_at_once_one_wins_and_the_others_learn_who(empty: str, tmp_path: Path) -> None:
    report = report_of("decisions", empty, tmp_path, "contested", 30)
    assert report["rounds"] == 30
    assert report["reached_the_store"] > 60, "nobody was fast enough to be second"


def test_a_request_is_decided_or_expires_and_never_both(empty: str, tmp_path: Path) -> None:
    report = report_of("decisions", empty, tmp_path, "expiring", 100)
    assert report["approved"] > 0
    assert report["expired"] > 0
