"""A process that was stopped until others took over changes nothing when it goes on, and its caller is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability.forks import report_of

pytestmark = pytest.mark.once


def test_who_sleeps_past_his_lease_has_no_say_any_more(empty: str, tmp_path: Path) -> None:
    outcomes = report_of("stopped", empty, tmp_path, 18)["outcomes"]
    never = outcomes.pop("never stopped", 0)  # a busy machine may have it pass a point less
    assert set(outcomes) == {
        "hiccup: FencedError",
        "execute: FencedError",
        "stream: FencedError",
        "worker: worked on: completed",
    }
    assert sum(outcomes.values()) + never == 19
    assert never <= 3
