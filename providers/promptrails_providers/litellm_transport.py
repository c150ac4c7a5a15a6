"""The HTTP side of one call through litellm: sent once, followed nowhere, bounded, and on record.

litellm sends again by itself after some failures, follows redirects, and rewrites what a server answered; below this
transport it can do neither, and what really happened is kept in `CallFacts`.  Loads httpx: import it lazily.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

import httpx

from promptrails_providers.openai_compatible.inflate import BadEncodingError, CompressionRatioError, make_inflater
from promptrails_providers.openai_compatible.sse import EventParser, LineTooLongError
from promptrails_providers.openai_compatible.wire_json import MalformedAnswerError, as_object, parse_json

MAX_STREAM_BYTES = 128 << 20
"""Decoded bytes of one answer: a token of four characters travels in some 300 bytes of JSON."""
MAX_ERROR_BODY = 64 * 1024
HEAD_BYTES = 4096
_OK_BELOW = 300
_FINISH_MARK = re.compile(
    rb'"(?:finish_reason|finishReason|stop_reason|stopReason|done_reason)"\s*:\s*"\w'
    rb'|"type"\s*:\s*"response\.(?:completed|incomplete)"'
)
_OVERLAP = 64
"""Bytes kept from one piece for the next, so that a mark cut in two is seen."""
_DROPPED_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding", "location", "set-cookie"})


class AnswerTooLargeError(Exception):
    """The answer passed a limit; internal to this package."""


@dataclass(slots=True)
class CallFacts:
    """What happened on the wire.  `failure` is what httpx or a decoder raised, before or amid the answer."""

    sends: int = 0
    url: str = ""
    """Where it went, without query and credentials."""
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    error_body: bytes = b""
    """The body of an answer that is not of status 2xx, cut at `MAX_ERROR_BODY`."""
    head: bytes = b""
    """The first bytes of an answer of status 2xx."""
    failure: Exception | None = None
    events: int | None = None
    """Events that the answer had, beside the end mark; None where it is no stream of events."""
    finish_seen: bool = False
    """Whether a finish reason stood in the answer, in the words of one of the formats."""
    malformed: bool = False
    """Whether an event of the answer was no JSON, or was cut."""
    reported: object = None
    """The last error object among the events of the answer."""
    key_missing: bool = False


class CallTransport(httpx.AsyncBaseTransport):
    """Sends the requests of one call through a shared client."""

    def __init__(self, pool: httpx.AsyncClient, connect_timeout_s: float) -> None:
        self.facts = CallFacts()
        self._pool = pool
        self._timeout = {"connect": connect_timeout_s, "read": None, "write": None, "pool": None}
        self._sent: set[tuple[str, str]] = set()
        self._body: _Body | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of the server.

        Raises:
            httpx.NetworkError: it failed, or the same request was sent before.
        """
        self._refuse_repetition(request)
        request.headers["accept-encoding"] = "identity"  # compression would hold tokens back
        request.extensions["timeout"] = self._timeout
        self.facts.sends += 1
        self.facts.url = str(request.url.copy_with(query=None, fragment=None, userinfo=b""))
        problem = ""
        try:
            response = await self._pool.send(request, stream=True, follow_redirects=False)
            return await self._received(request, response)
        except httpx.HTTPError as exc:
            self.facts.failure = exc
            problem = f"{type(exc).__name__}: {exc}"
        raise httpx.NetworkError(problem, request=request)

    async def close_answer(self) -> None:
        """Close the connection of an answer that was not read to its end."""
        if self._body is not None:
            await self._body.aclose()

    def _refuse_repetition(self, request: httpx.Request) -> None:
        key = (request.method, str(request.url))
        if key in self._sent:
            raise httpx.NetworkError("the request was sent before, and is not sent again", request=request)
        self._sent.add(key)

    async def _received(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        self.facts.status = response.status_code
        self.facts.headers = {name.lower(): value for name, value in response.headers.items()}
        headers = [pair for pair in response.headers.multi_items() if pair[0].lower() not in _DROPPED_HEADERS]
        body = _Body(response, self.facts)
        if response.status_code < _OK_BELOW:
            self._body = body
            return httpx.Response(response.status_code, headers=headers, stream=body, request=request)
        self.facts.error_body = await _read_error(body)
        return httpx.Response(response.status_code, headers=headers, content=self.facts.error_body, request=request)


async def _read_error(body: _Body) -> bytes:
    data = bytearray()
    async with aclosing(body):
        try:
            async for piece in body:
                data += piece
                if len(data) > MAX_ERROR_BODY:
                    break
        except (httpx.HTTPError, AnswerTooLargeError, BadEncodingError, CompressionRatioError):
            pass  # the status and what came of the body are enough
    return bytes(data[:MAX_ERROR_BODY])


class _Body(httpx.AsyncByteStream):
    """The decoded body, within the limits, with what it says noted in the facts."""

    def __init__(self, response: httpx.Response, facts: CallFacts) -> None:
        self._response = response
        self._facts = facts
        self._total = 0
        is_stream = "event-stream" in response.headers.get("content-type", "")
        self._events = EventParser() if is_stream else None
        facts.events = 0 if is_stream else None
        self._tail = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            inflater = make_inflater(self._response.headers.get("content-encoding", ""))
            async for raw in self._response.aiter_raw():
                for piece in (raw,) if inflater is None else inflater.feed(raw):
                    self._note(piece)
                    yield piece
            self._note_end()
        except (httpx.HTTPError, AnswerTooLargeError, BadEncodingError, CompressionRatioError) as exc:
            self._facts.failure = exc
            raise

    async def aclose(self) -> None:
        await self._response.aclose()

    def _note(self, piece: bytes) -> None:
        facts = self._facts
        if len(facts.head) < HEAD_BYTES:
            facts.head += piece[: HEAD_BYTES - len(facts.head)]
        self._total += len(piece)
        if self._total > MAX_STREAM_BYTES:
            raise AnswerTooLargeError
        if self._events is None:
            facts.finish_seen = facts.finish_seen or bool(_FINISH_MARK.search(self._tail + piece))
            self._tail = piece[-_OVERLAP:]
            return
        try:
            events = self._events.feed(piece)
        except LineTooLongError:
            raise AnswerTooLargeError from None
        for is_error, payload in events:
            self._note_event(is_error, payload)

    def _note_event(self, is_error: bool, payload: bytes) -> None:
        if payload.strip() in (b"", b"[DONE]"):
            return
        self._facts.events = (self._facts.events or 0) + 1
        try:
            value = parse_json(payload)
        except MalformedAnswerError:
            self._facts.malformed = True
            return
        if is_error or (as_object(value) or {}).get("error"):
            self._facts.reported = value
        if _FINISH_MARK.search(payload):
            self._facts.finish_seen = True

    def _note_end(self) -> None:
        if self._events is None:
            return
        for is_error, payload in self._events.close():
            self._note_event(is_error, payload)
