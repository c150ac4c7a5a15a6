"""The commands of `promptrails-engine`, put together."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from promptrails_engine._version import __version__
from promptrails_engine.cli.approvals import approvals
from promptrails_engine.cli.demo import demo
from promptrails_engine.cli.exits import exit_code, report
from promptrails_engine.cli.forks import fork, migrate
from promptrails_engine.cli.output import make_tolerant, say
from promptrails_engine.cli.records import executions, traces
from promptrails_engine.cli.resuming import cancel, doubts, recover, resolve, resume
from promptrails_engine.cli.runs import render, run
from promptrails_engine.cli.scan import scan
from promptrails_engine.cli.worker import worker
from promptrails_engine.errors import PromptRailsError

app = typer.Typer(
    name="promptrails-engine",
    help="Versioned prompts and agents, run in this process.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 unexpected error, 2 wrong usage or set-up, 3 a run failed or a scan found something, "
    "4 a run waits for an approval or for the answer to a doubt, 130 interrupted, 143 terminated.",
)
app.command()(demo)
app.command()(run)
app.command()(render)
app.command()(scan)
app.command()(worker)
app.command()(recover)
for command in (resume, doubts, resolve, cancel, fork, migrate):
    executions.command()(command)
app.add_typer(executions)
app.add_typer(traces)
app.add_typer(approvals)


@app.command()
def version() -> None:
    """Print the version of the library."""
    say(f"promptrails-engine {__version__}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line (that of the process by default); ends with SystemExit."""
    make_tolerant()
    try:
        app(args=None if arguments is None else list(arguments), prog_name="promptrails-engine")
    except PromptRailsError as error:
        report(error.code, error.message)
        sys.exit(exit_code(error))
