"""`recover`, and `executions resume`, `doubts`, `resolve` and `cancel`: runs that stopped, or are to."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any, NamedTuple

import typer

from promptrails_engine.cli.endings import end_with, say_what_it_waits_for
from promptrails_engine.cli.exits import ExitCode, UsageError, exit_code_of
from promptrails_engine.cli.formats import OutputFormat, OutputOption
from promptrails_engine.cli.inputs import (
    DEFAULT_WORKSPACE,
    ExecutionId,
    ModelOption,
    NeededStore,
    WorkspaceOption,
    opened,
    records,
)
from promptrails_engine.cli.output import note, printable, say_json, say_pairs, say_table
from promptrails_engine.cli.tool_files import ToolsOption, tools_in
from promptrails_engine.definitions.digest import compact_json
from promptrails_engine.engine import Engine
from promptrails_engine.errors import ConflictError
from promptrails_engine.results import AgentExecution, DoubtfulStep, ExecutionResult

_LOOK_S = 0.2
_GOES_ON = frozenset({"pending", "running"})


def recover(
    store: NeededStore,
    tools: ToolsOption = None,
    model: ModelOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Take over the runs whose process has died, and those that are queued, and wait for their end.

    A process counts as dead once its lease has lapsed, 30 s after its last sign of life if it says nothing else.
    What they have on record is not repeated.  A run of whose effects nobody knows whether one happened is in doubt, and
    waits for `executions resolve`.  Ends with exit code 3 if one did not complete, with 4 if one waits.
    """
    with opened(None, store, model, tools_in(tools), workspace=workspace) as engine:
        recovery = engine.recover()
        became = {
            "resumed": [_waited(engine, execution_id) for execution_id in recovery.resumed],
            "in doubt": [engine.executions.get(execution_id) for execution_id in recovery.in_doubt],
            "ended": [engine.executions.get(execution_id) for execution_id in recovery.ended],
        }
        elsewhere = engine.executions.list(status="running", limit=1).meta.total
    if elsewhere:
        note(f"running elsewhere: {elsewhere}; what has died there can be taken over once its lease has lapsed")
    if output is OutputFormat.JSON:
        said = {name.replace(" ", "_"): [run.to_dict() for run in runs] for name, runs in became.items()}
        say_json(said)
    else:
        rows = [(run.id, name, run.status, run.error or run.text) for name, runs in became.items() for run in runs]
        say_table(("id", "recovered", "status", "answer"), rows)
    raise typer.Exit(exit_code_of(run.status for runs in became.values() for run in runs))


def resume(
    execution_id: ExecutionId,
    store: NeededStore,
    tools: ToolsOption = None,
    model: ModelOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Run on a run that nobody runs: one that was decided or resolved, whose process has died, or that is queued."""
    with opened(None, store, model, tools_in(tools), workspace=workspace) as engine:
        result = engine.executions.resume(execution_id)
        say_what_it_waits_for(engine, result)
    end_with(result, output)


def doubts(
    execution_id: ExecutionId,
    store: NeededStore,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """List the effects of a run, and of those below it, of which nobody knows whether they happened."""
    with records(store, workspace) as engine:
        found = engine.executions.doubts(execution_id)
    if output is OutputFormat.JSON:
        say_json([doubt.to_dict() for doubt in found])
        return
    rows = [(doubt.execution_id, doubt.step, doubt.tool, compact_json(doubt.arguments)) for doubt in found]
    say_table(("execution", "step", "tool", "arguments"), rows)


class _Answer(NamedTuple):
    """What is said about a doubt."""

    retry: bool
    value: str | None
    fail: bool


def resolve(
    execution_id: ExecutionId,
    step: Annotated[str, typer.Argument(metavar="STEP", help="Key of the step, as `doubts` says it.")],
    store: NeededStore,
    retry: Annotated[bool, typer.Option("--retry", help="It did not happen: do it again.")] = False,
    value: Annotated[
        str | None, typer.Option("--value", metavar="JSON", help="It happened, and this is what came of it.")
    ] = None,
    fail: Annotated[bool, typer.Option("--fail", help="It counts as failed.")] = False,
    reason: Annotated[str, typer.Option(help="What the model is told of a step that failed.")] = "",
    no_resume: Annotated[bool, typer.Option("--no-resume", help="Leave the run to a worker.")] = False,
    tools: ToolsOption = None,
    model: ModelOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Say what became of an effect that is in doubt; once no doubt is left the run goes on, and this waits for its end.

    ID is the execution that the step belongs to, as `doubts` says it.
    """
    answer = _Answer(retry, value, fail)
    result: ExecutionResult | None = None
    with opened(None, store, model, tools_in(tools), workspace=workspace) as engine:
        part = _resolved(engine, execution_id, step, answer, reason)
        root = engine.executions.get(part.root_execution_id or part.id)
        left = engine.executions.doubts(root.id)
        if not left and not no_resume:
            result = _resumed(engine, root.id)
    if result is not None:
        end_with(result, output)
        return
    _say_left(root, left, output)
    if left:
        raise typer.Exit(ExitCode.WAITING)


def cancel(
    execution_id: ExecutionId,
    store: NeededStore,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Cancel a run, with all below it; one that another process runs is asked to stop."""
    with records(store, workspace) as engine:
        execution = engine.executions.cancel(execution_id)
    if output is OutputFormat.JSON:
        say_json(execution.to_dict())
    else:
        say_pairs([("execution", execution.id), ("status", execution.status)])
    if execution.status == "running":
        note("it stops when the process that runs it has heard of it; executions get shows when it has")


# ------------------------------------------------------------------ inside


def _resolved(engine: Engine, execution_id: str, step: str, answer: _Answer, reason: str) -> AgentExecution:
    given = [name for name, said in answer._asdict().items() if said not in (False, None)]
    if len(given) != 1:
        raise UsageError("say what became of the step with one of --retry, --value JSON and --fail")
    resolve = engine.executions.resolve
    if answer.retry:
        return resolve(execution_id, step, "retry", reason=reason, resume=False)
    if answer.fail:
        return resolve(execution_id, step, "fail", reason=reason, resume=False)
    return resolve(execution_id, step, "value", _json(answer.value or ""), reason=reason, resume=False)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"the value is not JSON: {error}; a text needs quotes, as in '\"sent\"'") from None


def _resumed(engine: Engine, execution_id: str) -> ExecutionResult | None:
    """The result; None where somebody else was faster to take the run up."""
    try:
        result = engine.executions.resume(execution_id)
    except ConflictError:
        return None
    say_what_it_waits_for(engine, result)
    return result


def _waited(engine: Engine, execution_id: str) -> AgentExecution:
    """The execution, once it does not go on any more, wherever it runs."""
    while (found := engine.executions.get(execution_id)).status in _GOES_ON:
        time.sleep(_LOOK_S)
    return found


def _say_left(root: AgentExecution, left: list[DoubtfulStep], output: OutputFormat) -> None:
    for doubt in left:
        note(f"in doubt: execution {doubt.execution_id}, step {printable(doubt.step)}, tool {printable(doubt.tool)}")
    if output is OutputFormat.JSON:
        say_json(root.to_dict())
        return
    say_pairs([("execution", root.id), ("status", root.status)])
