"""Tool calls for models that have none: asked for as JSON under a schema, and read back out of the answer.

The model is told the tools and two worked examples, and held to `{"tool": name, "arguments": {...}}` or
`{"answer": ...}`; the answer's text is streamed as it grows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from pydantic_core import from_json

from promptrails_engine.definitions.digest import canonical_json
from promptrails_engine.ports.provider import (
    Delta,
    Finish,
    Message,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
)

_TEXT: Mapping[str, Any] = {"type": "string"}


def emulate_tools(request: ModelRequest) -> ModelRequest:
    """The same request without native tools: they stand in the system message and in the schema of the answer."""
    messages = [_plain(message) for message in request.messages]
    if not request.tools:
        return replace(request, messages=messages)
    answer = request.output_schema if request.output_schema is not None else _TEXT
    note = _instructions(request.tools, request.output_schema)
    if messages and messages[0].role == "system":
        messages[0] = Message("system", f"{messages[0].content}\n\n{note}")
    else:
        messages.insert(0, Message("system", note))
    return replace(request, messages=messages, tools=(), output_schema=_choice_schema(request.tools, answer))


async def read_emulated(deltas: AsyncIterator[Delta], call_id: str) -> AsyncIterator[Delta]:
    """The deltas of an emulated answer as those of a native one: text of the answer, or a tool call."""
    text = ""
    sent = 0
    streaming = False
    async for delta in deltas:
        if isinstance(delta, TextDelta):
            text += delta.text
            streaming = streaming or text.lstrip().startswith('{"answer":')
            if streaming:
                answer = _partial_answer(text)
                if len(answer) > sent:
                    yield TextDelta(answer[sent:])
                    sent = len(answer)
        elif isinstance(delta, Finish):
            for last in _rest(text, sent, call_id, delta):
                yield last
        else:
            yield delta


def _rest(text: str, sent: int, call_id: str, finish: Finish) -> list[Delta]:
    """What is still to be said at the end."""
    try:
        value: Any = from_json(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        # Cut or free text: what the model said stands as its answer, and the finish says how it ended.
        return [finish] if sent else [TextDelta(text), finish]
    data = cast("dict[str, Any]", value)
    if isinstance(data.get("tool"), str):
        call = ToolCallDelta(0, call_id, data["tool"], canonical_json(data.get("arguments", {})))
        return [call, Finish("tool_calls" if finish.reason == "stop" else finish.reason)]
    if "answer" not in data:
        return [TextDelta(text), finish]
    answer = data["answer"]
    whole = answer if isinstance(answer, str) else canonical_json(answer)
    return [TextDelta(whole[sent:]), finish] if len(whole) > sent else [finish]


def _partial_answer(text: str) -> str:
    try:
        value: Any = from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return ""
    answer: Any = cast("dict[str, Any]", value).get("answer") if isinstance(value, dict) else None
    # Only a string can be sent in part; half an object would not be JSON.
    return answer if isinstance(answer, str) else ""


def _plain(message: Message) -> Message:
    """Tool calls and results as ordinary messages, in the form that the model itself is held to."""
    if message.role == "tool":
        return Message("user", f"Result of {message.name or 'the tool'}: {message.content}")
    if message.tool_calls:
        calls = [f'{{"tool":{canonical_json(call.name)},"arguments":{call.arguments}}}' for call in message.tool_calls]
        return Message("assistant", "\n".join([message.content, *calls] if message.content else calls))
    return message


def _choice_schema(tools: Sequence[ToolSpec], answer: Mapping[str, Any]) -> dict[str, Any]:
    calls = [_object({"tool": {"const": tool.name}, "arguments": tool.parameters}) for tool in tools]
    return {"anyOf": [*calls, _object({"answer": answer})]}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _instructions(tools: Sequence[ToolSpec], output_schema: Mapping[str, Any] | None) -> str:
    listed = "\n".join(f"- {t.name}: {t.description} Arguments: {canonical_json(t.parameters)}" for t in tools)
    example = tools[0]
    arguments = canonical_json(_example(example.parameters))
    answer = '"..."' if output_schema is None else canonical_json(_example(output_schema))
    return (
        f"You can use these tools:\n{listed}\n\n"
        "Answer with one JSON object. To use a tool:\n"
        f'{{"tool":{canonical_json(example.name)},"arguments":{arguments}}}\n'
        "To answer, once you know enough:\n"
        f'{{"answer":{answer}}}'
    )


_EXAMPLES: Mapping[str, Any] = {
    "string": "...",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "null": None,
}


def _example(schema: Mapping[str, Any]) -> Any:
    """A value of about the right shape."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    properties: Mapping[str, Any] | None = schema.get("properties")
    if properties is not None:
        return {name: _example(part) for name, part in properties.items()}
    kind: Any = schema.get("type")
    return _EXAMPLES.get(kind, "...") if isinstance(kind, str) else "..."
