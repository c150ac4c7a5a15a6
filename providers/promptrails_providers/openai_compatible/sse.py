"""Server-sent events, from bytes to payloads (the WHATWG event-stream format, without ids and reconnection)."""

from __future__ import annotations

MAX_LINE_BYTES = 1 << 20


class LineTooLongError(Exception):
    """A line, or the data of one event, is over `MAX_LINE_BYTES`; internal to this package."""


class EventParser:
    """Cuts a byte stream into events, wherever the network cut it.

    `feed` returns the events that became complete, each as a pair: whether it is of type `error`, and its payload.
    A field named `error`, which some servers write instead of such an event, counts as one.
    """

    __slots__ = ("_data", "_data_size", "_is_error", "_pending", "_pending_size", "_skip_newline")

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._data: list[bytes] = []
        self._data_size = 0
        self._is_error = False
        self._skip_newline = False

    @property
    def mid_event(self) -> bool:
        """Whether bytes of an unfinished event are held."""
        return bool(self._pending or self._data)

    def feed(self, chunk: bytes) -> list[tuple[bool, bytes]]:
        """The events that end in this chunk, each as (is an error event, payload).

        Raises:
            LineTooLongError: a line grew over the limit.
        """
        if self._is_one_event(chunk):
            return [(False, chunk[6:-2])]
        if self._skip_newline and chunk:  # the second half of a CRLF that was cut
            self._skip_newline = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        if b"\n" not in chunk and b"\r" not in chunk:
            self._hold(chunk)
            return []
        if self._pending:
            self._pending.append(chunk)
            chunk = b"".join(self._pending)
            self._pending.clear()
            self._pending_size = 0
        lines = chunk.splitlines(keepends=False)
        last = chunk[-1]
        if last == 0x0D:
            self._skip_newline = True
        elif last != 0x0A:
            self._hold(lines.pop())
        return self._read(lines)

    def close(self) -> list[tuple[bool, bytes]]:
        """The event that the end of the stream completes: servers leave out the last empty line."""
        lines = [b"".join(self._pending), b""] if self._pending else [b""]
        self._pending.clear()
        self._pending_size = 0
        return self._read(lines)

    def _is_one_event(self, chunk: bytes) -> bool:
        """Whether the chunk is one whole event of one line, which is what nearly all chunks are."""
        return (
            chunk.startswith(b"data: ")
            and chunk.find(b"\n") == len(chunk) - 2
            and chunk.endswith(b"\n\n")
            and b"\r" not in chunk
            and len(chunk) <= MAX_LINE_BYTES
            and not (self._pending or self._data or self._is_error or self._skip_newline)
        )

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._pending.append(piece)
            self._pending_size += len(piece)
            if self._pending_size > MAX_LINE_BYTES:
                raise LineTooLongError

    def _read(self, lines: list[bytes]) -> list[tuple[bool, bytes]]:
        events: list[tuple[bool, bytes]] = []
        for line in lines:
            if len(line) > MAX_LINE_BYTES:
                raise LineTooLongError
            if line:
                self._field(line)
            elif self._data:
                payload = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                events.append((self._is_error, payload))
                self._data = []
                self._data_size = 0
                self._is_error = False
            else:
                self._is_error = False
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data" or name == b"error":
            self._data.append(value)
            self._data_size += len(value) + 1
            self._is_error = self._is_error or name == b"error"
            if self._data_size > MAX_LINE_BYTES:
                raise LineTooLongError
        elif name == b"event" and value == b"error":
            self._is_error = True
