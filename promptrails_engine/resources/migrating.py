"""Executions that wait, moved to newer versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from promptrails_engine.catalog.forks import base_lock, marked, read_fork
from promptrails_engine.catalog.lock_diff import compare_locks
from promptrails_engine.catalog.migration import LostStep, Migration, VoidApproval
from promptrails_engine.catalog.pins import read_lock
from promptrails_engine.errors import ConflictError
from promptrails_engine.ports.journal import ApprovalRow, JournalEntry
from promptrails_engine.ports.store import EXECUTION_TERMINAL, ExecutionFilter, ExecutionRow
from promptrails_engine.resources.base import Parts
from promptrails_engine.run.approvals import request_digest
from promptrails_engine.run.fork_point import StepMap
from promptrails_engine.run.past import decisions_in
from promptrails_engine.run.plan import Plan
from promptrails_engine.run.tool_calls import bound_to

_ALL = 1_000_000
_APPROVAL = "/approval"


async def migrate_execution(parts: Parts, row: ExecutionRow, to: str | None, *, dry_run: bool) -> Migration:
    """What changes for a tree that waits, and the change itself unless it is a dry run.

    Raises:
        ConflictError: it does not wait, or is no root.
        PromptRailsError: the new versions cannot be planned.
    """
    if row.parent_execution_id is not None:
        raise ConflictError(f"execution '{row.id}' is part of a tree; migrate its root, '{row.root_execution_id}'")
    _check_waits(row)
    plan = await _new_plan(parts, row, to)
    plans = {one.agent_id: one for one in _tree(plan)}
    below, _ = await parts.services.store.list_executions(
        row.workspace_id, ExecutionFilter(root_execution_id=row.id), offset=0, limit=_ALL
    )
    waiting = [row, *(child for child in below if child.status not in EXECUTION_TERMINAL)]
    lost: list[LostStep] = []
    void: list[VoidApproval] = []
    for one in waiting:
        found = await _check(parts, one, plans.get(one.agent_id))
        lost += found[0]
        void += found[1]
    changes = compare_locks(base_lock(row.version_lock), base_lock(plan.version_lock))
    if not dry_run:
        await _replace(parts, waiting, plans)
    return Migration(
        execution_id=row.id,
        status=row.status,
        applied=not dry_run,
        changes=tuple(changes),
        lost=tuple(lost),
        void_approvals=tuple(void),
    )


def _check_waits(row: ExecutionRow) -> None:
    if row.status == "running" or row.status in EXECUTION_TERMINAL:
        what = "is running" if row.status == "running" else f"has ended as {row.status}"
        raise ConflictError(
            f"execution '{row.id}' {what}; only one that waits can be migrated, one that has ended can be run again or "
            "forked",
            details={"status": row.status},
        )


async def _new_plan(parts: Parts, row: ExecutionRow, to: str | None) -> Plan:
    planner = parts.planner
    if row.agent_id:
        plan = await planner.plan(row.agent_id, to)
    else:
        plan = await planner.prompt_plan(read_lock(base_lock(row.version_lock)).prompts[0].id, to)
    fork = read_fork(row.version_lock)
    if fork is None:
        return plan
    if not fork.steps:
        return replace(plan, version_lock=marked(plan.version_lock, fork))
    changed = ", ".join(key or "every step" for key in fork.steps)
    raise ConflictError(
        f"execution '{row.id}' is a fork in which {changed} runs something else than any version says, which cannot be "
        "migrated; fork a run with the new versions"
    )


def _tree(plan: Plan) -> Iterator[Plan]:
    """The plan and those of all agents below it."""
    yield plan
    for node in () if plan.workflow is None else plan.workflow.nodes.values():
        if node.agent is not None:
            yield from _tree(node.agent)
    for step in plan.steps:
        for sub in step.sub_agents.values():
            yield from _tree(sub.plan)


async def _replace(parts: Parts, waiting: list[ExecutionRow], plans: Mapping[str, Plan]) -> None:
    """Give the tree its new locks, the root first: that decides.

    Raises:
        ConflictError: somebody has taken it up, or ended it.
    """
    store = parts.services.store
    for one in waiting:
        plan = plans.get(one.agent_id)
        if plan is None:
            continue
        done = await store.replace_lock(one.workspace_id, one.id, plan.version_id, plan.version_lock)
        if not done and one is waiting[0]:
            now = await store.get_execution(one.workspace_id, one.id)
            raise ConflictError(
                f"execution '{one.id}' was taken up or has ended meanwhile, and was not migrated",
                details={"status": None if now is None else now.status},
            )


# ------------------------------------------------------------------ what is on record


async def _check(parts: Parts, row: ExecutionRow, plan: Plan | None) -> tuple[list[LostStep], list[VoidApproval]]:
    """What of the record of one execution the new plan has no use for; without a plan it has none for any."""
    store = parts.services.store
    journal = await store.read_journal(row.workspace_id, row.id)
    entries = [entry for entry in journal if entry.kind not in ("approval", "labels", "pause", "verdict")]
    requests, _ = await store.list_approvals(row.workspace_id, execution_id=row.id, offset=0, limit=_ALL)
    done = {entry.key for entry in entries if entry.state == "done"}
    steps = None if plan is None else StepMap(plan)
    lost = [
        LostStep(execution_id=row.id, key=entry.key)
        for entry in entries
        if plan is None or steps is None or not _has_place(plan, steps, entry)
    ]
    void: list[VoidApproval] = []
    for request in [*requests, *decisions_in(journal).values()]:
        if request.status not in ("pending", "approved", "rejected") or request.key.removesuffix(_APPROVAL) in done:
            continue
        why = "its agent is not run any more" if plan is None or steps is None else _why_void(plan, steps, request)
        if why is not None:
            void.append(
                VoidApproval(
                    approval_id=request.id,
                    execution_id=row.id,
                    key=request.key,
                    checkpoint_name=request.checkpoint_name,
                    status=request.status,
                    why=why,
                )
            )
    return lost, void


def _has_place(plan: Plan, steps: StepMap, entry: JournalEntry) -> bool:
    """Whether the plan has a step of that kind there."""
    place = steps.place(entry.key)
    if place is None:
        return False
    nodes = {} if plan.workflow is None else {node.key: node for node in plan.workflow.nodes.values()}
    node = nodes.get(place.part)
    if node is None:
        return place.turn is not None  # a prompt step
    if (place.item is not None) != (node.map_over is not None):
        return False
    if place.turn is not None:
        return node.step is not None and node.media is None
    runs = {"tool": node.tool, "child": node.agent, "datasource": node.query, "media": node.media}
    return runs.get(entry.kind) is not None


def _why_void(plan: Plan, steps: StepMap, request: ApprovalRow) -> str | None:
    """Why a request does not match what would be done under the plan; None where it does."""
    bound = _bound(plan, steps, request)
    if bound is None:
        return f"nothing there asks for '{request.checkpoint_name}' any more"
    if request_digest(request.key, request.checkpoint_name, request.payload, bound) == request.digest:
        return None
    return "it is bound to the agent version, the sub-agent version and the tool's parameters, of which one has changed"


def _bound(plan: Plan, steps: StepMap, request: ApprovalRow) -> dict[str, Any] | None:
    """What the plan would ask for there is bound to; None where it asks for nothing of that name."""
    name = request.checkpoint_name
    versions = {"agent_version_id": plan.version_id}
    if request.key == "approval":
        return versions if plan.checkpoint == name else None
    place = steps.place(request.key)
    if place is None:
        return None
    if place.turn is None:
        nodes = () if plan.workflow is None else plan.workflow.nodes.values()
        asks = {node.key: node.checkpoint.name for node in nodes if node.checkpoint is not None}
        return versions if asks.get(place.part) == name else None
    step = next((one for one in plan.steps if one.key == place.part), None)
    if step is None or name not in step.guarded:
        return None
    return bound_to(plan, step.tools.get(name), step.sub_agents.get(name))
