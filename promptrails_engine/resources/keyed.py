"""Executions that their caller names: one with a given key begins once, however often it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from promptrails_engine.definitions.digest import canonical_json
from promptrails_engine.errors import ConflictError, ValidationError
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.resources.base import Parts
from promptrails_engine.run.pipeline import plan_input
from promptrails_engine.run.runner import RunOptions
from promptrails_engine.run.stream import EventLog
from promptrails_engine.schema import check_input


def keyed_id(parts: Parts, key: str) -> str:
    """The id of the execution that this key names.

    Raises:
        ValidationError: it is no key.
    """
    if not isinstance(key, str) or not key:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError(f"an idempotency key is a text that is not empty, not {key!r}")
    return parts.services.ids.keyed(parts.services.workspace_id, key)


async def execute_once(
    parts: Parts,
    key: str,
    agent_ref: str,
    version_ref: str | None,
    data: Mapping[str, Any],
    options: RunOptions,
    *,
    sync: bool,
) -> ExecutionRow:
    """The execution with this key: newly run, or as it is where it has been asked for before.

    Raises:
        ConflictError: it is one of another agent, or with other input.
        PromptRailsError: it cannot be run; nothing was stored.
    """
    execution_id = keyed_id(parts, key)
    options = replace(options, execution_id=execution_id)
    clash: ConflictError | None = None
    while True:
        row = await parts.services.store.get_execution(parts.services.workspace_id, execution_id)
        if row is not None:  # whatever has become of the agent since
            return await _same(parts, row, key, agent_ref, data)
        if clash is not None:
            raise clash
        plan = await parts.planner.plan(agent_ref, version_ref)
        checked = plan_input(plan, data)
        try:
            if not sync:
                return await parts.dispatcher.enqueue(plan, checked, options)
            _, task = parts.runner.start(plan, checked, options)
            return await asyncio.shield(task)
        except ConflictError as error:  # somebody was faster
            ctx = parts.runner.live(execution_id)
            clash = error if ctx is None else None
            if ctx is not None:
                await _begun(ctx.log)


async def _begun(log: EventLog) -> None:
    """Return once a run of this process is on record, or has ended without."""
    first = log.follow()
    try:
        await anext(first, None)
    finally:
        await first.aclose()


async def _same(parts: Parts, row: ExecutionRow, key: str, agent_ref: str, data: Mapping[str, Any]) -> ExecutionRow:
    """The execution that is there, if it is what is asked for.

    Raises:
        ConflictError: it is another one.
    """
    if agent_ref != row.agent_id and (await parts.agents.get(agent_ref)).id != row.agent_id:
        raise _conflict(row, key, "of another agent")
    # As the version that it runs takes it: with the defaults of then.
    plan = await parts.planner.plan_locked(row.version_lock)
    given = plan_input(plan, data)
    if plan.input_validator is not None:
        given = check_input(plan.input_validator, given, what="input")
    if canonical_json(given) != canonical_json(row.input):
        raise _conflict(row, key, "with other input")
    return row


def _conflict(row: ExecutionRow, key: str, what: str) -> ConflictError:
    return ConflictError(
        f"the idempotency key {key!r} belongs to execution '{row.id}', which is {what}; use a new key for a new run",
        code="idempotency_conflict",
        details={"execution_id": row.id},
    )
