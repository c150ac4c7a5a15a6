"""One answer of status 200, from decoded bytes to deltas and a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from promptrails_engine.errors import (
    PromptRailsError,
    ProviderProtocolError,
    ProviderUnavailableError,
    ResponseTooLargeError,
    StreamInterruptedError,
)
from promptrails_engine.ports.provider import Delta, Finish
from promptrails_providers.openai_compatible.answer import AnswerDecoder
from promptrails_providers.openai_compatible.http_errors import MAX_PAGE_TEXT, Call, reported_error
from promptrails_providers.openai_compatible.reported import read_object
from promptrails_providers.openai_compatible.sse import MAX_LINE_BYTES, EventParser, LineTooLongError
from promptrails_providers.openai_compatible.wire_json import MalformedAnswerError, ReportedError, parse_json

MAX_ANSWER = 16 << 20
"""Characters of content in a stream; bytes of an answer that is not streamed."""
MAX_STREAM_BYTES = 128 << 20
"""Decoded bytes of a stream: a token of four characters travels in some 300 bytes of JSON."""
_JSON_STARTS = frozenset(b'{["-0123456789ntf')
_BOM_AND_SPACE = b"\xef\xbb\xbf \t\r\n"


class AnswerReader:
    """Fed with the bytes of an answer, gives its deltas; what goes wrong is kept in `failure`.

    Which form the answer has is told by its first byte, because Content-Type headers are often wrong.
    """

    __slots__ = ("_call", "_decoder", "_document", "_events", "_head", "_received", "delivered", "failure")

    def __init__(self, call: Call, reasoning_fields: Sequence[str]) -> None:
        self._call = call
        self._decoder = AnswerDecoder(reasoning_fields)
        self._events: EventParser | None = None
        self._document: bytearray | None = None
        self._head = b""
        self._received = 0
        self.delivered = False
        """Whether deltas were given out."""
        self.failure: PromptRailsError | None = None

    @property
    def done(self) -> bool:
        """Whether the end mark was read, so that nothing of interest follows."""
        return self._decoder.done

    @property
    def complete(self) -> bool:
        """Whether a finish reason was received."""
        return self._decoder.finish is not None

    def feed(self, chunk: bytes) -> list[Delta]:
        """The deltas that this chunk completes, also those before a failure."""
        self._received += len(chunk)
        out: list[Delta] = []
        if self._events is not None:
            self._read_events(self._events, chunk, out)
            if self._received > MAX_STREAM_BYTES or self._decoder.size > MAX_ANSWER:
                self._fail_too_large(f"over {MAX_ANSWER >> 20} MiB")
        elif self._document is not None:
            self._document += chunk
            if self._received > MAX_ANSWER:
                self._fail_too_large(f"over {MAX_ANSWER >> 20} MiB")
        else:
            self._begin(chunk, out)
        if out:
            self.delivered = True
        return out

    def end(self) -> list[Delta]:
        """The last deltas, `Finish` at their end unless `failure` is set; call it when the body has ended."""
        out: list[Delta] = []
        if self._events is not None and self.failure is None:
            self._read_events(self._events, None, out)
        elif self._document is not None and self.failure is None:
            self._read_document(bytes(self._document), out)
        finish = self._decoder.finish
        if self.failure is None and finish is None:
            self.failure = self._without_finish()
        if self.failure is None and finish is not None:
            out.append(Finish(finish))
        return out

    def _begin(self, chunk: bytes, out: list[Delta]) -> None:
        text = chunk.lstrip(_BOM_AND_SPACE)
        if not text:
            if self._received > MAX_LINE_BYTES:
                self._fail_too_large("blank from the start")
            return
        self._head = text[: 4 * MAX_PAGE_TEXT]
        if text.startswith(b"<"):
            self.failure = self._protocol("markup instead of an answer")
        elif text[0] in _JSON_STARTS:
            self._document = bytearray(text)
        else:
            self._events = EventParser()
            self._read_events(self._events, text, out)

    def _read_events(self, parser: EventParser, chunk: bytes | None, out: list[Delta]) -> None:
        try:
            for is_error, payload in parser.close() if chunk is None else parser.feed(chunk):
                if self._decoder.done:
                    return
                if is_error:
                    raise ReportedError(_error_value(payload))
                self._decoder.read_event(payload, out)
        except LineTooLongError:
            self._fail_too_large(f"one event of over {MAX_LINE_BYTES >> 20} MiB")
        except MalformedAnswerError as exc:
            self.failure = self._malformed(str(exc))
        except ReportedError as exc:
            self.failure = self._reported(exc.body)

    def _read_document(self, data: bytes, out: list[Delta]) -> None:
        try:
            self._decoder.read_document(data, out)
        except MalformedAnswerError as exc:
            self.failure = self._protocol(str(exc))
        except ReportedError as exc:
            self.failure = self._reported(exc.body)

    # -------------------------------------------------------------- verdicts

    def _without_finish(self) -> PromptRailsError:
        odd = self._decoder.odd_finish
        if odd is not None:
            reason = self._call.quote(odd, 80)
            return self._error(
                StreamInterruptedError if self.delivered else ProviderUnavailableError,
                f"ended the answer of model '{self._call.model}' with the reason '{reason}', so it is not whole",
            )
        if self._document is not None or not self._decoder.saw_choice:
            return self._protocol("no finished answer" if self._decoder.saw_choice else "no answer")
        return self._error(
            StreamInterruptedError, f"ended the stream of model '{self._call.model}' without a finish reason"
        )

    def _malformed(self, problem: str) -> PromptRailsError:
        if not self._decoder.saw_choice:
            return self._protocol(problem)
        return self._error(StreamInterruptedError, f"broke the stream of model '{self._call.model}' with {problem}")

    def _reported(self, body: object) -> PromptRailsError:
        error = reported_error(self._call, body)
        if error is not None:
            return error
        text = self._call.quote(read_object(body).message)
        cls = StreamInterruptedError if self._decoder.saw_choice else ProviderProtocolError
        return self._error(cls, f"reported an error inside the answer of model '{self._call.model}': {text}")

    def _protocol(self, problem: str) -> PromptRailsError:
        head = self._call.quote(self._head.decode("utf-8", "replace"), MAX_PAGE_TEXT)
        said = f", which begins: {head}" if head else ", for the body is empty"
        return self._error(
            ProviderProtocolError,
            f"answered model '{self._call.model}' at {self._call.url} with {problem}{said}. "
            "Check that the base URL is that of a chat-completions server",
        )

    def _fail_too_large(self, what: str) -> None:
        self.failure = self._error(
            ResponseTooLargeError, f"sent an answer of model '{self._call.model}' that is {what}; it was not read on"
        )

    def _error(self, cls: type[PromptRailsError], what: str) -> PromptRailsError:
        return cls(f"'{self._call.provider}' {what}.", details=self._call.details())


def _error_value(payload: bytes) -> object:
    try:
        return parse_json(payload)
    except MalformedAnswerError:
        return {"message": payload.decode("utf-8", "replace")}
