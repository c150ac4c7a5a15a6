"""What commands are given: input values as JSON, and an engine over a folder or a store."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from promptrails_engine.cli.exits import UsageError
from promptrails_engine.cli.output import note
from promptrails_engine.engine import Engine
from promptrails_engine.ports.tool import Tool

FolderOption = Annotated[
    Path | None, typer.Option("--from", metavar="FOLDER", help="Folder of definition files (YAML or JSON) to load.")
]
StoreOption = Annotated[
    str | None, typer.Option("--store", metavar="STORE", help="SQLite file, such as app.db, or database URL.")
]
NeededStore = Annotated[
    str, typer.Option("--store", metavar="STORE", help="SQLite file, such as app.db, or database URL.")
]
InputOption = Annotated[
    str | None, typer.Option("--input", "-i", metavar="JSON", help='Input values, such as \'{"text": "hello"}\'.')
]
InputFileOption = Annotated[
    str | None, typer.Option("--input-file", metavar="FILE", help="File with the input values as JSON; - is stdin.")
]
ExecutionId = Annotated[str, typer.Argument(metavar="ID", help="Id of the execution.")]
LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="PROVIDER/MODEL", help="Model where the definitions name none."),
]
WorkspaceOption = Annotated[
    str, typer.Option("--workspace", metavar="ID", help="Whose definitions and runs, where tenants share a store.")
]
DEFAULT_WORKSPACE = "default"


def input_values(text: str | None, file: str | None) -> dict[str, Any]:
    """The input object from `--input` or `--input-file`; empty where neither is given."""
    if text is not None and file is not None:
        raise UsageError("--input and --input-file are both given; keep one")
    if file is not None:
        text = read_text(file)
    if text is None:
        return {}
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise UsageError(f"the input is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError('the input must be a JSON object of named values, such as {"text": "hello"}')
    return cast("dict[str, Any]", value)


def read_text(file: str) -> str:
    """The text of a file, or of stdin where it is `-`.

    Raises:
        UsageError: it cannot be read, or is no UTF-8 text.
    """
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"'{file}' cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"'{file}' is not UTF-8 text") from None


@contextmanager
def opened(
    folder: Path | None,
    store: str | None,
    model: str | None = None,
    tools: Iterable[Tool] = (),
    *,
    workspace: str = DEFAULT_WORKSPACE,
    background: int = 8,
) -> Generator[Engine]:
    """An engine over the store, in memory without one, with the folder's definitions loaded into it.

    `background` is how many queued executions it runs at once.

    Raises:
        UsageError: neither is given, the store is not there, or the two disagree.
    """
    if folder is None and store is None:
        raise UsageError("say where the definitions are: --from FOLDER, --store STORE, or both")
    if folder is None and store is not None:
        need_existing(store)
    with Engine(store, model=model, tools=tools, workspace_id=workspace, background=background) as engine:
        if folder is not None:
            report = engine.definitions.load(folder)
            if report.conflicts:
                raise UsageError(f"'{folder}' and the store disagree: {report}")
            note(f"definitions of '{folder}': {report}")
        yield engine


@contextmanager
def records(store: str, workspace: str = DEFAULT_WORKSPACE) -> Generator[Engine]:
    """An engine over a store that is there already."""
    need_existing(store)
    with Engine(store, workspace_id=workspace) as engine:
        yield engine


def need_existing(store: str) -> None:
    """Refuse a path where no file is: opening it would make an empty store."""
    if "://" not in store and not Path(store).is_file():
        raise UsageError(f"there is no store '{store}'; name an existing SQLite file or a database URL")
