"""What every run of one engine shares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from promptrails_engine.clock import Clock
from promptrails_engine.ids import IdFactory
from promptrails_engine.models.registry import ModelRegistry
from promptrails_engine.ports.store import Store
from promptrails_engine.run.hooks import Hooks
from promptrails_engine.run.rate_limits import RateLimits
from promptrails_engine.run.scans import Scans
from promptrails_engine.tracing.hub import SinkHub


@dataclass(slots=True)
class Services:
    """Ports and parts that a run works with; one object an engine."""

    workspace_id: str
    store: Store
    sinks: SinkHub
    models: ModelRegistry
    ids: IdFactory
    clock: Clock
    random: Callable[[], float]
    """A number from 0 to 1, for the jitter of retries."""
    rate_limits: RateLimits
    hooks: Hooks
    scans: Scans
    sleep: Callable[[float], Awaitable[None]]
    """Waits so many seconds between two looks at a media job."""
