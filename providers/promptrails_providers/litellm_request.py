"""A request as the keyword arguments of `litellm.acompletion`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from promptrails_engine.errors import BadRequestError
from promptrails_engine.ports.provider import Message, ModelRequest, ToolSpec
from promptrails_providers.openai_compatible.request_body import allows_strict

_RESERVED = frozenset(
    {
        "model",
        "messages",
        "tools",
        "functions",
        "function_call",
        "response_format",
        "stream",
        "stream_options",
        "n",
        "timeout",
        "base_url",
        "deployment_id",
        "organization",
        "extra_headers",
        "default_headers",
        "extra_query",
        "callbacks",
        "drop_params",
        "additional_drop_params",
        "credentials",
        "project",
        "location",
    }
)
"""What the engine or the provider sets, beside litellm's own list of control parameters."""

_RESERVED_PREFIXES = ("_", "api_", "aws_", "azure_", "vertex_", "litellm_", "mock_", "hf_", "oci_", "watsonx_", "use_")


def completion_arguments(request: ModelRequest, control_names: frozenset[str]) -> dict[str, Any]:
    """The arguments that come from the request.  control_names: litellm's parameters that are not sent to a model.

    Raises:
        BadRequestError: an option would change where the call goes or how it is made.
    """
    arguments = _options(request.options, control_names)
    cache = bool(arguments.pop("prompt_caching", False))
    arguments["messages"] = [
        _message(message, cache=cache and message.role == "system") for message in request.messages
    ]
    if request.tools:
        arguments["tools"] = [_tool(tool) for tool in request.tools]
    if request.output_schema is not None:
        arguments["response_format"] = _response_format(request.output_schema)
    for name in ("temperature", "top_p", "top_k", "max_tokens"):
        value = getattr(request, name)
        if value is not None:
            arguments[name] = value
    return arguments


def _options(options: Mapping[str, Any], control_names: frozenset[str]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for name, value in options.items():
        if name in _RESERVED or name in control_names or name.startswith(_RESERVED_PREFIXES):
            raise BadRequestError(
                f"The option '{name}' is not a parameter of a model: it would change how or where litellm calls. "
                "Remove it from the prompt version; keys and addresses belong to the provider's constructor.",
                details={"option": name},
            )
        if value is not None:
            arguments[name] = value
    if arguments.pop("web_search", False):
        arguments.setdefault("web_search_options", {})
    return arguments


def _message(message: Message, *, cache: bool) -> dict[str, Any]:
    content: Any = message.content
    if cache and message.content:
        content = [{"type": "text", "text": message.content, "cache_control": {"type": "ephemeral"}}]
    data: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_calls:
        data["content"] = message.content or None
        data["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _arguments(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        data["tool_call_id"] = message.tool_call_id or ""
    elif message.name:
        data["name"] = message.name
    return data


def _arguments(text: str) -> str:
    """litellm and some servers parse the arguments of earlier calls, and refuse a conversation with a broken one."""
    if not text.strip():
        return "{}"
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    return text if isinstance(parsed, dict) else json.dumps({"invalid_arguments": text})


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    spec = {"name": "output", "schema": dict(schema), "strict": allows_strict(schema)}
    return {"type": "json_schema", "json_schema": spec}
