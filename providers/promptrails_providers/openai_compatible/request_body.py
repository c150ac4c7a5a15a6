"""A model request as the JSON body of a chat-completions call."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from promptrails_engine.errors import BadRequestError
from promptrails_engine.ports.provider import Message, ModelRequest, ToolCall, ToolSpec
from promptrails_providers.openai_compatible.endpoints import Endpoint

_OURS = frozenset({"model", "messages", "stream", "stream_options", "n"})
"""Options that would break the way the answer is read; they are left out."""

_SHORT_ID = re.compile(r"[A-Za-z0-9]{9}")
_SCHEMA_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_MAX_SCHEMA_NAME = 64


def encode_request(request: ModelRequest, endpoint: Endpoint) -> bytes:
    """The body in UTF-8.

    Raises:
        BadRequestError: an option, schema or message holds something that JSON cannot say.
    """
    body = request_fields(request, endpoint)
    try:
        return _dump(body)
    except (TypeError, ValueError, RecursionError) as exc:
        problem = str(exc)
    raise BadRequestError(
        f"The request for model '{request.model}' cannot be written as JSON: {problem}. "
        "Check the options, the tools and the output schema of the prompt version.",
        details={"model": request.model},
    )


def _dump(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # lone surrogates exist in JSON only as escapes
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


def request_fields(request: ModelRequest, endpoint: Endpoint) -> dict[str, Any]:
    """The body as a dict; options come first, so that no option overrides a field of the request."""
    body: dict[str, Any] = {k: v for k, v in request.options.items() if k not in _OURS and v is not None}
    body["model"] = request.model
    body["messages"] = [_message(message, endpoint) for message in request.messages]
    body["stream"] = True
    if endpoint.include_usage:
        body["stream_options"] = {"include_usage": True}
    sampling = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k if endpoint.top_k else None,
        endpoint.max_tokens_field: request.max_tokens,
    }
    body.update((name, value) for name, value in sampling.items() if value is not None)
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.output_schema is not None:
        body["response_format"] = _response_format(request.output_schema, endpoint)
    return body


# ------------------------------------------------------------------ messages and tools


def _message(message: Message, endpoint: Endpoint) -> dict[str, Any]:
    data: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        data["tool_calls"] = [_tool_call(call, endpoint) for call in message.tool_calls]
        data["content"] = message.content or None
        if message.thinking and endpoint.reasoning_back:
            data[endpoint.reasoning_back] = message.thinking
    if message.role == "tool":
        data["tool_call_id"] = _tool_call_id(message.tool_call_id or "", endpoint)
    elif message.name:
        data["name"] = message.name
    return data


def _tool_call(call: ToolCall, endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": _tool_call_id(call.id, endpoint),
        "type": "function",
        "function": {"name": call.name, "arguments": _arguments(call.arguments)},
    }


def _tool_call_id(call_id: str, endpoint: Endpoint) -> str:
    if not endpoint.short_tool_ids or _SHORT_ID.fullmatch(call_id):
        return call_id
    return hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:9]


def _arguments(text: str) -> str:
    """Servers parse the arguments of earlier calls and refuse the whole conversation for a broken one."""
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


# ------------------------------------------------------------------ output schema


def _response_format(schema: Mapping[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    title = schema.get("title")
    name = _SCHEMA_NAME.sub("_", title).strip("_")[:_MAX_SCHEMA_NAME] if isinstance(title, str) else ""
    spec: dict[str, Any] = {"name": name or "output", "schema": dict(schema)}
    if endpoint.strict_schema:
        spec["strict"] = allows_strict(schema)
    return {"type": "json_schema", "json_schema": spec}


_CHILD_MAPS = ("properties", "$defs", "definitions")
_CHILD_LISTS = ("anyOf",)
_NOT_IN_STRICT = frozenset(
    {"allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties"}
)
_MAX_DEPTH = 64


def allows_strict(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI's strict mode takes the schema: every object closed, and every property of it required."""
    return schema.get("type") == "object" and _strict_node(schema, 0)


def _strict_node(node: object, depth: int) -> bool:
    if not isinstance(node, Mapping) or depth > _MAX_DEPTH:
        return False
    schema = cast("Mapping[str, Any]", node)
    if not _NOT_IN_STRICT.isdisjoint(schema):
        return False
    if "properties" in schema or schema.get("type") == "object":
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required: Sequence[str] = schema.get("required") or ()
        if schema.get("additionalProperties") is not False or set(properties) != set(required):
            return False
    return all(_strict_node(child, depth + 1) for child in _children(schema))


def _children(schema: Mapping[str, Any]) -> list[object]:
    children: list[object] = []
    for keyword in _CHILD_MAPS:
        found = schema.get(keyword)
        if isinstance(found, Mapping):
            children.extend(cast("Mapping[str, object]", found).values())
    for keyword in _CHILD_LISTS:
        found = schema.get(keyword)
        if isinstance(found, list):
            children.extend(cast("list[object]", found))
    if "items" in schema:
        children.append(schema["items"])
    return children
