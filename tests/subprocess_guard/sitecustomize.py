"""Puts the network guard into every Python that a test starts with this folder on its PYTHONPATH."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("network_guard", Path(__file__).parents[1] / "network_guard.py")
assert _spec is not None
assert _spec.loader is not None
_guard = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_guard)
_guard.NetworkGuard().install()
