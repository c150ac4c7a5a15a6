"""`executions` and `traces`: what a store keeps of past runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from promptrails_engine.cli.formats import OutputFormat, OutputOption
from promptrails_engine.cli.inputs import (
    DEFAULT_WORKSPACE,
    ExecutionId,
    LimitOption,
    NeededStore,
    WorkspaceOption,
    records,
)
from promptrails_engine.cli.output import dollars, printable, say, say_json, say_pairs, say_table, seconds
from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.engine import Engine
from promptrails_engine.errors import NotFoundError
from promptrails_engine.results import AgentExecution, Trace
from promptrails_engine.tracing import ConsoleSink, span_from_dict

executions = typer.Typer(name="executions", help="Past runs in a store.", no_args_is_help=True, rich_markup_mode=None)
traces = typer.Typer(name="traces", help="Traces of past runs in a store.", no_args_is_help=True, rich_markup_mode=None)

_HEADERS = ("id", "status", "agent", "created", "time", "tokens", "cost", "answer")


@executions.command("list")
def list_executions(
    store: NeededStore,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    agent: Annotated[str | None, typer.Option(help="Only runs of this agent, by name or id.")] = None,
    status: Annotated[str | None, typer.Option(help="Only runs with this status, such as failed.")] = None,
    limit: LimitOption = 20,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """List runs, newest first."""
    with records(store, workspace) as engine:
        agent_id = None if agent is None else engine.agents.get(agent).id
        found = engine.executions.list(agent_id=agent_id, status=status, limit=limit)
        if output is OutputFormat.JSON:
            say_json([execution.to_dict() for execution in found])
            return
        names = {agent.id: agent.name for agent in engine.agents.list(limit=1000)}
        say_table(_HEADERS, [_row(execution, names.get(execution.agent_id, "")) for execution in found])


@executions.command("get")
def get_execution(
    execution_id: ExecutionId,
    store: NeededStore,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show one run: input, answer, cost, and the versions that it used."""
    with records(store, workspace) as engine:
        execution = engine.executions.get(execution_id)
    if output is OutputFormat.JSON:
        say_json(execution.to_dict())
        return
    say_pairs(_pairs(execution))


@executions.command("diff")
def diff_executions(
    a: Annotated[str, typer.Argument(metavar="A", help="Id of the first execution.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Id of the second.")],
    store: NeededStore,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show where two runs part, and what differs: versions, prompts, messages, tools, answers, cost."""
    with records(store, workspace) as engine:
        found = engine.executions.diff(a, b)
    if output is OutputFormat.JSON:
        say_json(found.to_dict())
        return
    say(printable(str(found)))


@traces.command("show")
def show_trace(
    trace_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a trace or of an execution.")],
    store: NeededStore,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show the trace of one run as a tree."""
    with records(store, workspace) as engine:
        spans = _spans(engine, trace_id)
    if output is OutputFormat.JSON:
        say_json([span.to_dict() for span in spans])
        return
    print_tree(spans)


def print_tree(spans: list[Trace]) -> None:
    """Print the spans of one trace as a tree on stdout."""
    sink = ConsoleSink(sys.stdout)
    sink.export([span_from_dict(span.to_dict()) for span in spans])
    sink.close()


def _spans(engine: Engine, trace_id: str) -> list[Trace]:
    try:
        return engine.traces.get_by_trace_id(trace_id)
    except NotFoundError:
        found = engine.traces.list(execution_id=trace_id, limit=1)
        if not found:
            raise
        return engine.traces.get_by_trace_id(found[0].trace_id)


def _row(execution: AgentExecution, agent: str) -> list[str]:
    answer = f"[{execution.error_code}] {execution.error}" if execution.error else execution.text
    return [
        execution.id,
        execution.status,
        agent or execution.agent_id,
        execution.created_at[:19],
        seconds(execution.duration_ms),
        str(execution.token_usage.get("total_tokens", "")),
        dollars(execution.cost),
        answer if len(answer) <= 60 else f"{answer[:57]}...",
    ]


def _pairs(execution: AgentExecution) -> list[tuple[str, str]]:
    pairs = [
        ("id", execution.id),
        ("status", execution.status),
        ("agent", execution.agent_id),
        ("created", execution.created_at),
        ("time", seconds(execution.duration_ms)),
        ("tokens", str(execution.token_usage.get("total_tokens", ""))),
        ("cost", dollars(execution.cost)),
        ("trace", execution.trace_id or ""),
        ("input", compact_json(execution.input)),
        ("answer", execution.text),
        ("error", f"[{execution.error_code}] {execution.error}" if execution.error else ""),
        ("versions", compact_json(execution.version_lock)),
    ]
    return [(name, value) for name, value in pairs if value]
