"""What a run came to, as commands print it and end with it."""

from __future__ import annotations

import typer

from promptrails_engine.cli.exits import ExitCode, exit_code_of, report
from promptrails_engine.cli.formats import OutputFormat
from promptrails_engine.cli.output import dollars, note, printable, say, say_json, say_pairs, seconds
from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.engine import Engine
from promptrails_engine.results import ExecutionResult


def print_result(result: ExecutionResult, *, streamed: bool = False) -> None:
    """The answer and, for people, its figures; where the answer was streamed, the figures go to stderr."""
    figures = [
        ("status", result.status),
        ("time", seconds(result.duration_ms)),
        ("tokens", str(result.token_usage.get("total_tokens", "unknown"))),
        ("cost", dollars(result.cost)),
        ("execution", result.execution_id),
        ("trace", result.trace_id),
    ]
    if streamed:
        say()
        note("  ".join(f"{name} {value}" for name, value in figures))
        return
    say_pairs([*([("answer", result.text)] if result.text else []), *figures])


def say_what_it_waits_for(engine: Engine, result: ExecutionResult, *, kept: bool = True) -> None:
    """Print, on stderr, the approvals that a run waits for; `kept` says that its store outlives this process."""
    if result.status != "awaiting_approval":
        return
    for request in engine.approvals.list(root_execution_id=result.execution_id, status="pending", limit=1000):
        until = "" if request.expires_at is None else f", until {request.expires_at[:19]}"
        what = printable(f"'{request.checkpoint_name}': {compact_json(request.payload)}")
        note(f"waits for approval {request.id} of {what}{until}")
    if not kept:
        note("nobody can decide it: without --store the run is forgotten now")


def end_with(result: ExecutionResult, output: OutputFormat) -> None:
    """Print what a run came to, and end the command as it did.

    Raises:
        Exit: it did not complete.
    """
    if output is OutputFormat.JSON:
        say_json(result.to_dict())
    else:
        print_result(result)
    finish(result)


def finish(result: ExecutionResult) -> None:
    """End the command as the run did: with 0 if it completed, 4 if it waits, and 3 and an error else.

    Raises:
        Exit: it did not complete.
    """
    code = exit_code_of([result.status])
    if code is ExitCode.RUN_FAILED:
        report(result.error_code or result.status, result.error or f"the run ended as {result.status}")
    if code is not ExitCode.OK:
        raise typer.Exit(code)
