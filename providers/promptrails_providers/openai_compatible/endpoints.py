"""What is known of each server that speaks the chat-completions format, as data.

Sources are the vendors' own API references, as of 2026.  A server that is not here needs a base URL and no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from promptrails_engine.ports.provider import Support


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server: where it is, what opens it, and where it departs from OpenAI's format."""

    prefix: str
    """First part of the model names that it serves."""
    base_url: str
    """What stands before `/chat/completions`."""
    key_env: tuple[str, ...] = ()
    """Environment variables that may hold the key; the first that is set counts."""
    base_url_env: tuple[str, ...] = ()
    """Environment variables that move the base URL; the first that is set counts."""
    key_required: bool = True
    max_tokens_field: str = "max_tokens"
    include_usage: bool = True
    """Takes `stream_options.include_usage`; the others report usage unasked, or refuse the field."""
    top_k: bool = False
    """Takes `top_k`; it is left out for the others, which refuse a request that carries it."""
    tools: Support = "native"
    json_schema: Support = "native"
    strict_schema: bool = True
    """Takes `strict` beside a schema."""
    short_tool_ids: bool = False
    """Accepts only tool call ids of nine letters and digits, so others are replaced by a digest of theirs."""
    reasoning_fields: tuple[str, ...] = ("reasoning_content", "reasoning")
    """Fields of a delta that may hold the model's reasoning, in order of preference."""
    reasoning_back: str = ""
    """Field in which an earlier message with tool calls carries the model's reasoning; "" where it is not sent."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Sent with every request."""


_HOSTED = (
    Endpoint(
        prefix="openai",
        base_url="https://api.openai.com/v1",
        key_env=("OPENAI_API_KEY",),
        base_url_env=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        max_tokens_field="max_completion_tokens",
    ),
    Endpoint(
        prefix="deepseek",
        base_url="https://api.deepseek.com/v1",
        key_env=("DEEPSEEK_API_KEY",),
        base_url_env=("DEEPSEEK_BASE_URL", "DEEPSEEK_API_BASE"),
        json_schema="none",  # only the schemaless json_object mode
        reasoning_back="reasoning_content",  # in thinking mode it refuses tool calls that come back without
    ),
    Endpoint(
        prefix="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        key_env=("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
        base_url_env=("FIREWORKS_BASE_URL", "FIREWORKS_API_BASE"),
        top_k=True,
    ),
    Endpoint(
        prefix="xai",
        base_url="https://api.x.ai/v1",
        key_env=("XAI_API_KEY",),
        base_url_env=("XAI_BASE_URL", "XAI_API_BASE"),
        max_tokens_field="max_completion_tokens",
    ),
    Endpoint(
        prefix="openrouter",
        base_url="https://openrouter.ai/api/v1",
        key_env=("OPENROUTER_API_KEY",),
        base_url_env=("OPENROUTER_BASE_URL", "OPENROUTER_API_BASE"),
        top_k=True,
        reasoning_fields=("reasoning", "reasoning_content"),
    ),
    Endpoint(
        prefix="together",
        base_url="https://api.together.xyz/v1",
        key_env=("TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY"),
        base_url_env=("TOGETHER_BASE_URL", "TOGETHER_AI_API_BASE"),
        top_k=True,
        reasoning_fields=("reasoning", "reasoning_content"),
    ),
    Endpoint(
        prefix="groq",
        base_url="https://api.groq.com/openai/v1",
        key_env=("GROQ_API_KEY",),
        base_url_env=("GROQ_BASE_URL", "GROQ_API_BASE"),
        max_tokens_field="max_completion_tokens",
        json_schema="none",  # not together with streaming, and on few models
        reasoning_fields=("reasoning", "reasoning_content"),
    ),
    Endpoint(
        prefix="mistral",
        base_url="https://api.mistral.ai/v1",
        key_env=("MISTRAL_API_KEY",),
        base_url_env=("MISTRAL_BASE_URL", "MISTRAL_API_BASE"),
        include_usage=False,  # refused with 422; the last event carries usage anyway
        short_tool_ids=True,
    ),
    Endpoint(
        prefix="perplexity",
        base_url="https://api.perplexity.ai",
        key_env=("PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"),
        base_url_env=("PERPLEXITY_BASE_URL", "PERPLEXITY_API_BASE"),
        include_usage=False,  # every event carries usage
        top_k=True,
        tools="none",
        strict_schema=False,
    ),
)

_LOCAL = (
    Endpoint(
        prefix="vllm",
        base_url="http://127.0.0.1:8000/v1",
        key_env=("HOSTED_VLLM_API_KEY", "VLLM_API_KEY"),
        base_url_env=("HOSTED_VLLM_API_BASE", "VLLM_BASE_URL"),
        key_required=False,
        top_k=True,
    ),
    Endpoint(
        prefix="llamacpp",
        base_url="http://127.0.0.1:8080/v1",
        key_env=("LLAMACPP_API_KEY", "LLAMA_API_KEY"),
        base_url_env=("LLAMACPP_BASE_URL", "LLAMACPP_API_BASE"),
        key_required=False,
        top_k=True,
    ),
    Endpoint(
        prefix="ollama",
        base_url="http://127.0.0.1:11434/v1",
        key_env=("OLLAMA_API_KEY",),
        base_url_env=("OLLAMA_BASE_URL",),
        key_required=False,
        reasoning_fields=("reasoning", "reasoning_content"),
    ),
    Endpoint(
        prefix="lmstudio",
        base_url="http://127.0.0.1:1234/v1",
        key_env=("LM_STUDIO_API_KEY", "LMSTUDIO_API_KEY"),
        base_url_env=("LM_STUDIO_API_BASE", "LMSTUDIO_BASE_URL"),
        key_required=False,
        top_k=True,
    ),
)

_ALIASES = {
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "hosted_vllm": "vllm",
    "lm_studio": "lmstudio",
}


def _table() -> dict[str, Endpoint]:
    rows = {row.prefix: row for row in (*_HOSTED, *_LOCAL)}
    return rows | {alias: replace(rows[prefix], prefix=alias) for alias, prefix in _ALIASES.items()}


ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(_table())
"""Rows by prefix."""


def custom(prefix: str, base_url: str) -> Endpoint:
    """A row for a server that is not in the table: a key is optional, and nothing is known to be refused."""
    return Endpoint(prefix=prefix, base_url=base_url, key_required=False, top_k=True)
