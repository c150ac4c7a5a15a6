"""`demo`: a support desk that answers a file of customers' messages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from promptrails_engine.cli.demo_desk import Desk, Folder, open_desk
from promptrails_engine.cli.demo_report import print_row, print_summary, print_title, row_printer
from promptrails_engine.cli.demo_rows import Answered, CustomerMessage, read_messages
from promptrails_engine.cli.exits import ExitCode, UsageError
from promptrails_engine.cli.output import note
from promptrails_engine.cli.records import print_tree
from promptrails_engine.definitions.digest import compact_json

DEFAULT_MODEL = "local/smollm2"
# What the first message shows to be wrong with the set-up is wrong with the others too.
_SET_UP = frozenset(
    {"auth", "unauthorized", "forbidden", "quota", "not_found", "configuration", "missing_extra", "model_not_served"}
)


def demo(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="A provider/model name, such as openai/gpt-4o-mini with OPENAI_API_KEY set; `scripted` needs nothing.",
        ),
    ] = DEFAULT_MODEL,
    budget_s: Annotated[
        float, typer.Option("--seconds", min=0, help="Stop before a message that would not fit into this time.")
    ] = 60.0,
    everything: Annotated[bool, typer.Option("--all", help="Answer every message, however long it takes.")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Show every trace, not only the first.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write.")] = Path("demo-output"),
) -> None:
    """Answer a file of customers' messages with a small agent, and show what happens.

    The agent is a chain of two prompts: the first classifies the message under an output schema, the second answers
    it, with tools that look up orders and products in a small SQLite shop.  By default the model is SmolLM2-135M, which
    runs in this process: no key and no network are needed, and it is far too small to be clever.

    Writes results.jsonl, trace.jsonl, demo.db, shop.db and the agent's definitions; what an earlier demo wrote there
    is replaced.
    """
    folder = Folder(out)
    messages = read_messages()
    limit_s = None if everything else budget_s
    print_title(model, len(messages), limit_s)
    rows: list[Answered] = []
    interrupted = False
    started = time.monotonic()
    with open_desk(folder, model) as desk, folder.results.open("w", encoding="utf-8") as results:
        try:
            for row in _answers(desk, messages, limit_s, trace):
                rows.append(row)
                results.write(compact_json(row.to_dict()) + "\n")
                results.flush()
        except KeyboardInterrupt:
            interrupted = True
    print_summary(rows, len(messages), time.monotonic() - started, folder)
    if interrupted:
        note(f"interrupted: the {len(rows)} finished messages are in {folder.results}")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if any(row.result.status != "completed" for row in rows):
        raise typer.Exit(ExitCode.RUN_FAILED)


def _answers(desk: Desk, messages: list[CustomerMessage], budget_s: float | None, trace: bool) -> Iterator[Answered]:
    """One answer after another, printed as they come, as long as the next one is likely to fit into the budget.

    Raises:
        UsageError: the first message shows that the model cannot be used as it is set up.
    """
    started = time.monotonic()
    for number, message in enumerate(messages):
        spent = time.monotonic() - started
        if number and budget_s is not None and spent + spent / number > budget_s:
            return
        row, spans = desk.answer(message, row_printer(message, number + 1, len(messages)))
        if not number and row.result.error_code in _SET_UP:
            raise UsageError(row.result.error, code=row.result.error_code)
        print_row(row)
        if trace or not number:
            print_tree(spans)
        yield row
