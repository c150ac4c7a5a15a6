"""Set-up, store and hooks."""

from __future__ import annotations

from promptrails_engine.errors.base import PromptRailsError


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


class WebhookError(PromptRailsError):
    """The receiver of a webhook could not be reached, or did not take the event."""

    code = "webhook_failed"


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
