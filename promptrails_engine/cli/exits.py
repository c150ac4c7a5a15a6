"""How commands end: exit codes, and errors as one line."""

from __future__ import annotations

from collections.abc import Iterable
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
    """How a command ended.

    0: done; 1: unexpected; 2: usage or set-up; 3: a run failed, or a scan found something; 4: a run waits, for an
    approval or for the answer to a doubt; 130: interrupted (128 + SIGINT); 143: terminated (128 + SIGTERM).
    """

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    RUN_FAILED = 3
    WAITING = 4
    INTERRUPTED = 130
    TERMINATED = 143


_OF_RUNS = (ProviderError, RunError, ServerError, RateLimitError, ToolError)


_WAITS = frozenset({"pending", "running", "awaiting_approval", "in_doubt"})


class UsageError(ConfigurationError):
    """The command was called in a way that cannot be done."""

    code = "usage"


def exit_code(error: PromptRailsError) -> ExitCode:
    """The code for an error that ended a command."""
    return ExitCode.RUN_FAILED if isinstance(error, _OF_RUNS) else ExitCode.USAGE


def exit_code_of(statuses: Iterable[str]) -> ExitCode:
    """The code for runs that have these statuses: the worst of them."""
    found = set(statuses)
    if found - _WAITS - {"completed"}:
        return ExitCode.RUN_FAILED
    return ExitCode.WAITING if found & _WAITS else ExitCode.OK


def report(code: str, message: str) -> None:
    """Print an error on stderr: its code, then what happened and what to do."""
    note(f"error [{code}]: {printable(message)}")
