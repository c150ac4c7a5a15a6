"""An open store, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine.store import SqlStore
from tests.store.gate import Gate


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """An open store."""
    url = str(tmp_path / "app.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = SqlStore(url, durability="relaxed")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def gate(store: SqlStore) -> Iterator[Gate]:
    made = Gate(store)
    yield made
    made.open()
