"""Every scanner finds most of what it should in texts of our own, and little else."""

from __future__ import annotations

import pytest

from tests.scanners.fourteen import MODULES, NAMES
from tests.scanners.own_rows import ROWS


def test_every_scanner_has_rows() -> None:
    assert sorted(ROWS) == NAMES
    assert all(len(rows.found) >= 5 and len(rows.clean) >= 10 for rows in ROWS.values())


@pytest.mark.parametrize("name", NAMES)
def test_floors(name: str) -> None:
    rows = ROWS[name]
    scanner = MODULES[name].build(rows.config)
    missed = [text for text in rows.found if not scanner.scan(text).triggered]
    alarms = [text for text in rows.clean if scanner.scan(text).triggered]
    assert len(missed) <= rows.missed, missed
    assert len(alarms) <= rows.alarms, alarms
