"""`executions fork` and `executions migrate`: what if, and on with newer versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from promptrails_engine.cli.endings import end_with, say_what_it_waits_for
from promptrails_engine.cli.exits import UsageError
from promptrails_engine.cli.formats import OutputFormat, OutputOption
from promptrails_engine.cli.inputs import (
    DEFAULT_WORKSPACE,
    ExecutionId,
    InputFileOption,
    InputOption,
    NeededStore,
    WorkspaceOption,
    input_values,
    opened,
)
from promptrails_engine.cli.output import note, printable, say, say_json
from promptrails_engine.cli.tool_files import ToolsOption, tools_in


def fork(
    execution_id: ExecutionId,
    store: NeededStore,
    at: Annotated[str | None, typer.Option(metavar="STEP", help="Key of the step at which they part.")] = None,
    prompt_file: Annotated[
        Path | None, typer.Option("--prompt-file", metavar="FILE", help="File with another user prompt for that step.")
    ] = None,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="Another system prompt for that step.")] = None,
    prompt_version: Annotated[
        str | None, typer.Option("--prompt-version", metavar="V", help="Another version of that step's prompt.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="PROVIDER/MODEL", help="Another model for that step.")
    ] = None,
    text: InputOption = None,
    file: InputFileOption = None,
    tools: ToolsOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Run again from a step on, with what is changed; what came before is recalled, and costs nothing.

    Without --at everything runs anew.  Effects of tools from that step on happen again.  `executions diff` shows what
    the change has made.  Ends with exit code 3 if the fork fails, with 4 if it waits.
    """
    values = None if text is None and file is None else input_values(text, file)
    prompt = _prompt(prompt_file, system, prompt_version)
    with opened(None, store, tools=tools_in(tools), workspace=workspace) as engine:
        result = engine.executions.fork(execution_id, at=at, prompt=prompt, model=model, input=values)
        say_what_it_waits_for(engine, result)
    end_with(result, output)


def migrate(
    execution_id: ExecutionId,
    store: NeededStore,
    to: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Version of the agent; else the current one.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; else it is only shown.")] = False,
    tools: ToolsOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show what changes for a run that waits if it goes on with newer versions."""
    with opened(None, store, tools=tools_in(tools), workspace=workspace) as engine:
        found = engine.executions.migrate(execution_id, to, dry_run=not apply)
    if output is OutputFormat.JSON:
        say_json(found.to_dict())
        return
    say(printable(str(found)))
    if not apply:
        note("nothing was changed; --apply does it")


def _prompt(file: Path | None, system: str | None, version: str | None) -> dict[str, Any] | str | None:
    if version is not None:
        if file is not None or system is not None:
            raise UsageError("--prompt-version goes with neither --prompt-file nor --system")
        return version
    changes: dict[str, Any] = {} if system is None else {"system_prompt": system}
    if file is not None:
        try:
            changes["user_prompt"] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"'{file}' cannot be read: {error}") from None
    return changes or None
