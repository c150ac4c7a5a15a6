"""A SQLite file with orders, customers, and things that nobody should see."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

SCHEMA = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL, pieces INTEGER, price REAL, note TEXT);
INSERT INTO orders VALUES
  (1, 'kettle', 2, 19.5, NULL), (2, 'toaster', 1, 9e999, 'it''s :urgent'), (3, 'kettle', 5, 20, '');
CREATE TABLE secrets (key TEXT);
INSERT INTO secrets VALUES ('hidden-3f9a');
CREATE VIEW keys AS SELECT key FROM secrets;
CREATE TABLE files (name TEXT, body BLOB);
INSERT INTO files VALUES ('raw', x'00ff'), ('long', zeroblob(400000));
"""


def make_shop(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The file; its name has what a URI would read otherwise."""
    return make_shop(tmp_path / "shop ?a#b%20.db")
