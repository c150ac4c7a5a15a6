"""The root of the tree, what a caller or a definition got wrong, and the classes of the contract by status."""

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


class AlreadyDecidedError(ConflictError):
    """Somebody else was faster; `details` has the `status`, and who decided it, when and why."""

    code = "already_decided"


class ApprovalExpiredError(ConflictError):
    """The request was not decided in time; `details` has `expires_at`."""

    code = "approval_expired"


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
