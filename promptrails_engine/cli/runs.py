"""`run` and `render`: an agent or prompt with one input."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from promptrails_engine.cli.endings import finish, print_result, say_what_it_waits_for
from promptrails_engine.cli.exits import UsageError
from promptrails_engine.cli.formats import OutputFormat, OutputOption
from promptrails_engine.cli.inputs import (
    DEFAULT_WORKSPACE,
    FolderOption,
    InputFileOption,
    InputOption,
    ModelOption,
    StoreOption,
    WorkspaceOption,
    input_values,
    opened,
)
from promptrails_engine.cli.output import note, printable, say, say_json
from promptrails_engine.cli.tool_files import ToolsOption, tools_in
from promptrails_engine.engine import Engine
from promptrails_engine.errors import NotFoundError
from promptrails_engine.events import (
    ApprovalRequiredEvent,
    ContentEvent,
    Event,
    RestartEvent,
    ToolEndEvent,
    event_to_dict,
)
from promptrails_engine.results import ExecutionResult, PromptPreview
from promptrails_engine.streams import EventStream


class Kind(StrEnum):
    """What a name names."""

    AGENT = "agent"
    PROMPT = "prompt"


def run(
    agent: Annotated[str, typer.Argument(help="Name or id of the agent.")],
    folder: FolderOption = None,
    store: StoreOption = None,
    text: InputOption = None,
    file: InputFileOption = None,
    model: ModelOption = None,
    tools: ToolsOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    stream: Annotated[bool, typer.Option("--stream", help="Print the answer as it comes; in JSON, events.")] = False,
    background: Annotated[
        bool, typer.Option("--background", help="Put the run into the store's queue for a worker, and print its id.")
    ] = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Run an agent once.

    With --store the run is kept there; without, it is forgotten.  Ends with exit code 3 if the run fails, with 4 if it
    waits for an approval.
    """
    if background and (stream or store is None):
        raise UsageError("--background needs the --store that a worker opens, and has no answer to --stream")
    values = input_values(text, file)
    places = 0 if background else 8
    with opened(folder, store, model, tools_in(tools), workspace=workspace, background=places) as engine:
        if stream:
            result = _follow(engine.agents.stream(agent, values), _SHOWN[output])
        else:
            result = engine.agents.execute(agent, values, sync=not background)
        if not background:
            say_what_it_waits_for(engine, result, kept=store is not None)
    if output is OutputFormat.JSON:
        if not stream:
            say_json(result.to_dict())
    elif background:
        say(result.execution_id)
    else:
        print_result(result, streamed=stream)
    if not background:
        finish(result)


def render(
    name: Annotated[str, typer.Argument(help="Name or id of an agent or prompt.")],
    folder: FolderOption = None,
    store: StoreOption = None,
    text: InputOption = None,
    file: InputFileOption = None,
    model: ModelOption = None,
    tools: ToolsOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    kind: Annotated[Kind | None, typer.Option("--kind", help="What NAME is, where both exist.")] = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show what an agent or prompt would send to its model for an input.  Nothing is sent."""
    values = input_values(text, file)
    with opened(folder, store, model, tools_in(tools), workspace=workspace) as engine:
        if (kind or _kind_of(engine, name)) is Kind.AGENT:
            previews = engine.agents.preview(name, values)
        else:
            previews = [engine.prompts.preview(name, values)]
    if output is OutputFormat.JSON:
        say_json([preview.to_dict() for preview in previews])
        return
    for number, preview in enumerate(previews, start=1):
        _print_preview(preview, f"call {number} of {len(previews)}")


def _kind_of(engine: Engine, name: str) -> Kind:
    found = [
        kind for kind, get in ((Kind.AGENT, engine.agents.get), (Kind.PROMPT, engine.prompts.get)) if _exists(get, name)
    ]
    if not found:
        raise NotFoundError(f"there is no agent and no prompt '{name}'")
    if len(found) > 1:
        raise UsageError(f"'{name}' is the name of an agent and of a prompt; add --kind agent or --kind prompt")
    return found[0]


def _exists(get: Callable[[str], object], name: str) -> bool:
    try:
        get(name)
    except NotFoundError:
        return False
    return True


# ------------------------------------------------------------------ printing


def _follow(stream: EventStream, show: Callable[[Event], None]) -> ExecutionResult:
    for event in stream:
        show(event)
    return stream.result()


def _show_text(event: Event) -> None:
    if isinstance(event, ContentEvent):
        say(printable(event.content), end="")
    elif isinstance(event, ToolEndEvent):
        note(f"[{event.name}] {printable(event.summary or '')}")
    elif isinstance(event, ApprovalRequiredEvent):
        note(f"[{printable(event.checkpoint_name)}] waits for approval {event.approval_id}")
    elif isinstance(event, RestartEvent):
        note(f"[restart] what came after event {event.after} is void")


def _show_json(event: Event) -> None:
    say_json(event_to_dict(event))


_SHOWN: dict[OutputFormat, Callable[[Event], None]] = {
    OutputFormat.TABLE: _show_text,
    OutputFormat.JSON: _show_json,
}


def _print_preview(preview: PromptPreview, title: str) -> None:
    settings = {
        "temperature": preview.temperature,
        "top_p": preview.top_p,
        "top_k": preview.top_k,
        "max_tokens": preview.max_tokens,
        **preview.options,
    }
    given = "  ".join(f"{name}={value}" for name, value in settings.items() if value is not None)
    say(f"--- {title}: {preview.model}  {given}")
    for message in preview.messages:
        say(f"[{message['role']}]\n{printable(message['content'])}\n")
    for tool in preview.tools:
        say(f"[tool {tool['name']}]\n{printable(tool['description'])}\n")
    if preview.output_schema is not None:
        say("[output schema]")
        say_json(preview.output_schema)
        say()
