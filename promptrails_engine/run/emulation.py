"""Tool calls for models that have none: asked for as JSON under a schema, and read back out of the answer.

The model is told the tools and two worked examples, and held to `{"tool": name, "arguments": {...}}` or
`{"answer": ...}`; the answer's text is streamed as it grows.
"""

from __future__ import annotations

import json
import re
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
_LAST_WORD = "Tell me the answer."


def emulate_tools(request: ModelRequest) -> ModelRequest:
    """The same request without native tools: they stand in the system message and in the schema of the answer.

    Where none is offered, as in the last round, the schema leaves the answer alone: the model would otherwise go on in
    the manner of the calls that it sees above.
    """
    messages = [_plain(message) for message in request.messages]
    answer = request.output_schema if request.output_schema is not None else _TEXT
    if not request.tools:
        if messages and messages[-1].role == "user":
            messages[-1] = Message("user", f"{messages[-1].content}\n\n{_LAST_WORD}")
        return replace(request, messages=messages, output_schema=_object({"answer": answer}))
    note = _instructions(request.tools, request.output_schema)
    if messages and messages[0].role == "system":
        messages[0] = Message("system", f"{messages[0].content}\n\n{note}")
    else:
        messages.insert(0, Message("system", note))
    return replace(request, messages=messages, tools=(), output_schema=_choice_schema(request.tools, answer))


async def read_emulated(deltas: AsyncIterator[Delta], call_id: str) -> AsyncIterator[Delta]:
    """The deltas of an emulated answer as those of a native one: text of the answer, or a tool call."""
    pieces: list[str] = []
    reader = _AnswerReader()
    sent = 0
    async for delta in deltas:
        if isinstance(delta, TextDelta):
            pieces.append(delta.text)
            new = reader.read(delta.text)
            if new:
                yield TextDelta(new)
                sent += len(new)
        elif isinstance(delta, Finish):
            for last in _rest("".join(pieces), sent, call_id, delta):
                yield last
        else:
            yield delta


_OPENING = re.compile(r'\s*\{\s*"answer"\s*:\s*"')
_OPENING_CHARS = 200
_WHOLE = re.compile(r'(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\["\\/bfnrt])*')
_LONGEST_ESCAPE = 12
_HALF_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")


class _AnswerReader:
    """Reads the string under `answer` as it grows; a piece that ends within an escape waits for its rest."""

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self._done = False

    def read(self, text: str) -> str:
        """What the answer has grown by."""
        if self._done:
            return ""
        self._held += text
        if not self._inside:
            opening = _OPENING.match(self._held)
            self._done = opening is None and len(self._held) > _OPENING_CHARS
            if opening is None:
                return ""
            self._inside = True
            self._held = self._held[opening.end() :]
        whole = _WHOLE.match(self._held)
        end = whole.end() if whole else 0
        self._done = self._held[end : end + 1] == '"'
        piece = self._held[:end]
        if not self._done and (half := _HALF_PAIR.search(piece)):
            piece = piece[: half.start()]  # the other half of the character is on its way
        self._held = self._held[len(piece) :]
        if len(self._held) > _LONGEST_ESCAPE:
            self._done = True  # what comes next is no JSON: the end of the call will tell
        try:
            said: str = json.loads(f'"{piece}"', strict=False)
        except ValueError:
            self._done = True
            return ""
        return said


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
    answer = '"..."' if output_schema is None else canonical_json(_example(output_schema))
    listed = "\n".join(f"- {t.name}: {t.description} Arguments: {canonical_json(t.parameters)}" for t in tools)
    calls = [
        f'{{"tool":{canonical_json(tool.name)},"arguments":{canonical_json(_example(tool.parameters, number))}}}'
        for tool, number in ((tools[0], 0), (tools[-1], 1))
    ]
    return (
        f"You can use these tools:\n{listed}\n\n"
        "Answer with one JSON object. To use a tool, such as:\n"
        f"{chr(10).join(dict.fromkeys(calls))}\n"
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


def _example(schema: Mapping[str, Any], number: int = 0) -> Any:
    """A value of about the right shape: the schema's own example of this number, where it has one."""
    examples: list[Any] = schema.get("examples") or []
    if examples:
        return examples[number % len(examples)]
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    properties: Mapping[str, Any] | None = schema.get("properties")
    if properties is not None:
        return {name: _example(part, number) for name, part in properties.items()}
    kind: Any = schema.get("type")
    return _EXAMPLES.get(kind, "...") if isinstance(kind, str) else "..."
