"""What one process parked, a second one approves and a third one ends: nothing twice, nothing lost, one trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability.desk import KINDS
from tests.durability.forks import report_of

pytestmark = pytest.mark.once


def test_a_run_is_parked_decided_and_ended_by_three_processes(empty: str, tmp_path: Path) -> None:
    report = report_of("handover", empty, tmp_path)
    assert report == dict.fromkeys(KINDS, 1)
