"""`approvals`: what runs wait for, and deciding it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from promptrails_engine.cli.formats import OutputFormat, OutputOption
from promptrails_engine.cli.inputs import DEFAULT_WORKSPACE, LimitOption, NeededStore, WorkspaceOption, records
from promptrails_engine.cli.output import note, say_json, say_pairs, say_table
from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.results import ApprovalRequest

approvals = typer.Typer(
    name="approvals", help="What runs in a store wait for.", no_args_is_help=True, rich_markup_mode=None
)

_HEADERS = ("id", "status", "checkpoint", "agent", "execution", "created", "expires", "payload")
_Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the request.")]


class Verdict(StrEnum):
    """How a request can be decided."""

    APPROVED = "approved"
    REJECTED = "rejected"


@approvals.command("list")
def list_approvals(
    store: NeededStore,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    status: Annotated[str | None, typer.Option(help="Only requests with this status, such as pending.")] = None,
    execution: Annotated[str | None, typer.Option(help="Only those of this run and all below it, by its id.")] = None,
    limit: LimitOption = 20,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """List what runs wait for, and what was decided, newest first."""
    with records(store, workspace) as engine:
        found = engine.approvals.list(status=status, root_execution_id=execution, limit=limit)
        if output is OutputFormat.JSON:
            say_json([request.to_dict() for request in found])
            return
        names = {agent.id: agent.name for agent in engine.agents.list(limit=1000)}
        say_table(_HEADERS, [_row(request, names.get(request.agent_id or "", "")) for request in found])


@approvals.command("get")
def get_approval(
    approval_id: _Id,
    store: NeededStore,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show one request: what is to be approved, and what was decided."""
    with records(store, workspace) as engine:
        _say(engine.approvals.get(approval_id), output)


@approvals.command("decide")
def decide_approval(
    approval_id: _Id,
    decision: Annotated[Verdict, typer.Argument(help="What is decided.", show_default=False)],
    store: NeededStore,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    reason: Annotated[str, typer.Option(help="Why; kept with the request.")] = "",
    by: Annotated[str, typer.Option("--by", metavar="WHO", help="Who decides; kept with the request.")] = "",
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Decide one request, for good.

    The run goes on in the application that takes up the runs of the store, which has its models and tools.
    """
    with records(store, workspace) as engine:
        request = engine.approvals.decide(approval_id, decision.value, reason, decided_by=by, resume=False)
    _say(request, output)
    note(f"run {request.root_execution_id} goes on where the runs of this store are taken up")


def _say(request: ApprovalRequest, output: OutputFormat) -> None:
    if output is OutputFormat.JSON:
        say_json(request.to_dict())
        return
    pairs = [(name, value if isinstance(value, str) else compact_json(value)) for name, value in _shown(request)]
    say_pairs([(name, value) for name, value in pairs if value])


def _shown(request: ApprovalRequest) -> list[tuple[str, object]]:
    return [
        ("id", request.id),
        ("status", request.status),
        ("checkpoint", request.checkpoint_name),
        ("agent", request.agent_id or ""),
        ("execution", request.execution_id),
        ("root", request.root_execution_id),
        ("step", request.key),
        ("created", request.created_at),
        ("expires", request.expires_at or ""),
        ("decided", request.decided_at or ""),
        ("by", request.decided_by or ""),
        ("reason", request.reason or ""),
        ("payload", request.payload),
    ]


def _row(request: ApprovalRequest, agent: str) -> list[str]:
    payload = compact_json(request.payload)
    return [
        request.id,
        request.status,
        request.checkpoint_name,
        agent or request.agent_id or "",
        request.execution_id,
        request.created_at[:19],
        (request.expires_at or "")[:19],
        payload if len(payload) <= 60 else f"{payload[:57]}...",
    ]
