"""Replies for `LoopbackServer`: answers in the chat-completions format, and every way to break them."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.providers.loopback import Action, Endless, Hold, Received, Reply, Reset, Send

DONE = b"data: [DONE]\n\n"
_CHUNKED = {"transfer-encoding": "chunked"}
_EVENTS = {"content-type": "text/event-stream"}

# ------------------------------------------------------------------ HTTP


def head(status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """Status line and headers."""
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; an empty one is its end."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def plain(status: int, body: bytes, content_type: str = "application/json", **headers: str) -> Reply:
    """A body with its length."""
    names = {key.replace("_", "-"): value for key, value in headers.items()}
    return Reply(
        (Send(head(status, {"content-type": content_type, "content-length": str(len(body)), **names}) + body),)
    )


def json_reply(value: object, status: int = 200, **headers: str) -> Reply:
    return plain(status, json.dumps(value).encode(), **headers)


def error(status: int, message: str = "no", code: object = None, type: str | None = None, **headers: str) -> Reply:
    """An error body of OpenAI's shape."""
    return json_reply({"error": {"message": message, "type": type, "param": None, "code": code}}, status, **headers)


def html(status: int = 200, text: str = "<!DOCTYPE html><html><body>Bad gateway</body></html>") -> Reply:
    return plain(status, text.encode(), "text/html")


def redirect(location: str, status: int = 307) -> Reply:
    return plain(status, b"", location=location)


def streamed(pieces: Iterable[bytes | Action], *, end: bool = True, **headers: str) -> Reply:
    """A chunked event stream: bytes become one chunk each, actions are done in between; `end` closes the body."""
    names = {key.replace("_", "-"): value for key, value in headers.items()}
    actions: list[Action] = [Send(head(200, {**_EVENTS, **_CHUNKED, **names}))]
    actions += [Send(chunk(piece)) if isinstance(piece, bytes) else piece for piece in pieces if piece]
    return Reply((*actions, Send(chunk(b""))) if end else tuple(actions))


def sse(*events: object, done: bool = True) -> Reply:
    """A stream with one chunk an event: a dict or list as JSON, bytes and actions as they are."""
    pieces = [event if isinstance(event, bytes | Send | Hold | Endless | Reset) else encode(event) for event in events]
    return streamed([*pieces, *([DONE] if done else [])])


def encode(event: object) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


# ------------------------------------------------------------------ chat completions


def usage(prompt: int = 7, completion: int = 3) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def event(
    delta: Mapping[str, Any] | None = None, finish: str | None = None, usage: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One event of a stream; without a delta and a reason it has no choices."""
    choice = {"index": 0, "delta": dict(delta or {}), "logprobs": None, "finish_reason": finish}
    has_choice = delta is not None or finish is not None
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**base, "choices": [choice] if has_choice else [], "usage": dict(usage) if usage else None}


def call(index: int, id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def chat(
    text: str = "Hello there",
    *,
    pieces: Sequence[str] | None = None,
    thinking: str = "",
    refusal: str = "",
    tool_calls: Sequence[tuple[str, str, str]] = (),
    finish: str | None = None,
    counts: Mapping[str, Any] | None = None,
    gate: threading.Event | None = None,
) -> Callable[[Received], Reply]:
    """An answer, streamed where the request asks for it; tool calls are triples of id, name and arguments.

    With a gate the stream stops after its first piece until the gate is opened.
    """
    reason = finish or ("tool_calls" if tool_calls else "stop")
    parts = list(pieces) if pieces is not None else [part + " " for part in text.split(" ")]
    if pieces is None and parts:
        parts[-1] = parts[-1][:-1]

    def reply(request: Received) -> Reply:
        if not request.json.get("stream"):
            return json_reply(_whole("".join(parts), thinking, refusal, tool_calls, reason, counts or usage()))
        events: list[object] = [event({"role": "assistant", "content": ""})]
        events += [event({"reasoning_content": thinking})] if thinking else []
        texts: list[object] = [event({"content": part}) for part in parts if part]
        events += [*texts[:1], Hold(gate), *texts[1:]] if gate is not None else texts
        events += [event({"refusal": refusal})] if refusal else []
        for index, (id, name, arguments) in enumerate(tool_calls):
            half = len(arguments) // 2
            events.append(event({"tool_calls": [call(index, id, name, arguments[:half])]}))
            events.append(event({"tool_calls": [{"index": index, "function": {"arguments": arguments[half:]}}]}))
        events.append(event({}, reason))
        events.append(event(usage=counts or usage()))
        return sse(*events)

    return reply


def _whole(
    text: str,
    thinking: str,
    refusal: str,
    tool_calls: Sequence[tuple[str, str, str]],
    reason: str,
    counts: Mapping[str, Any],
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": refusal or None}
    if thinking:
        message["reasoning_content"] = thinking
    if tool_calls:
        message["tool_calls"] = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, name, arguments in tool_calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    base = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
    return {**base, "choices": [choice], "usage": dict(counts)}


# ------------------------------------------------------------------ faults of the connection


def reset(*before: bytes) -> Reply:
    """A TCP reset, after these bytes."""
    return Reply((*map(Send, before), Reset()))


def hang_up(*before: bytes) -> Reply:
    """The connection closed in order, after these bytes."""
    return Reply(tuple(map(Send, before)), close=True)


def short_body(body: bytes, missing: int = 10) -> Reply:
    """A body shorter than its Content-Length."""
    return hang_up(head(200, {**_EVENTS, "content-length": str(len(body) + missing)}) + body)


def bad_chunking(*pieces: bytes) -> Reply:
    """Chunks, then bytes that are no chunk."""
    return hang_up(head(200, {**_EVENTS, **_CHUNKED}), *map(chunk, pieces), b"this is no chunk size\r\n")


def silent(gate: threading.Event | None = None) -> Reply:
    """No headers until the gate is opened."""
    return Reply((Hold(gate or threading.Event()),))


def endless(piece: bytes, *before: bytes) -> Reply:
    """A chunked stream that never ends."""
    opening = head(200, {**_EVENTS, **_CHUNKED})
    return Reply((Send(opening), *(Send(chunk(data)) for data in before), Endless(chunk(piece))))


def gzipped(body: bytes, content_type: str = "text/event-stream") -> Reply:
    """A compressed body."""
    return plain(200, gzip.compress(body, 1), content_type, content_encoding="gzip")
