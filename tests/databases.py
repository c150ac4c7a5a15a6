"""Databases for tests: a PostgreSQL server for each test process, files for SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from promptrails_engine.store import sql
from promptrails_engine.store.sql.upgrade import upgrade_to_head
from tests.store.migrated import run_once
from tests.store.postgres_server import PostgresServer


@pytest.fixture(scope="session", autouse=True)
def migrated_once() -> Iterator[None]:
    """New SQLite files get the schema that the migrations came to, which run for the first one alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql, "upgrade_to_head", run_once(upgrade_to_head))
        yield


@pytest.fixture
def real_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every database is migrated, as it is for users."""
    monkeypatch.setattr(sql, "upgrade_to_head", upgrade_to_head)


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
    url = make_url(request.getfixturevalue("postgres_url"))
    admin = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE empty"))
        yield url.set(database="empty").render_as_string(hide_password=False)
        connection.execute(text("DROP DATABASE empty WITH (FORCE)"))
    admin.dispose()
