"""Agents run by a durable engine that is there already.  Loaded at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

if TYPE_CHECKING:
    from promptrails_engine.fleets.dbos import AgentRun, DBOSAgents

__all__ = ["AgentRun", "DBOSAgents"]

_HOMES = {"AgentRun": "dbos", "DBOSAgents": "dbos"}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
