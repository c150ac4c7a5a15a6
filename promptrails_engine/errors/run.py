"""What stopped a run."""

from __future__ import annotations

from collections.abc import Mapping

from promptrails_engine.errors.base import PromptRailsError


class RunError(PromptRailsError):
    code = "run_error"


class RunCancelledError(RunError):
    code = "cancelled"


class RunTimeoutError(RunError):
    """The wall-clock limit of the run passed."""

    code = "run_timeout"
    status_code = 408


class BudgetExceededError(RunError):
    """The next call could pass a limit of this run, so it was not made."""

    code = "budget_exceeded"


class ToolLoopError(RunError):
    """The model repeated one call, or used all its rounds."""

    code = "tool_loop"


class EmptyOutputError(RunError):
    code = "empty_output"
    retryable = True


class OutputTruncatedError(RunError):
    """The answer ended at the token limit, and a cut one is of no use here."""

    code = "output_truncated"


class BranchesFailedError(RunError):
    """Too few of the prompts that ran side by side succeeded; `details["errors"]` has code and message by role."""

    code = "branches_failed"

    def __init__(self, message: str, errors: Mapping[str, PromptRailsError]) -> None:
        said = "; ".join(f"{role}: {error.message}" for role, error in errors.items())
        what = {role: {"code": error.code, "message": error.message} for role, error in errors.items()}
        super().__init__(f"{message}: {said}", details={"errors": what})
        self.retryable = any(error.retryable for error in errors.values())


class JournalError(RunError):
    """A step could not be put on record, so it was not run."""

    code = "journal_unavailable"


class FencedError(RunError):
    """The run went over to another process, or has ended: what this one still wrote does not count."""

    code = "fenced"


class ApprovalRejectedError(RunError):
    """Somebody rejected the run's output."""

    code = "approval_rejected"


class ApprovalMismatchError(RunError):
    """What was approved is not what would be done now."""

    code = "approval_mismatch"


class GuardrailBlockedError(RunError):
    """A guard let an input, an output or a tool call not pass.

    `details` holds the `guard`, its `scanner_type`, the `direction` and the `types` of what was found, never the text.
    """

    code = "guardrail_blocked"


class RunFailedError(RunError):
    """Raised by `result.raise_for_status()`; `code` is that of the error that failed the run."""

    code = "run_failed"


class ChildFailedError(RunError):
    """A child execution did not complete.

    `code` is that of the error which ended it, `child_cancelled` where somebody cancelled it; `details` holds its
    `execution_id`, `agent_id` and `status`.
    """

    code = "child_failed"
