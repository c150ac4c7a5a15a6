"""Agents as workflows of DBOS, for services that run it already.

DBOS starts, queues, schedules and recovers the workflow; the engine's own store has what the agent did.  So a workflow
has two steps only, however long the agent is: put the execution on record, and run it to its end.  A process that takes
the workflow over repeats the second, which goes on behind what is on record.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import nullcontext, suppress
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, ParamSpec, TypeVar, cast

from promptrails_engine.bridge import Bridge
from promptrails_engine.definitions.settings import Limits
from promptrails_engine.engine import Engine
from promptrails_engine.errors import (
    ConfigurationError,
    ConflictError,
    EngineClosedError,
    FencedError,
    NotFoundError,
    PromptRailsError,
    RunFailedError,
)
from promptrails_engine.ports.store import EXECUTION_TERMINAL
from promptrails_engine.require import require
from promptrails_engine.results import AgentExecution, ExecutionResult
from promptrails_engine.run.pipeline import json_object

P = ParamSpec("P")
R = TypeVar("R")

_FIELDS = tuple(field.name for field in fields(ExecutionResult))
_FIRST_LOOK_S = 0.02
_EXPIRY_S = 60.0
_ATTEMPTS = 8
"""Of a step whose store cannot be reached: over about two minutes."""


class AgentRun:
    """A workflow that runs an agent."""

    def __init__(self, workflow_id: str, wait: Callable[[], Any], portable: type[Exception]) -> None:
        self.workflow_id = workflow_id
        """As DBOS knows it, in every process of the application."""
        self._wait = wait
        self._portable = portable

    def get_result(self) -> ExecutionResult:
        """What the agent's execution came to, once it has ended; the thread waits.

        Raises:
            PromptRailsError: the agent cannot be run; `code` says why.  Or it failed, and `raise_for_status` was asked
                for: then it is a RunFailedError.
            EngineClosedError: this process stops; the workflow goes on in the next one.
            Exception: what DBOS raises, such as its DBOSAwaitedWorkflowCancelledError.
        """
        try:
            data: dict[str, Any] = self._wait()
        except self._portable as error:
            raise _error_of(error) from None
        return _result_of(data)


class DBOSAgents:
    """Runs the agents of one engine as workflows of the application's DBOS.

    Make it before `DBOS.launch()`, in every process that is to run agents, over engines on one store in a database.
    When the process stops: `DBOS.destroy()`, then `close()`, then close the engine.
    """

    def __init__(self, engine: Engine, *, name: str = "promptrails", look_s: float = 2.0) -> None:
        """Register the workflow.

        Args:
            engine: runs the agents.  `Engine(..., background=0)` leaves it to DBOS how many run at once.
            name: the workflow is registered as `<name>.run_agent`; two of one process need two names.
            look_s: seconds between two looks at an execution that waits, or that another process may still run.

        Raises:
            MissingExtraError: dbos is not installed.
            ConfigurationError: an argument cannot be used.
        """
        if not isinstance(engine, Engine):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                "DBOSAgents needs an Engine, which serves every thread and loop that DBOS runs workflows on; make one "
                f"on the same store, instead of {type(engine).__name__}"
            )
        if not look_s > 0:
            raise ConfigurationError(f"look_s is a number of seconds above 0, not {look_s!r}")
        package: Any = require("dbos", extra="dbos", feature="DBOSAgents")
        self._package = package
        self._dbos: Any = package.DBOS
        self._engine = engine
        self._look_s = look_s
        self._bridge = Bridge()  # its loop has the workflows that are started here: none of them holds a thread
        self.workflow: Callable[..., Coroutine[Any, Any, dict[str, Any]]] = self._registered(name)
        """The workflow itself, for what DBOS offers beyond `start`: schedules, child workflows, its async calls.

        It takes the agent's id or name, the input, and optionally a dict of the options of `start`.
        """

    def start(
        self,
        agent_id: str,
        input: Mapping[str, Any],
        *,
        workflow_id: str | None = None,
        queue: str | None = None,
        session_id: str = "",
        user_id: str = "",
        version_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        raise_for_status: bool = False,
    ) -> AgentRun:
        """A workflow that runs the agent, once it is in DBOS's database; it begins here, or where its queue lets it.

        Args:
            agent_id: the agent's id or name.
            input: named values for the templates.
            workflow_id: names the workflow.  One that is there already is what comes back, and nothing is started.
            queue: the name of a queue of DBOS.
            session_id, user_id, version_id, metadata, limits: as for `agents.execute`.
            raise_for_status: whether an execution that does not complete makes the workflow fail, too.

        Raises:
            InputInvalidError: the input or the metadata are not JSON data.
            Exception: what DBOS raises.
        """
        options = {
            "session_id": session_id,
            "user_id": user_id,
            "version_id": version_id,
            "metadata": None if metadata is None else json_object(metadata, "metadata"),
            "limits": None if limits is None else limits.to_dict(),
            "raise_for_status": raise_for_status,
        }
        asked = (agent_id, json_object(input, "the input"), {name: value for name, value in options.items() if value})

        async def started() -> Any:
            with nullcontext() if workflow_id is None else self._package.SetWorkflowID(workflow_id):
                if queue is None:
                    return await self._dbos.start_workflow_async(self.workflow, *asked)
                return await self._dbos.enqueue_workflow_async(queue, self.workflow, *asked)

        handle = self._bridge.call(started)
        return self._run(handle.get_workflow_id(), lambda: self._bridge.call(handle.get_result))

    def retrieve(self, workflow_id: str) -> AgentRun:
        """A workflow that was started before, by any process of the application.

        Raises:
            Exception: what DBOS raises where there is none.
        """
        handle = self._dbos.retrieve_workflow(workflow_id)
        return self._run(workflow_id, handle.get_result)

    def execution(self, workflow_id: str) -> AgentExecution:
        """The record of a workflow's execution, finished or not.

        Raises:
            NotFoundError: there is none (yet).
        """
        return self._engine.executions.get_by_key(_key(workflow_id))

    def cancel(self, workflow_id: str) -> None:
        """Cancel a workflow and its execution, wherever they are.

        `DBOS.cancel_workflow` does so as well where the workflow is running, within about a second; it leaves the
        execution as it is where the workflow's process has died.
        """
        self._dbos.cancel_workflow(workflow_id)
        self._cancel(workflow_id)

    def close(self) -> None:
        """Leave the workflows that are running here to the next process.  May be called twice."""
        self._bridge.close()

    # -------------------------------------------------------------- the workflow

    def _registered(self, name: str) -> Callable[..., Coroutine[Any, Any, dict[str, Any]]]:
        cancelled: type[BaseException] = self._package.error.DBOSWorkflowCancelledError
        begin, run = self._step("begin", self._begin), self._step("run", self._to_end, preemptible=True)

        # Its text is part of the version by which DBOS decides who may recover it: it changes with the steps only.
        async def run_agent(
            agent_id: str, input: dict[str, Any], options: dict[str, Any] | None = None
        ) -> dict[str, Any]:
            workflow_id = self._dbos.workflow_id
            try:
                execution_id = await begin(workflow_id, agent_id, input, options or {})
                result = await run(execution_id)
            except cancelled:
                await asyncio.to_thread(self._cancel, workflow_id)
                raise
            if options and options.get("raise_for_status"):
                _result_of(result).raise_for_status()
            return result

        portable = self._package.WorkflowSerializationFormat.PORTABLE  # JSON; by default DBOS pickles
        workflow: Any = self._dbos.workflow(name=f"{name}.run_agent", serialization_type=portable)(run_agent)
        return workflow  # type: ignore[no-any-return]

    def _step(
        self, name: str, function: Callable[P, Coroutine[Any, Any, R]], *, preemptible: bool = False
    ) -> Callable[P, Awaitable[R]]:
        """The function as a step of DBOS."""
        options: dict[str, Any] = {
            "name": name,
            "retries_allowed": True,
            "max_attempts": _ATTEMPTS,
            "should_retry": _is_retryable,
            "preemptible": preemptible,
        }

        async def work(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return await function(*args, **kwargs)
            except EngineClosedError:
                # No outcome, which would be final: the workflow stays as it is, for the process that recovers it.
                raise asyncio.CancelledError("the engine was closed; the workflow goes on in another process") from None
            except PromptRailsError as error:
                raise _plain(error) from None

        async def step(*args: P.args, **kwargs: P.kwargs) -> R:
            result: R = await self._dbos.run_step_async(options, work, *args, **kwargs)
            return result

        return step

    async def _begin(self, workflow_id: str, agent_id: str, input: dict[str, Any], options: Mapping[str, Any]) -> str:
        """The id of the execution, which is on record."""
        limits = options.get("limits")
        result = await asyncio.to_thread(
            self._engine.agents.execute,
            agent_id,
            input,
            session_id=options.get("session_id", ""),
            user_id=options.get("user_id", ""),
            version_id=options.get("version_id"),
            metadata=options.get("metadata"),
            limits=None if limits is None else Limits(**limits),
            sync=False,
            idempotency_key=_key(workflow_id),
        )
        return result.execution_id

    async def _to_end(self, execution_id: str) -> dict[str, Any]:
        """The result of the execution: run here, or waited for."""
        pause, expiry = _FIRST_LOOK_S, 0.0
        status = "pending"
        while True:
            if status in ("pending", "running"):
                with suppress(ConflictError, FencedError):  # somebody runs it, or has died and still has the lease
                    result = await asyncio.to_thread(self._engine.executions.resume, execution_id)
                    if result.status in EXECUTION_TERMINAL:
                        return asdict(result)
                    pause = _FIRST_LOOK_S
            elif status == "awaiting_approval" and time.time() >= expiry:
                expiry = await asyncio.to_thread(self._expiry, execution_id)
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._look_s)
            record = await asyncio.to_thread(self._engine.executions.get, execution_id)
            if record.status in EXECUTION_TERMINAL:
                return {name: record.id if name == "execution_id" else getattr(record, name) for name in _FIELDS}
            status = record.status

    def _expiry(self, execution_id: str) -> float:
        """When to look again whether a request that it waits for has expired, in seconds since the epoch; those that
        have are closed."""
        waiting = self._engine.approvals.list(root_execution_id=execution_id, status="pending", limit=1000)
        times = [datetime.fromisoformat(request.expires_at).timestamp() for request in waiting if request.expires_at]
        return min([*times, time.time() + _EXPIRY_S])

    def _cancel(self, workflow_id: str) -> None:
        with suppress(NotFoundError):  # it has not begun
            self._engine.executions.cancel(self.execution(workflow_id).id)

    def _run(self, workflow_id: str, wait: Callable[[], Any]) -> AgentRun:
        return AgentRun(workflow_id, wait, self._package.PortableWorkflowError)


def _key(workflow_id: str) -> str:
    """What names the execution of a workflow."""
    return f"dbos:{workflow_id}"


def _result_of(data: Mapping[str, Any]) -> ExecutionResult:
    return ExecutionResult(**{name: value for name, value in data.items() if name in _FIELDS})


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, PromptRailsError) and error.retryable


def _plain(error: PromptRailsError) -> PromptRailsError:
    """The error as one that DBOS can pickle and make again, whatever its class asks for."""
    plain = PromptRailsError(error.message, error.status_code, error.code, error.details)
    plain.retryable = error.retryable
    return plain


def _error_of(error: Any) -> PromptRailsError:
    """The error that DBOS has stored as JSON data."""
    kind = RunFailedError if error.name == RunFailedError.__name__ else PromptRailsError
    details: Any = error.data
    code = None if error.code is None else str(error.code)
    return kind(error.message, code=code, details=cast("dict[str, Any]", details) if type(details) is dict else None)
