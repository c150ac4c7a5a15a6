"""What a user names becomes a store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from promptrails_engine.errors import ConfigurationError, MissingExtraError, StoreError
from promptrails_engine.store import MemoryStore, SqlStore, open_store
from promptrails_engine.testing.store_conformance.rows import execution


def names(folder: Path) -> set[str]:
    """The files there that hold something."""
    return {path.name for path in folder.iterdir() if path.is_file() and path.stat().st_size}


def test_none_is_memory() -> None:
    assert isinstance(open_store(None), MemoryStore)


@pytest.mark.parametrize("form", ["{path}", "sqlite:///{path}", "sqlite+pysqlite:///{path}"])
async def test_a_path_or_a_url_is_a_file(tmp_path: Path, form: str) -> None:
    path = tmp_path / "with space.db"
    store = open_store(form.format(path=path))
    assert isinstance(store, SqlStore)
    assert store.shared
    await store.open()
    await store.close()
    assert names(tmp_path) == {path.name}


async def test_a_relative_path_means_the_directory_of_its_making(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    stores = [open_store("one.db"), open_store("sqlite:///two.db"), SqlStore(Path("three.db"))]
    monkeypatch.chdir(tmp_path / "elsewhere")
    for store in stores:
        await store.open()
        await store.close()
    assert names(tmp_path) == {"one.db", "two.db", "three.db"}
    assert names(tmp_path / "elsewhere") == set()


@pytest.mark.parametrize(
    "target",
    [
        "mysql://host/db",
        "postgresql+asyncpg://host/db",
        "sqlite+aiosqlite:///x.db",
        "redis://host",
        "://",
        "http://[broken",
        "",
        ":memory:",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite://user@host/x.db",
        "sqlite:///file:x?mode=memory&uri=true",
    ],
)
def test_what_cannot_be_a_store_is_refused(target: str) -> None:
    with pytest.raises(ConfigurationError, match=r"None|sqlite:///"):
        open_store(target)


def test_durability_is_one_of_two() -> None:
    with pytest.raises(ConfigurationError, match="relaxed"):
        SqlStore("x.db", durability="none")  # type: ignore[arg-type]  # refused


def test_the_password_is_not_shown() -> None:
    store = SqlStore("postgresql://user:hunter2@host/db")
    assert "hunter2" not in repr(store)
    assert "user:***@host" in repr(store)


async def test_postgres_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptrails_engine.require.installed", lambda module: module != "psycopg")
    with pytest.raises(MissingExtraError, match=r"promptrails-engine\[postgres\]"):
        await SqlStore("postgres://host/db").open()


async def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "x.db")
    with pytest.raises(StoreError, match="not open"):
        await store.get_execution("ws", "x")
    await store.open()
    await store.open()
    await store.begin_execution(execution("ws", id="e"), wait=True)
    await store.close()
    for call in (
        store.get_execution("ws", "x"),
        store.definitions_stamp("ws"),
        store.begin_execution(execution("ws"), wait=False),
    ):
        with pytest.raises(StoreError, match="not open"):
            await call
    await store.open()
    assert await store.get_execution("ws", "e") is not None
    await store.close()


def test_opening_what_is_up_to_date_loads_no_alembic(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from promptrails_engine.store import SqlStore\n"
        "async def main():\n"
        "    store = SqlStore(sys.argv[1]); await store.open(); await store.close()\n"
        "asyncio.run(main())\n"
        "print('alembic' in sys.modules, 'sqlalchemy.dialects.postgresql' in sys.modules)\n"
    )
    said = [
        subprocess.run([sys.executable, "-c", code, tmp_path / "x.db"], check=True, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [one.stdout.split()[0] for one in said] == ["True", "False"]
    assert said[1].stdout.split()[1] == "False"
