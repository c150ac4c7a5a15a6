"""Executions that wait, moved to newer versions."""

from __future__ import annotations
