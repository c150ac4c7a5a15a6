"""Every error that the engine raises, in one tree.

    PromptRailsError
    ├── ValidationError (400)
    │   ├── InputInvalidError            the input breaks the input schema
    │   ├── OutputInvalidError           the answer breaks the output schema, repairs spent
    │   ├── DefinitionError              a prompt, agent, config or schema that cannot be used
    │   ├── TemplateError                a template that does not compile or render
    │   │   └── TemplateLimitError       ... that was stopped for its size or time
    │   ├── ArchivedError                the prompt or agent is archived
    │   └── VersionMismatchError         the version belongs to something else
    ├── UnauthorizedError (401)          ── AuthError: a provider refused the key
    ├── QuotaExceededError (402)         the account at the provider is out of money
    ├── ForbiddenError (403)
    ├── NotFoundError (404)              ── ModelNotFoundError: the provider does not know the model
    ├── ConflictError (409)
    ├── RateLimitError (429)             carries retry_after_s
    ├── ServerError (5xx)                ── ProviderUnavailableError, ProviderProtocolError, StreamInterruptedError
    ├── ProviderError                    other answers of a provider: bad request, context, filter, size, time
    ├── RunError                         the run itself stopped: limits, loops, cancellation, empty answer
    ├── ToolError                        a tool call that went wrong (also handed to the model)
    ├── ConfigurationError               a missing extra, key or provider; wrong use of the engine
    └── StoreError                       unreachable, corrupt or newer than this library

Each error says what to do, and carries `code` (stable, for programs), `status_code` (the HTTP status of the hosted
API, or None), `details` (JSON data) and `retryable` (would the same call have a chance later).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


class PromptRailsError(Exception):
    """Root of the tree."""

    code: str = "error"
    status_code: int | None = None
    retryable: bool = False

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        if status_code is not None:
            self.status_code = status_code
        if code is not None:
            self.code = code


# ------------------------------------------------------------------ what the caller or a definition got wrong


class ValidationError(PromptRailsError):
    code = "validation_error"
    status_code = 400


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule of a JSON Schema.

    pointer: JSON pointer to the place in the data, "" for the whole (RFC 6901); message: what is wrong there.
    """

    pointer: str
    message: str


class SchemaViolationError(ValidationError):
    """Data that breaks a JSON Schema; `violations` lists every broken rule."""

    def __init__(self, what: str, violations: Sequence[Violation]) -> None:
        self.violations: tuple[Violation, ...] = tuple(violations)
        lines = "; ".join(f"{v.pointer or '(root)'}: {v.message}" for v in self.violations)
        super().__init__(f"{what}: {lines}", details={"violations": [asdict(v) for v in self.violations]})


class InputInvalidError(SchemaViolationError):
    code = "input_invalid"


class OutputInvalidError(SchemaViolationError):
    code = "output_invalid"


class DefinitionError(ValidationError):
    code = "definition_invalid"


class TemplateError(ValidationError):
    code = "template_error"


class TemplateLimitError(TemplateError):
    code = "template_limit"


class ArchivedError(ValidationError):
    code = "archived"


class VersionMismatchError(ValidationError):
    code = "version_mismatch"


# ------------------------------------------------------------------ the contract's classes by status


class UnauthorizedError(PromptRailsError):
    code = "unauthorized"
    status_code = 401


class QuotaExceededError(PromptRailsError):
    code = "quota"
    status_code = 402


class ForbiddenError(PromptRailsError):
    code = "forbidden"
    status_code = 403


class NotFoundError(PromptRailsError):
    code = "not_found"
    status_code = 404


class ConflictError(PromptRailsError):
    code = "conflict"
    status_code = 409


class RateLimitError(PromptRailsError):
    """The provider asks to wait; `retry_after_s` is its own figure in seconds, where it gave one."""

    code = "rate_limited"
    status_code = 429
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = None, details: Mapping[str, Any] | None = None):
        super().__init__(message, details=details)
        self.retry_after_s = retry_after_s


class ServerError(PromptRailsError):
    code = "server_error"
    status_code = 500
    retryable = True


# ------------------------------------------------------------------ what a provider answered


class AuthError(UnauthorizedError):
    """The provider refused the credential."""

    code = "auth"


class ModelNotFoundError(NotFoundError):
    """The provider does not know the model."""


class ProviderUnavailableError(ServerError):
    code = "provider_unavailable"
    status_code = 503


class ProviderProtocolError(ServerError):
    """The answer is not what the protocol says: HTML, cut JSON, no choices."""

    code = "provider_protocol"
    status_code = 502


class StreamInterruptedError(ServerError):
    """The stream broke off before a finish reason arrived."""

    code = "stream_interrupted"
    status_code = 502


class ProviderError(PromptRailsError):
    code = "provider_error"


class BadRequestError(ProviderError):
    code = "bad_request"
    status_code = 400


class ContextOverflowError(ProviderError):
    code = "context_overflow"
    status_code = 400


class ContentFilteredError(ProviderError):
    code = "content_filtered"


class RefusedError(ProviderError):
    """The model declined to answer; the message is its own text."""

    code = "refused"


class RedirectRefusedError(ProviderError):
    """The provider answered with a redirect, which would carry the prompt to another host."""

    code = "redirect_refused"


class ResponseTooLargeError(ProviderError):
    code = "response_too_large"


class ProviderTimeoutError(ProviderError):
    """A deadline passed; `phase` is connect, first, idle or total."""

    code = "timeout"
    status_code = 408
    retryable = True

    def __init__(self, message: str, *, phase: str) -> None:
        super().__init__(message, details={"phase": phase})
        self.phase = phase


# ------------------------------------------------------------------ what stopped a run


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


class RunFailedError(RunError):
    """Raised by `result.raise_for_status()`; `code` is that of the error that failed the run."""

    code = "run_failed"


class ChildFailedError(RunError):
    """A child execution did not complete.

    `code` is that of the error which ended it, `child_cancelled` where somebody cancelled it; `details` holds its
    `execution_id`, `agent_id` and `status`.
    """

    code = "child_failed"


class ToolError(PromptRailsError):
    """Raise it in a tool to tell the model what went wrong: its text is the result that the model sees."""

    code = "tool_failed"


class ToolUnknownError(ToolError):
    code = "tool_unknown"


class ToolArgsInvalidError(ToolError):
    code = "tool_args_invalid"


class DataSourceError(PromptRailsError):
    """A data source could not answer."""

    code = "data_source_failed"


class QueryInvalidError(DataSourceError):
    """The query or a value for it cannot be used, or it wants more than to read."""

    code = "query_invalid"
    status_code = 400


class QueryLimitError(DataSourceError):
    """The answer has too many rows or bytes, or takes too long."""

    code = "query_limit"


class DataSourceUnavailableError(DataSourceError):
    """It cannot be reached or is busy."""

    code = "data_source_unavailable"
    retryable = True


# ------------------------------------------------------------------ set-up and store


class ConfigurationError(PromptRailsError):
    code = "configuration"


class MissingExtraError(ConfigurationError, ImportError):
    """A feature needs a package that is not installed; the message holds the pip line."""

    code = "missing_extra"


class ModelNotServedError(ConfigurationError):
    """No provider serves this model name."""

    code = "model_not_served"


class EngineClosedError(ConfigurationError):
    code = "engine_closed"


class EngineUsageError(ConfigurationError):
    """A sync call from the engine's own loop, which would wait for itself for ever."""

    code = "engine_usage"


class StoreError(PromptRailsError):
    code = "store_error"


class StoreUnavailableError(StoreError):
    code = "store_unavailable"
    retryable = True


class StoreCorruptError(StoreError):
    code = "store_corrupt"


class StoreVersionError(StoreError):
    """The store was written by a newer library; nothing in it was touched."""

    code = "record_version_unsupported"
