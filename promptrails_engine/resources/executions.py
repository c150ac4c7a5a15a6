"""`engine.executions`: the records of runs, their events, and stopping them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, get_args

from promptrails_engine.catalog.migration import Migration
from promptrails_engine.comparison.records import ExecutionDiff
from promptrails_engine.definitions.settings import Limits
from promptrails_engine.errors import ConflictError, NotFoundError, ValidationError
from promptrails_engine.faces import M_co, method
from promptrails_engine.ports.store import ExecutionFilter, ExecutionRow
from promptrails_engine.resources.base import EngineResource, page_slice
from promptrails_engine.resources.comparing import diff_executions
from promptrails_engine.resources.dates import day_end, moment
from promptrails_engine.resources.forking import Wanted, fork_execution
from promptrails_engine.resources.keyed import keyed_id
from promptrails_engine.resources.migrating import migrate_execution
from promptrails_engine.results import AgentExecution, DoubtfulStep, ExecutionResult, Page, page_of
from promptrails_engine.rows import agent_execution, execution_result, execution_tree
from promptrails_engine.run.pipeline import json_object
from promptrails_engine.streams import AsyncEventStream, EventSource, StoredEvents, streaming

Resolution = Literal["retry", "value", "fail"]
_MOST_CHILDREN = 1_000_000

_list = list  # the class below has a method of that name


class Executions(EngineResource[M_co]):
    """Executions of this workspace."""

    @method
    async def list(
        self,
        *,
        page: int = 1,
        limit: int = 20,
        agent_id: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        status: str | None = None,
        from_date: str | None = None,
        to_date: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        parent_execution_id: str | None = None,
        include_children: bool = False,
    ) -> Page[AgentExecution]:
        """One page of executions, newest first; every filter that is given must match.

        Those that other executions have started are listed by their `parent_execution_id`, or with `include_children`.
        `from_date` and `to_date` are ISO dates or times, inclusive; `metadata` compares top-level keys.
        """
        await self._parts.ready()
        offset, limit = page_slice(page, limit)
        where = ExecutionFilter(
            agent_id,
            session_id,
            user_id,
            status,
            moment(from_date, "from_date"),
            day_end(to_date, "to_date"),
            metadata,
            parent_execution_id,
            roots_only=parent_execution_id is None and not include_children,
        )
        rows, total = await self._store.list_executions(self._workspace_id, where, offset=offset, limit=limit)
        return page_of([agent_execution(row) for row in rows], total, page, limit)

    @method
    async def get(self, execution_id: str) -> AgentExecution:
        """The record of one execution, finished or not, with those that it started itself as its `children`.

        Raises:
            NotFoundError: there is none.
        """
        row = await self._row(execution_id)
        children = await self._all(ExecutionFilter(parent_execution_id=execution_id))
        return execution_tree(row, children)

    @method
    async def get_by_key(self, idempotency_key: str) -> AgentExecution:
        """The record of the execution that `agents.execute` was given this key for; else as `get`.

        Raises:
            NotFoundError: there is none.
        """
        await self._parts.ready()
        execution_id = keyed_id(self._parts, idempotency_key)
        row = await self._store.get_execution(self._workspace_id, execution_id)
        if row is None:
            raise NotFoundError(f"no execution was begun with the idempotency key {idempotency_key!r}")
        return execution_tree(row, await self._all(ExecutionFilter(parent_execution_id=execution_id)))

    @method
    async def tree(self, execution_id: str) -> AgentExecution:
        """The record of one execution, finished or not, with all below it as `children` of their parents.

        Raises:
            NotFoundError: there is none.
        """
        row = await self._row(execution_id)
        return execution_tree(row, await self._all(ExecutionFilter(root_execution_id=row.root_execution_id or row.id)))

    @streaming
    def stream(self, execution_id: str, *, after: int = 0) -> AsyncEventStream:
        """The events of an execution numbered above `after`: those that were, and those to come until it ends.

        Works while it runs, in this process or another on the same store, and after its end.

        Raises:
            NotFoundError: there is none.
        """

        async def attach() -> EventSource:
            await self._row(execution_id)
            ctx = self._parts.runner.live(execution_id)
            return StoredEvents(
                read=lambda position: self._store.read_events(self._workspace_id, execution_id, position),
                row=lambda: self._row(execution_id),
                log=None if ctx is None else ctx.log,
            )

        return AsyncEventStream(attach, after)

    @method
    async def diff(self, a: str, b: str) -> ExecutionDiff:
        """What differs between two executions, step by step, and the first step at which they part.

        They may be of different versions or agents, and may still run.  Print it, or look at `steps`.

        Raises:
            NotFoundError: there is none with one of the ids.
        """
        await self._parts.ready()
        return await diff_executions(self._parts, await self._row(a), await self._row(b))

    @method
    async def cancel(self, execution_id: str) -> AgentExecution:
        """The execution, asked to stop: no new step begins, and it ends as cancelled, with all below it.

        Once this has returned, no call of a tool that is an `effect` begins that was not on record as about to be made.
        One that runs in another process hears of it within about half a second, and may begin steps of other kinds
        until then: it may ask models, and call tools that are `pure` or `idempotent`.
        A child fails the step of its parent that waits for it, and no more.
        One that has ended already is returned as it is.

        Raises:
            NotFoundError: there is none.
            ConflictError: it is part of a tree that waits, whose root has to be cancelled.
        """
        await self._parts.ready()
        if self._parts.runner.cancel(execution_id):
            return agent_execution(await self._row(execution_id))
        row = await self._store.request_cancel(self._workspace_id, execution_id)
        if row is None:
            raise _unknown(execution_id)
        return agent_execution(row)

    @method
    async def resume(self, execution_id: str) -> ExecutionResult:
        """The result of an execution that nobody runs, run on here from where it stopped.

        One may be resumed once what it waited for is decided or resolved, after its process has died or was closed, and
        one that is queued.  It goes on with the versions that it began with, and repeats nothing that is on record.

        Raises:
            NotFoundError: there is none.
            ConflictError: it still waits, is run by somebody, or has ended; `details["status"]` says which.
            ConfigurationError, DefinitionError: a tool or model that it needs is not there.
        """
        await self._parts.ready()
        _, task = await self._parts.dispatcher.resume(execution_id)
        return execution_result(await asyncio.shield(task))  # who gives up waiting does not end the run

    @method
    async def doubts(self, execution_id: str) -> _list[DoubtfulStep]:
        """The effects of an execution, and of those below it, of which nobody knows whether they happened.

        Their process died after they were announced and before they were answered.

        Raises:
            NotFoundError: there is none.
        """
        row = await self._row(execution_id)
        root = row if row.root_execution_id is None else await self._row(row.root_execution_id)
        if root.status != "in_doubt":
            return []
        found = await self._store.unanswered(self._workspace_id, [root.id])
        return [
            DoubtfulStep(execution_id=id, step=entry.key, tool=entry.value["tool"], arguments=entry.value["arguments"])
            for _, id, entry in found
        ]

    @method
    async def resolve(
        self,
        execution_id: str,
        step: str,
        decision: Resolution,
        value: Any = None,
        *,
        reason: str = "",
        resume: bool = True,
    ) -> AgentExecution:
        """The execution, with the doubt about one of its steps resolved; it goes on once there is none left.

        Args:
            execution_id: the execution that the step belongs to, as `doubts` says it.
            step: the step's key.
            decision: `retry`: it did not happen, do it again.  `value`: it did, and `value` is what came of it.
                `fail`: it counts as failed, with `reason`.
            value: JSON data, as the tool would have returned it.
            reason: what the model, or who reads the record, is told of a step that failed.
            resume: whether the run is taken up in this process; else by whoever takes up what is pending.

        Raises:
            NotFoundError: there is no such execution.
            ConflictError: there is no such doubt, or no more.
            ValidationError: there is no such decision, or the value is not JSON data.
        """
        outcome = _outcome(decision, value, reason)
        row = await self._row(execution_id)
        if not await self._store.answer_entry(self._workspace_id, execution_id, step, outcome):
            raise ConflictError(
                f"execution '{execution_id}' has no doubt about '{step}'; executions.doubts(id) shows what there is"
            )
        if resume:
            await self._parts.dispatcher.wake(row.root_execution_id or row.id)
        return agent_execution(await self._row(execution_id))

    @method
    async def fork(
        self,
        execution_id: str,
        *,
        at: str | None = None,
        prompt: Mapping[str, Any] | str | None = None,
        model: str | None = None,
        input: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> ExecutionResult:
        """The result of a what-if run: an execution of its own, with the same versions, that parts from this one at a
        step.

        What comes before `at`, and what runs beside it, is recalled: no model and no tool is called for it, and it
        costs nothing.  The step itself and all that comes after it runs anew, effects of tools included, and so does
        what has no outcome on record, and every pure tool, for the journal does not hold those.  Cost and tokens are
        those of the fork alone; limits of rounds, tool calls and children count what is recalled too.

        It may be made of any execution but a child, of one that still runs from what is on record.  It belongs to the
        same user and session, and its metadata name `forked_from` and `forked_at`.  `executions.diff(execution_id,
        fork.id)` shows what it made of the change.

        Args:
            execution_id: the execution to fork.
            at: key of the step at which they part, as spans show it, such as `steps[1]` or `steps[0]/llm[0]/tool[0]`;
                the key of a prompt step, node or list item means all in it.  None: everything runs anew.
            prompt: for the prompt of that step, content to replace (as `prompts.run_prompt` takes it), or the id or
                label of another version of it.  Without `at` for agents with one prompt only.
            model: the model of that step, and of all below an agent; without `at` of all steps.
            input: another input for the templates; without `at` everything runs anew with it.
            limits: limits of the fork over those that the execution was run with.
            metadata: JSON data kept with the fork.

        Raises:
            NotFoundError: there is no such execution, or no such version of the prompt.
            ValidationError: there is no such step (`details["steps"]` are those that there are), it has no prompt or
                model to change, or the execution is a child.
            ConfigurationError, DefinitionError, InputInvalidError, TemplateError, ModelNotServedError: it cannot be
                run; nothing was stored.
        """
        row = await self._row(execution_id)
        wanted = Wanted(at, prompt, model, input, limits, metadata)
        return execution_result(await fork_execution(self._parts, row, wanted))

    @method
    async def migrate(self, execution_id: str, to: str | None = None, *, dry_run: bool = True) -> Migration:
        """What changes for an execution that waits if it goes on with newer versions; print it, or look inside.

        Its agent goes to the version `to`, by id or label (None: the current one), its prompts and the agents below it
        to their current versions.  With `dry_run` nothing is changed.  Without, it is: the execution keeps what is on
        record and goes on with the new versions once it is resumed, decided or taken up.  A request for approval that
        no longer matches then fails the run (`approval_mismatch`), for what was shown is not what would be done.

        Raises:
            NotFoundError: there is no such execution, or version.
            ConflictError: it is running or has ended, or is a child, whose root has to be migrated.
            ArchivedError, DefinitionError, ModelNotServedError: the new versions cannot be run.
        """
        row = await self._row(execution_id)
        return await migrate_execution(self._parts, row, to, dry_run=dry_run)

    @method
    async def update_metadata(self, execution_id: str, metadata: Mapping[str, Any]) -> AgentExecution:
        """The execution with these top-level keys set in its metadata.

        Raises:
            NotFoundError: there is none.
        """
        await self._parts.ready()
        row = await self._store.update_metadata(self._workspace_id, execution_id, json_object(metadata, "metadata"))
        if row is None:
            raise _unknown(execution_id)
        return agent_execution(row)

    # -------------------------------------------------------------- inside

    async def _all(self, where: ExecutionFilter) -> _list[ExecutionRow]:
        rows, _ = await self._store.list_executions(self._workspace_id, where, offset=0, limit=_MOST_CHILDREN)
        return rows

    async def _row(self, execution_id: str) -> ExecutionRow:
        await self._parts.ready()
        row = await self._store.get_execution(self._workspace_id, execution_id)
        if row is None:
            raise _unknown(execution_id)
        return row


def _outcome(decision: str, value: Any, reason: str) -> dict[str, Any] | None:
    """What the journal is told; None lets the step run again.

    Raises:
        ValidationError: there is no such decision, or the value is not JSON data.
    """
    if decision not in get_args(Resolution):
        raise ValidationError(f"a doubt is resolved with {', '.join(get_args(Resolution))}, not with {decision!r}")
    if decision == "retry":
        return None
    if decision == "value":
        return {"result": json_object({"value": value}, "the value")["value"]}
    why = reason or "nobody knows whether it happened"
    return {"error": {"code": "tool_failed", "message": why}}


def _unknown(execution_id: str) -> NotFoundError:
    return NotFoundError(f"no execution with the id '{execution_id}'; executions.list() shows what there is")
