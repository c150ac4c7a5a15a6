"""The databases of services that run DBOS."""

from __future__ import annotations

import pytest

from tests.fleets.kit import SQLITE_SERVES_DBOS


@pytest.fixture
def database(empty: str) -> str:
    """The URL of an empty database that serves the engine's store and DBOS."""
    if empty.startswith("sqlite") and not SQLITE_SERVES_DBOS:
        pytest.skip("DBOS needs SQLite 3.42 on this Python")
    return empty
