"""The journal mode of a SQLite file: WAL wherever that is safe, else TRUNCATE.

Before 3.51.3 SQLite can damage a WAL database when one connection commits while another one runs a checkpoint.  Here no
two can: each write transaction, with the checkpoint that its commit may start, is made behind one lock on a file, and
readers never run one.  (The close of a file's last connection does, behind SQLite's own exclusive lock.)  What cannot be
kept behind that lock are the writes of others, so with such a version a file that holds tables of the host's own stays
out of WAL mode; and so does one on a file system that several kernels share, which have no memory in common.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from promptrails_engine.store.sql.database import Database
from promptrails_engine.store.sql.placement import shared_type

WAL_SAFE_SINCE = (3, 51, 3)
_SWITCH_WAIT_MS = 1000
"""A file that others are using is not waited for."""
_log = logging.getLogger("promptrails_engine.store")
