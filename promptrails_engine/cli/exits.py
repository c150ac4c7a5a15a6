"""How commands end: exit codes, and errors as one line."""

from __future__ import annotations

from enum import IntEnum

import typer

from promptrails_engine.cli.output import note, printable
from promptrails_engine.errors import PromptRailsError, ProviderError, RateLimitError, RunError, ServerError, ToolError


class ExitCode(IntEnum):
    """0: done; 1: unexpected; 2: usage or set-up; 3: a run failed; 130: interrupted (128 + SIGINT)."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    RUN_FAILED = 3
    INTERRUPTED = 130


_OF_RUNS = (ProviderError, RunError, ServerError, RateLimitError, ToolError)


def exit_code(error: PromptRailsError) -> ExitCode:
    """The code for an error that ended a command."""
    return ExitCode.RUN_FAILED if isinstance(error, _OF_RUNS) else ExitCode.USAGE


def report(code: str, message: str) -> None:
    """Print an error on stderr: its code, then what happened and what to do."""
    note(f"error [{code}]: {printable(message)}")


class Refused(typer.Exit):
    """Ends the command with a complaint about how it was called."""

    def __init__(self, message: str) -> None:
        report("usage", message)
        super().__init__(ExitCode.USAGE)
