"""`AsyncEngine` and `Engine`: the one door.  Arguments and lifecycle only; a run happens in `run/runner.py`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Self

from promptrails_engine import definitions, resources
from promptrails_engine.bridge import Bridge
from promptrails_engine.catalog.given import GivenAdapters
from promptrails_engine.catalog.providers import Providers
from promptrails_engine.clock import Clock, SystemClock
from promptrails_engine.dispatch.options import WorkOptions, check_places
from promptrails_engine.errors import EngineClosedError
from promptrails_engine.faces import Async, M_co, Sync
from promptrails_engine.ids import IdFactory
from promptrails_engine.ports.datasource import DataSource
from promptrails_engine.ports.media import MediaProvider
from promptrails_engine.ports.provider import Provider
from promptrails_engine.ports.scanner import ScannerModule
from promptrails_engine.ports.sink import Sink
from promptrails_engine.ports.store import Store
from promptrails_engine.ports.tool import Tool
from promptrails_engine.run.hooks import Hook, Hooks
from promptrails_engine.store import open_store
from promptrails_engine.tools import builtin
from promptrails_engine.tools.registry import ToolRegistry
from promptrails_engine.tools.threads import WorkerThreads
from promptrails_engine.tracing.hub import SinkHub

if TYPE_CHECKING:
    from promptrails_engine.definitions.settings import Limits, RateLimit
    from promptrails_engine.dispatch.dispatcher import Recovery
    from promptrails_engine.models.registry import LLMModel
    from promptrails_engine.resources.agents import Agents
    from promptrails_engine.resources.approvals import Approvals
    from promptrails_engine.resources.base import Parts
    from promptrails_engine.resources.costs import Costs
    from promptrails_engine.resources.definitions import Definitions
    from promptrails_engine.resources.executions import Executions
    from promptrails_engine.resources.guardrails import Guardrails
    from promptrails_engine.resources.llm_models import LLMModels
    from promptrails_engine.resources.prompts import Prompts
    from promptrails_engine.resources.traces import Traces

Durability = Literal["full", "relaxed"]
_HOOK_THREADS = 8


class _BaseEngine(Generic[M_co]):
    """The resources of one engine; each, and the parts below them, is loaded when it is first used."""

    def __init__(
        self,
        store: str | os.PathLike[str] | Store | None = None,
        *,
        providers: Iterable[Provider] = (),
        tools: Iterable[Tool | Callable[..., Any]] = (),
        data_sources: Iterable[DataSource] = (),
        media: Iterable[MediaProvider] = (),
        scanners: Iterable[ScannerModule] = (),
        sinks: Iterable[Sink] = (),
        hooks: Mapping[str, Iterable[Hook]] | None = None,
        model: str | None = None,
        models: Iterable[LLMModel] = (),
        limits: Limits | None = None,
        rate_limits: Mapping[str, RateLimit] | None = None,
        workspace_id: str = "default",
        durability: Durability = "full",
        background: int = 8,
        recover: bool = False,
        lease_s: float = 30.0,
        ids: IdFactory | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Make an engine.

        Args:
            store: None keeps everything in memory, bounded; a path is a SQLite file; a URL is a database; or a Store.
            providers: adapters that call models, before those found by entry point.
            tools: functions or tools that agents may name, beside the built-in ones.
            data_sources: what nodes of workflows may query, by their names.
            media: make speech, images and videos for nodes of workflows.
            scanners: what guards may look with, beside those found by entry point.
            sinks: receive the spans of every run.
            hooks: functions and webhooks by event, `execution.awaiting_approval` or `approval.decided` (`HookEvent`).
            model: used where neither agent nor prompt names one.
            models: prices and abilities of models that the shipped table does not know.
            limits: limits of every run; agents and calls may set their own.
            rate_limits: what may be sent to each model and credential, by `provider/model`, `provider/*` or `*`.
            workspace_id: every row and query belongs to it.
            durability: `full` survives a power cut once a call has returned, `relaxed` the end of the process.
            background: how many executions of `execute(..., sync=False)` it runs at once; 0 leaves them to workers.
            recover: when the store is opened, take over executions whose process has died (see `recover`).
            lease_s: seconds after its process died until an execution may be taken over by another.
            ids, clock: where ids and the time come from; a seed and a clock of your own make them reproducible.

        Raises:
            ConfigurationError, DefinitionError: an argument cannot be used.
        """
        self._opening: asyncio.Lock | None = None
        self._opened = self._closed = False
        self._store, self._workspace_id = _store_of(store, durability), workspace_id
        self._clock = clock or SystemClock()
        self._ids = ids or IdFactory(clock=self._clock.now)
        self._sinks = SinkHub(list(sinks))
        self._hooks = Hooks(hooks, ids=self._ids, clock=self._clock, in_thread=_hook_threads().run)
        self._providers, self._given = Providers(providers), GivenAdapters(data_sources, media, scanners)
        self._tools = ToolRegistry(tools, builtin.find, builtin.NAMES)
        self._model, self._models, self._limits = model, tuple(models), limits
        self._rate_limits = definitions.checked_rate_limits(rate_limits) if rate_limits else {}
        self._work, self._bridge = WorkOptions(background, recover, lease_s), self._make_bridge()

    @cached_property
    def agents(self) -> Agents[M_co]:
        """Agents, and running them."""
        return resources.Agents(self._parts, self._bridge)

    @cached_property
    def prompts(self) -> Prompts[M_co]:
        """Prompts and their versions."""
        return resources.Prompts(self._parts, self._bridge)

    @cached_property
    def executions(self) -> Executions[M_co]:
        """Records and events of runs."""
        return resources.Executions(self._parts, self._bridge)

    @cached_property
    def approvals(self) -> Approvals[M_co]:
        """What runs wait for somebody to decide."""
        return resources.Approvals(self._parts, self._bridge)

    @cached_property
    def guardrails(self) -> Guardrails[M_co]:
        """Guards of agents, and the scanners that they look with."""
        return resources.Guardrails(self._parts, self._bridge)

    @cached_property
    def traces(self) -> Traces[M_co]:
        """Spans of runs."""
        return resources.Traces(self._parts, self._bridge)

    @cached_property
    def costs(self) -> Costs[M_co]:
        """Spend."""
        return resources.Costs(self._parts, self._bridge)

    @cached_property
    def llm_models(self) -> LLMModels[M_co]:
        """Known models and prices."""
        return resources.LLMModels(self._parts, self._bridge)

    @cached_property
    def definitions(self) -> Definitions[M_co]:
        """Prompts and agents as files."""
        return resources.Definitions(self._parts, self._bridge)

    @property
    def _parts(self) -> Parts:
        """What the resources share, made when it is first needed."""
        made = self._made()
        if made is None:
            parts = resources.wired(
                self._store,
                self._workspace_id,
                providers=self._providers,
                tools=self._tools,
                given=self._given,
                sinks=self._sinks,
                hooks=self._hooks,
                model=self._model,
                models=self._models,
                limits=self._limits,
                rate_limits=self._rate_limits,
                ids=self._ids,
                clock=self._clock,
                ready=self._ready,
                work=self._work,
            )
            made = vars(self).setdefault("_wired", parts)  # of threads that come at once, one wins
        return made

    def _made(self) -> Parts | None:
        return vars(self).get("_wired")

    def _make_bridge(self) -> Bridge | None:
        """What the sync face calls over; None on the async face."""
        return None

    async def _ready(self) -> None:
        """Open the store at the first call."""
        if self._opened:
            return
        if self._closed:
            raise EngineClosedError("the engine is closed; make a new one")
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if not self._opened:
                await self._store.open()
                self._opened = True
                if self._work.recover:
                    await self._parts.dispatcher.recover()

    async def _recovered(self) -> Recovery:
        await self._parts.ready()
        return await self._parts.dispatcher.recover()

    async def _started(self, concurrency: int) -> str:
        check_places(concurrency, "concurrency", least=1)
        await self._parts.ready()
        self._parts.dispatcher.start(concurrency)
        return self._parts.dispatcher.owner

    async def _idle(self) -> None:
        await self._parts.ready()
        await self._parts.dispatcher.idle()

    @property
    def tally(self) -> dict[str, int]:
        """How many of the executions that this engine took up have stopped here, by the status that they then had.

        Taken up are queued ones, those that were decided or resumed, and those of processes that died.  `pending` are
        those that it let go when it was closed; `lost` those whose end could not be put on record, or that somebody
        else runs by now.
        """
        made = self._made()
        return {} if made is None else dict(made.dispatcher.tally)

    async def _shut(self, grace_s: float) -> None:
        """Let runs end and hooks be told, then close providers and the like, sinks and store."""
        if self._closed:
            return
        self._closed = True
        self._opened = False
        failed: list[Exception] = []
        parts = self._made()
        if parts is not None:
            await parts.dispatcher.close()
            await parts.runner.close(grace_s)
            await self._hooks.close(grace_s)
            parts.services.scans.close()
        for adapter in (*self._providers.all(), *self._given.all()):
            try:
                await adapter.aclose()
            except Exception as error:  # the others are to be closed all the same
                failed.append(error)
        await asyncio.to_thread(self._sinks.close)
        await self._store.close()
        if failed:
            raise failed[0]


def _store_of(store: str | os.PathLike[str] | Store | None, durability: Durability) -> Store:
    return open_store(store, durability) if store is None or isinstance(store, str | os.PathLike) else store


def _hook_threads() -> WorkerThreads:
    return WorkerThreads("promptrails-hook", _HOOK_THREADS)


class AsyncEngine(_BaseEngine[Async]):
    """Runs versioned prompts and agents on the caller's event loop.

    Use it as `async with AsyncEngine(...) as engine`, or call `aclose` at the end.  It serves one loop at a time.
    `async with` also loads what runs need, which the first call has to do otherwise.
    """

    async def recover(self) -> Recovery:
        """Take over executions on this store whose process has died, and those that were let go; they go on here.

        A process counts as dead once its lease has lapsed (see `lease_s`).

        Returns what became of them, once all are taken over; it does not wait for their end.  What a run has on record
        is not repeated.  One of whose effects nobody knows whether it happened is `in_doubt`, and waits for
        `executions.resolve`.  From then on this engine takes over what other processes leave behind.

        Raises:
            StoreError: the store cannot be used.
        """
        return await self._recovered()

    async def start_worker(self, concurrency: int = 8) -> str:
        """From now on run what is queued on this store, so many executions at once, until the engine is closed.

        Takes over what other processes leave behind as well.  Returns the name by which the store knows this engine.

        Raises:
            StoreError: the store cannot be used.
        """
        return await self._started(concurrency)

    async def idle(self) -> None:
        """Return once nothing is queued that this engine could run, and nothing that it took up is going on.

        Raises:
            EngineClosedError: the engine was closed meanwhile.
        """
        await self._idle()

    async def flush(self) -> None:
        """Hand what the sinks have buffered on; returns within five seconds even if one of them hangs."""
        await asyncio.to_thread(self._sinks.flush)

    async def aclose(self, grace_s: float = 5.0) -> None:
        """Wait `grace_s` seconds for runs to end, cancel the others, and free everything.  May be called twice."""
        await self._shut(grace_s)

    async def __aenter__(self) -> Self:
        await self._parts.ready()  # with the parts loaded, so that no call has to wait for that
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.aclose()
        except Exception as closing:
            if error is None:
                raise
            error.add_note(f"closing the engine raised as well: {closing!r}")


class Engine(_BaseEngine[Sync]):
    """Runs versioned prompts and agents from sync code: scripts, threads, notebooks, handlers below a running loop.

    The same resources as `AsyncEngine`, over one thread that owns the loop.  Safe to share between threads.  Use it
    as `with Engine(...) as engine`, or call `close` at the end.
    """

    _bridge: Bridge

    def _make_bridge(self) -> Bridge:
        return Bridge()

    def open(self) -> Self:
        """Open the store, and load what runs need, now instead of at the first call.

        Raises:
            StoreError: it cannot be reached or used.
        """
        self._bridge.call(self._parts.ready)
        return self

    def recover(self) -> Recovery:
        """What became of executions on this store whose process had died; see `AsyncEngine.recover`."""
        return self._bridge.call(self._recovered)

    def start_worker(self, concurrency: int = 8) -> str:
        """From now on run what is queued on this store, so many at once; see `AsyncEngine.start_worker`."""
        return self._bridge.call(self._started, concurrency)

    def idle(self) -> None:
        """Return once nothing is queued that this engine could run; see `AsyncEngine.idle`."""
        self._bridge.call(self._idle)

    def flush(self) -> None:
        """Hand what the sinks have buffered on; returns within five seconds even if one of them hangs."""
        self._sinks.flush()

    def close(self, grace_s: float = 5.0) -> None:
        """Wait `grace_s` seconds for runs to end, cancel the others, and free everything.  May be called twice."""
        if not self._closed:
            try:
                self._bridge.call(self._shut, grace_s)
            finally:
                self._bridge.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception as closing:
            if error is None:
                raise
            error.add_note(f"closing the engine raised as well: {closing!r}")
