"""What all resources stand on: the wired parts of one engine."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from promptrails_engine.catalog.agents import AgentCatalog
from promptrails_engine.catalog.base import CatalogContext
from promptrails_engine.catalog.planner import Planner
from promptrails_engine.catalog.prompts import PromptCatalog
from promptrails_engine.dispatch.dispatcher import Dispatcher
from promptrails_engine.errors import ValidationError
from promptrails_engine.faces import Caller, M_co, Resource
from promptrails_engine.guardrails.scanners import Scanners
from promptrails_engine.run.runner import Runner
from promptrails_engine.run.services import Services

PAGE_LIMIT = 1000


class Parts(NamedTuple):
    """One engine's parts, wired once."""

    services: Services
    catalogs: CatalogContext
    prompts: PromptCatalog
    agents: AgentCatalog
    planner: Planner
    runner: Runner
    ready: Callable[[], Coroutine[Any, Any, None]]
    """Opens the store at the first call."""
    dispatcher: Dispatcher
    scanners: Scanners


class EngineResource(Resource[M_co]):
    """A resource of one engine."""

    def __init__(self, parts: Parts, bridge: Caller | None) -> None:
        super().__init__(bridge)
        self._parts = parts
        self._store = parts.services.store
        self._workspace_id = parts.services.workspace_id


def page_slice(page: int, limit: int) -> tuple[int, int]:
    """Offset and limit of a page.

    Raises:
        ValidationError: `page` is below 1, or `limit` is not within 1 to 1000.
    """
    for name, value in (("page", page), ("limit", limit)):
        if not isinstance(value, int) or isinstance(value, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValidationError(f"{name} must be a whole number, not {value!r}")
    if page < 1 or not 1 <= limit <= PAGE_LIMIT:
        raise ValidationError(f"page counts from 1 and limit is 1 to {PAGE_LIMIT}; got page={page}, limit={limit}")
    return (page - 1) * limit, limit
