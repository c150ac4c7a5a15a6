"""How commands end: exit codes, and errors as one line."""

from __future__ import annotations

from enum import IntEnum

from promptrails_engine.cli.output import note, printable
from promptrails_engine.errors import (
    ConfigurationError,
    PromptRailsError,
    ProviderError,
    RateLimitError,
    RunError,
    ServerError,
    ToolError,
)


class ExitCode(IntEnum):
    """0: done; 1: unexpected; 2: usage or set-up; 3: a run failed; 130: interrupted (128 + SIGINT)."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    RUN_FAILED = 3
    INTERRUPTED = 130


_OF_RUNS = (ProviderError, RunError, ServerError, RateLimitError, ToolError)


class UsageError(ConfigurationError):
    """The command was called in a way that cannot be done."""

    code = "usage"


def exit_code(error: PromptRailsError) -> ExitCode:
    """The code for an error that ended a command."""
    return ExitCode.RUN_FAILED if isinstance(error, _OF_RUNS) else ExitCode.USAGE


def report(code: str, message: str) -> None:
    """Print an error on stderr: its code, then what happened and what to do."""
    note(f"error [{code}]: {printable(message)}")
