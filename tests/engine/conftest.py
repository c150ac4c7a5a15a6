"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import kit


@pytest.fixture(params=["memory", "sqlite"])
def each_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Run the test on an engine in memory, and on one over a SQLite file."""
    token = kit.STORE.set(None if request.param == "memory" else str(tmp_path / "app.db"))
    yield
    kit.STORE.reset(token)
