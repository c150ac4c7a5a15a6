"""One PostgreSQL server for each test process; files for SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from promptrails_engine.store import SqlStore
from promptrails_engine.store.sql.database import Database, parse_url
from tests.store.gate import Gate
from tests.store.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running server; fails, and does not skip, where its programs are missing."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """The URL of its database."""
    return postgres.url


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/app.db"
        return
    server: str = request.getfixturevalue("postgres_url")
    admin = Database(parse_url(server), "full")
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE empty"))
        yield make_url(server).set(database="empty").render_as_string(hide_password=False)
        connection.execute(text("DROP DATABASE empty WITH (FORCE)"))
    admin.engine.dispose()


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
