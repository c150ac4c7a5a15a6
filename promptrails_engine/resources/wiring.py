"""From what an engine was given to the parts that its resources work with."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from promptrails_engine.catalog.agents import AgentCatalog
from promptrails_engine.catalog.base import CatalogContext
from promptrails_engine.catalog.given import GivenAdapters
from promptrails_engine.catalog.node_adapters import NodeAdapters
from promptrails_engine.catalog.planner import Planner
from promptrails_engine.catalog.prompts import PromptCatalog
from promptrails_engine.catalog.providers import Providers
from promptrails_engine.catalog.serving import ModelDirectory
from promptrails_engine.clock import Clock, SleepingClock
from promptrails_engine.definitions.settings import DEFAULT_LIMITS, Limits, RateLimit
from promptrails_engine.dispatch.dispatcher import Dispatcher
from promptrails_engine.dispatch.intake import Intake
from promptrails_engine.dispatch.options import WorkOptions
from promptrails_engine.guardrails.scanners import Scanners
from promptrails_engine.ids import IdFactory
from promptrails_engine.models.registry import LLMModel, ModelRegistry
from promptrails_engine.ports.store import Store
from promptrails_engine.resources.base import Parts
from promptrails_engine.run.hooks import Hooks
from promptrails_engine.run.rate_limits import RateLimits
from promptrails_engine.run.runner import Runner
from promptrails_engine.run.scans import Scans
from promptrails_engine.run.services import Services
from promptrails_engine.strategies import STRATEGIES
from promptrails_engine.tools.registry import ToolRegistry
from promptrails_engine.tracing.hub import SinkHub


def wired(
    store: Store,
    workspace_id: str,
    *,
    providers: Providers,
    tools: ToolRegistry,
    given: GivenAdapters,
    sinks: SinkHub,
    hooks: Hooks,
    model: str | None,
    models: Iterable[LLMModel],
    limits: Limits | None,
    rate_limits: Mapping[str, RateLimit],
    ids: IdFactory,
    clock: Clock,
    ready: Callable[[], Coroutine[Any, Any, None]],
    work: WorkOptions,
) -> Parts:
    """The parts of one engine.  Nothing is opened or started."""
    registry = ModelRegistry(models)
    gates = RateLimits(rate_limits, registry, random.random)
    sleep = clock.sleep if isinstance(clock, SleepingClock) else asyncio.sleep
    services = Services(workspace_id, store, sinks, registry, ids, clock, random.random, gates, hooks, Scans(), sleep)
    context = CatalogContext(store, workspace_id, ids, clock, registry)
    prompts = PromptCatalog(context)
    scanners = Scanners(given.scanners)
    agents = AgentCatalog(context, prompts, scanners)
    directory = ModelDirectory(providers, registry, model)
    merged = (limits or DEFAULT_LIMITS).over(DEFAULT_LIMITS)
    adapters = NodeAdapters(tools, given)
    planner = Planner(store, workspace_id, agents, prompts, directory, tools, adapters, scanners, merged)
    runner = Runner(services, STRATEGIES, work.lease_s)
    dispatcher = Dispatcher(services, Intake(services, planner, runner), runner, work.background)
    return Parts(services, context, prompts, agents, planner, runner, ready, dispatcher, scanners)
