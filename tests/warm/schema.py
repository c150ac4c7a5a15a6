"""Imported where processes are forked, for what it does: they give new SQLite files the schema without migrations."""

from __future__ import annotations

from sqlalchemy import create_engine

from promptrails_engine.store import sql
from promptrails_engine.store.sql.tables import VERSION_TABLE
from promptrails_engine.store.sql.upgrade import upgrade_to_head
from tests.store.migrated import run_once

_upgrade = run_once(upgrade_to_head)
_engine = create_engine("sqlite://")
with _engine.connect() as _connection:
    _upgrade(_connection, VERSION_TABLE)
_engine.dispose()
sql.upgrade_to_head = _upgrade
