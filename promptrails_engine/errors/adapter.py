"""What went wrong in a tool or a data source."""

from __future__ import annotations

from promptrails_engine.errors.base import PromptRailsError


class ToolError(PromptRailsError):
    """Raise it in a tool to tell the model what went wrong: its text is the result that the model sees."""

    code = "tool_failed"


class ToolUnknownError(ToolError):
    code = "tool_unknown"


class ToolDeniedError(ToolError):
    """Somebody rejected the call."""

    code = "tool_denied"


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
