"""promptrails-engine: versioned prompts and agents, run in your process.

    from promptrails_engine import Engine, SimpleAgentConfig

Every public name is importable from here and loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from promptrails_engine._version import __version__

# fmt: off
# ruff: noqa: I001, RUF022  (laid out by room, not by the alphabet)
_ROOMS = {
    "promptrails_engine.engine": (
        "AsyncEngine", "Engine",
    ),
    "promptrails_engine.definitions.configs": (
        "AgentConfig", "AnyAgentConfig", "ChainAgentConfig", "CompositeAgentConfig", "MultiAgentConfig", "PromptLink",
        "SimpleAgentConfig", "WorkflowAgentConfig",
    ),
    "promptrails_engine.definitions.graph_nodes": (
        "CompositeStep", "WorkflowNode",
    ),
    "promptrails_engine.definitions.guards": (
        "GuardOptions", "GuardrailSpec",
    ),
    "promptrails_engine.definitions.settings": (
        "ApprovalPolicy", "Limits", "ModelConfig", "RateLimit", "RunBudget", "SubAgentAttachment", "ToolAttachment",
    ),
    "promptrails_engine.definitions.records": (
        "Agent", "AgentVersion", "Prompt", "PromptVersion",
    ),
    "promptrails_engine.definitions.diff": (
        "Change", "VersionDiff", "diff_versions",
    ),
    "promptrails_engine.definitions.drawing": (
        "Drawing",
    ),
    "promptrails_engine.dispatch.dispatcher": (
        "Recovery",
    ),
    "promptrails_engine.results": (
        "DoubtfulStep",
        "AgentExecution", "ApprovalRequest", "CostSummary", "ExecutionResult", "Page", "PaginationMeta",
        "PromptPreview", "RunPromptResponse", "Trace",
    ),
    "promptrails_engine.comparison.records": (
        "Difference", "ExecutionDiff", "ExecutionFacts", "StepDiff", "StepFacts",
    ),
    "promptrails_engine.events": (
        "ApprovalRequiredEvent", "ContentEvent", "DoneEvent", "ErrorEvent", "Event", "ExecutionEvent", "RestartEvent",
        "ThinkingEvent", "TokenUsage", "ToolEndEvent", "ToolStartEvent", "event_from_dict", "event_to_dict",
    ),
    "promptrails_engine.streams": (
        "AsyncEventStream", "EventStream",
    ),
    "promptrails_engine.models.registry": (
        "LLMModel",
    ),
    "promptrails_engine.resources.llm_models": (
        "AvailableModelGroup",
    ),
    "promptrails_engine.run.hooks": (
        "HookEvent",
    ),
    "promptrails_engine.run.webhook": (
        "Webhook", "verify_signature",
    ),
    "promptrails_engine.tools.function": (
        "FunctionTool", "tool",
    ),
    "promptrails_engine.ids": (
        "IdFactory",
    ),
    "promptrails_engine.clock": (
        "Clock", "SystemClock",
    ),
    "promptrails_engine.ports.tool": (
        "Effect", "State", "Tool", "ToolContext",
    ),
    "promptrails_engine.ports.sink": (
        "Sink", "Span",
    ),
    "promptrails_engine.ports.provider": (
        "Account", "AccountProvider", "Delta", "Finish", "Message", "ModelCapabilities", "ModelRequest", "Provider",
        "RateLimitDelta", "RefusalDelta", "TextDelta", "ThinkingDelta", "ToolCall", "ToolCallDelta", "ToolSpec",
        "UsageDelta",
    ),
    "promptrails_engine.ports.store": (
        "Store",
    ),
    "promptrails_engine.ports.datasource": (
        "DataSource",
    ),
    "promptrails_engine.ports.scanner": (
        "Finding", "Scanner", "ScannerMeta", "Verdict",
    ),
    "promptrails_engine.ports.media": (
        "MediaProvider",
    ),
    "promptrails_engine.guardrails.evaluation": (
        "Disagreement", "Evaluation",
    ),
    "promptrails_engine.resources.agent_guards": (
        "Guardrail",
    ),
    "promptrails_engine.datasources": (
        "MemoryDataSource", "QueryLimits", "SQLiteDataSource",
    ),
    "promptrails_engine.tracing": (
        "ConsoleSink", "JsonlSink", "MemorySink", "OTelSink",
    ),
    "promptrails_engine.secrets": (
        "Secret",
    ),
    "promptrails_engine.errors": (
        "ApprovalMismatchError", "ApprovalRejectedError", "JournalError", "ToolDeniedError",
        "AlreadyDecidedError", "ApprovalExpiredError", "ArchivedError", "AuthError", "BadRequestError",
        "BranchesFailedError", "BudgetExceededError", "ChildFailedError", "ConfigurationError", "ConflictError",
        "ContentFilteredError", "ContextOverflowError", "DefinitionError", "EmptyOutputError", "EngineClosedError",
        "EngineUsageError", "FencedError", "ForbiddenError", "GuardrailBlockedError", "InputInvalidError",
        "MissingExtraError", "ModelNotFoundError", "ModelNotServedError", "NotFoundError",
        "DataSourceError", "DataSourceUnavailableError",
        "OutputInvalidError", "OutputTruncatedError", "PromptRailsError", "ProviderError",
        "ProviderProtocolError", "ProviderTimeoutError", "ProviderUnavailableError", "QueryInvalidError",
        "QueryLimitError", "QuotaExceededError",
        "RateLimitError", "RedirectRefusedError", "RefusedError", "ResponseTooLargeError",
        "RunCancelledError", "RunError", "RunFailedError", "RunTimeoutError", "SchemaViolationError",
        "ServerError", "StoreCorruptError", "StoreError", "StoreUnavailableError", "StoreVersionError",
        "StreamInterruptedError", "TemplateError", "TemplateLimitError", "ToolArgsInvalidError",
        "ToolError", "ToolLoopError", "ToolUnknownError", "UnauthorizedError", "ValidationError",
        "VersionMismatchError", "Violation", "WebhookError",
    ),
    "promptrails_engine.catalog.folder_report": (
        "LoadReport", "SaveReport",
    ),
    "promptrails_engine.catalog.lock_diff": (
        "LockChange",
    ),
    "promptrails_engine.catalog.migration": (
        "LostStep", "Migration", "VoidApproval",
    ),
}

if TYPE_CHECKING:
    from promptrails_engine.catalog.folder_report import (
        LoadReport, SaveReport,
    )
    from promptrails_engine.catalog.lock_diff import (
        LockChange,
    )
    from promptrails_engine.catalog.migration import (
        LostStep, Migration, VoidApproval,
    )
    from promptrails_engine.comparison.records import (
        Difference, ExecutionDiff, ExecutionFacts, StepDiff, StepFacts,
    )
    from promptrails_engine.datasources import (
        MemoryDataSource, QueryLimits, SQLiteDataSource,
    )
    from promptrails_engine.definitions.configs import (
        AgentConfig, AnyAgentConfig, ChainAgentConfig, CompositeAgentConfig, MultiAgentConfig, PromptLink,
        SimpleAgentConfig, WorkflowAgentConfig,
    )
    from promptrails_engine.definitions.graph_nodes import (
        CompositeStep, WorkflowNode,
    )
    from promptrails_engine.definitions.diff import (
        Change, VersionDiff, diff_versions,
    )
    from promptrails_engine.definitions.drawing import (
        Drawing,
    )
    from promptrails_engine.definitions.records import (
        Agent, AgentVersion, Prompt, PromptVersion,
    )
    from promptrails_engine.definitions.guards import (
        GuardOptions, GuardrailSpec,
    )
    from promptrails_engine.definitions.settings import (
        ApprovalPolicy, Limits, ModelConfig, RateLimit, RunBudget, SubAgentAttachment, ToolAttachment,
    )
    from promptrails_engine.engine import (
        AsyncEngine, Engine,
    )
    from promptrails_engine.errors import (
        ApprovalMismatchError, ApprovalRejectedError, JournalError, ToolDeniedError,
        AlreadyDecidedError, ApprovalExpiredError, ArchivedError, AuthError, BadRequestError, BranchesFailedError,
        BudgetExceededError, ChildFailedError, ConfigurationError, ConflictError, ContentFilteredError,
        ContextOverflowError, DefinitionError, EmptyOutputError, EngineClosedError, EngineUsageError, FencedError,
        ForbiddenError, GuardrailBlockedError, InputInvalidError, MissingExtraError, ModelNotFoundError,
        ModelNotServedError,        NotFoundError, OutputInvalidError, OutputTruncatedError, PromptRailsError,
        DataSourceError, DataSourceUnavailableError,
        ProviderError, ProviderProtocolError, ProviderTimeoutError, ProviderUnavailableError,
        QueryInvalidError, QueryLimitError, QuotaExceededError, RateLimitError, RedirectRefusedError,
        RefusedError, ResponseTooLargeError,
        RunCancelledError, RunError, RunFailedError, RunTimeoutError, SchemaViolationError, ServerError,
        StoreCorruptError, StoreError, StoreUnavailableError, StoreVersionError, StreamInterruptedError,
        TemplateError, TemplateLimitError, ToolArgsInvalidError, ToolError, ToolLoopError, ToolUnknownError,
        UnauthorizedError, ValidationError, VersionMismatchError, Violation, WebhookError,
    )
    from promptrails_engine.events import (
        ApprovalRequiredEvent, ContentEvent, DoneEvent, ErrorEvent, Event, ExecutionEvent, RestartEvent, ThinkingEvent,
        TokenUsage, ToolEndEvent, ToolStartEvent, event_from_dict, event_to_dict,
    )
    from promptrails_engine.models.registry import (
        LLMModel,
    )
    from promptrails_engine.ports.datasource import (
        DataSource,
    )
    from promptrails_engine.ports.scanner import (
        Finding, Scanner, ScannerMeta, Verdict,
    )
    from promptrails_engine.ports.media import (
        MediaProvider,
    )
    from promptrails_engine.ports.provider import (
        Account, AccountProvider, Delta, Finish, Message, ModelCapabilities, ModelRequest, Provider, RateLimitDelta,
        RefusalDelta, TextDelta, ThinkingDelta, ToolCall, ToolCallDelta, ToolSpec, UsageDelta,
    )
    from promptrails_engine.ports.sink import (
        Sink, Span,
    )
    from promptrails_engine.ports.store import (
        Store,
    )
    from promptrails_engine.guardrails.evaluation import (
        Disagreement, Evaluation,
    )
    from promptrails_engine.ids import (
        IdFactory,
    )
    from promptrails_engine.clock import (
        Clock, SystemClock,
    )
    from promptrails_engine.ports.tool import (
        Effect, State, Tool, ToolContext,
    )
    from promptrails_engine.resources.agent_guards import (
        Guardrail,
    )
    from promptrails_engine.resources.llm_models import (
        AvailableModelGroup,
    )
    from promptrails_engine.dispatch.dispatcher import (
        Recovery,
    )
    from promptrails_engine.results import (
        DoubtfulStep,
        AgentExecution, ApprovalRequest, CostSummary, ExecutionResult, Page, PaginationMeta, PromptPreview,
        RunPromptResponse, Trace,
    )
    from promptrails_engine.run.hooks import (
        HookEvent,
    )
    from promptrails_engine.run.webhook import (
        Webhook, verify_signature,
    )
    from promptrails_engine.secrets import (
        Secret,
    )
    from promptrails_engine.streams import (
        AsyncEventStream, EventStream,
    )
    from promptrails_engine.tools.function import (
        FunctionTool, tool,
    )
    from promptrails_engine.tracing import (
        ConsoleSink, JsonlSink, MemorySink, OTelSink,
    )

__all__ = [
    "LockChange", "LostStep", "Migration", "VoidApproval",
    "Account", "AccountProvider", "AlreadyDecidedError", "ApprovalExpiredError", "ApprovalPolicy", "ApprovalRequest",
    "ApprovalRequiredEvent", "FencedError", "HookEvent", "RestartEvent", "Webhook", "WebhookError", "verify_signature",
    "Clock", "Delta", "Effect", "IdFactory", "State", "SystemClock", "ToolCall",
    "__version__", "Agent", "AgentConfig", "AgentExecution", "AgentVersion", "AnyAgentConfig", "ArchivedError",
    "AsyncEngine", "AsyncEventStream", "AuthError", "AvailableModelGroup", "BadRequestError",
    "BranchesFailedError", "BudgetExceededError", "ChainAgentConfig", "Change", "ChildFailedError",
    "CompositeAgentConfig", "CompositeStep", "ConfigurationError", "ConflictError", "ConsoleSink", "ContentEvent",
    "ContentFilteredError", "ContextOverflowError", "CostSummary", "DataSource", "DataSourceError",
    "DataSourceUnavailableError", "DefinitionError", "Difference", "DoneEvent",
    "Drawing", "EmptyOutputError", "Engine",
    "EngineClosedError", "EngineUsageError", "ErrorEvent", "Event", "EventStream", "ExecutionDiff", "ExecutionEvent",
    "ExecutionFacts",
    "ExecutionResult", "Finding", "Finish", "ForbiddenError", "GuardOptions", "GuardrailBlockedError", "GuardrailSpec",
    "FunctionTool", "InputInvalidError", "JsonlSink", "LLMModel",
    "Limits", "LoadReport", "MediaProvider", "MemoryDataSource", "MemorySink", "Message", "MissingExtraError",
    "ModelCapabilities", "ModelConfig",
    "ModelNotFoundError", "ModelNotServedError", "ModelRequest", "MultiAgentConfig", "NotFoundError",
    "OTelSink", "OutputInvalidError", "OutputTruncatedError", "Page", "PaginationMeta", "Prompt", "PromptLink",
    "PromptPreview", "PromptRailsError", "PromptVersion", "Provider", "ProviderError", "ProviderProtocolError",
    "ProviderTimeoutError", "ProviderUnavailableError", "QueryInvalidError", "QueryLimitError", "QuotaExceededError",
    "RateLimit", "RateLimitDelta",
    "RateLimitError", "RedirectRefusedError", "RefusalDelta", "RefusedError", "ResponseTooLargeError", "RunBudget",
    "QueryLimits", "RunCancelledError", "RunError", "RunFailedError", "RunPromptResponse", "RunTimeoutError",
    "SQLiteDataSource", "SaveReport", "Scanner", "ScannerMeta", "Verdict",
    "SchemaViolationError", "Secret", "ServerError", "SimpleAgentConfig",
    "Sink", "Span", "StepDiff", "StepFacts",
    "Store", "StoreCorruptError", "StoreError", "StoreUnavailableError", "StoreVersionError", "StreamInterruptedError",
    "SubAgentAttachment", "TemplateError", "TemplateLimitError", "TextDelta", "ThinkingDelta", "ThinkingEvent",
    "TokenUsage", "Tool", "ToolArgsInvalidError", "ToolAttachment", "ToolCallDelta", "ToolContext", "ToolEndEvent",
    "ToolError", "ToolLoopError", "ToolSpec", "ToolStartEvent", "ToolUnknownError", "Trace", "UnauthorizedError",
    "UsageDelta", "ValidationError", "VersionDiff", "VersionMismatchError", "Violation", "WorkflowAgentConfig",
    "WorkflowNode", "diff_versions", "event_from_dict", "event_to_dict", "tool",
    "ApprovalMismatchError", "ApprovalRejectedError", "JournalError", "ToolDeniedError",
    "Disagreement", "DoubtfulStep", "Evaluation", "Guardrail", "Recovery",
]
# fmt: on

_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    room = _HOME.get(name)
    if room is None:
        raise AttributeError(f"module 'promptrails_engine' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(room), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
