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
    ├── ConflictError (409)               ── AlreadyDecidedError, ApprovalExpiredError
    ├── RateLimitError (429)             carries retry_after_s
    ├── ServerError (5xx)                ── ProviderUnavailableError, ProviderProtocolError, StreamInterruptedError
    ├── ProviderError                    other answers of a provider: bad request, context, filter, size, time
    ├── RunError                         the run itself stopped: limits, loops, cancellation, empty answer
    ├── ToolError                        a tool call that went wrong (also handed to the model)
    ├── ConfigurationError               a missing extra, key or provider; wrong use of the engine
    ├── WebhookError                     a receiver that was not reached, or refused
    └── StoreError                       unreachable, corrupt or newer than this library

Each error says what to do, and carries `code` (stable, for programs), `status_code` (the HTTP status of the hosted
API, or None), `details` (JSON data) and `retryable` (would the same call have a chance later).
"""

from __future__ import annotations

from promptrails_engine.errors.adapter import (
    DataSourceError,
    DataSourceUnavailableError,
    QueryInvalidError,
    QueryLimitError,
    ToolArgsInvalidError,
    ToolDeniedError,
    ToolError,
    ToolUnknownError,
)
from promptrails_engine.errors.base import (
    AlreadyDecidedError,
    ApprovalExpiredError,
    ArchivedError,
    ConflictError,
    DefinitionError,
    ForbiddenError,
    InputInvalidError,
    NotFoundError,
    OutputInvalidError,
    PromptRailsError,
    QuotaExceededError,
    RateLimitError,
    SchemaViolationError,
    ServerError,
    TemplateError,
    TemplateLimitError,
    UnauthorizedError,
    ValidationError,
    VersionMismatchError,
    Violation,
)
from promptrails_engine.errors.provider import (
    AuthError,
    BadRequestError,
    ContentFilteredError,
    ContextOverflowError,
    ModelNotFoundError,
    ProviderError,
    ProviderProtocolError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RedirectRefusedError,
    RefusedError,
    ResponseTooLargeError,
    StreamInterruptedError,
)
from promptrails_engine.errors.run import (
    ApprovalMismatchError,
    ApprovalRejectedError,
    BranchesFailedError,
    BudgetExceededError,
    ChildFailedError,
    EmptyOutputError,
    FencedError,
    GuardrailBlockedError,
    JournalError,
    OutputTruncatedError,
    RunCancelledError,
    RunError,
    RunFailedError,
    RunTimeoutError,
    ToolLoopError,
)
from promptrails_engine.errors.setup import (
    ConfigurationError,
    EngineClosedError,
    EngineUsageError,
    MissingExtraError,
    ModelNotServedError,
    StoreCorruptError,
    StoreError,
    StoreUnavailableError,
    StoreVersionError,
    WebhookError,
)

__all__ = [
    "AlreadyDecidedError",
    "ApprovalExpiredError",
    "ApprovalMismatchError",
    "ApprovalRejectedError",
    "ArchivedError",
    "AuthError",
    "BadRequestError",
    "BranchesFailedError",
    "BudgetExceededError",
    "ChildFailedError",
    "ConfigurationError",
    "ConflictError",
    "ContentFilteredError",
    "ContextOverflowError",
    "DataSourceError",
    "DataSourceUnavailableError",
    "DefinitionError",
    "EmptyOutputError",
    "EngineClosedError",
    "EngineUsageError",
    "FencedError",
    "ForbiddenError",
    "GuardrailBlockedError",
    "InputInvalidError",
    "JournalError",
    "MissingExtraError",
    "ModelNotFoundError",
    "ModelNotServedError",
    "NotFoundError",
    "OutputInvalidError",
    "OutputTruncatedError",
    "PromptRailsError",
    "ProviderError",
    "ProviderProtocolError",
    "ProviderTimeoutError",
    "ProviderUnavailableError",
    "QueryInvalidError",
    "QueryLimitError",
    "QuotaExceededError",
    "RateLimitError",
    "RedirectRefusedError",
    "RefusedError",
    "ResponseTooLargeError",
    "RunCancelledError",
    "RunError",
    "RunFailedError",
    "RunTimeoutError",
    "SchemaViolationError",
    "ServerError",
    "StoreCorruptError",
    "StoreError",
    "StoreUnavailableError",
    "StoreVersionError",
    "StreamInterruptedError",
    "TemplateError",
    "TemplateLimitError",
    "ToolArgsInvalidError",
    "ToolDeniedError",
    "ToolError",
    "ToolLoopError",
    "ToolUnknownError",
    "UnauthorizedError",
    "ValidationError",
    "VersionMismatchError",
    "Violation",
    "WebhookError",
]
