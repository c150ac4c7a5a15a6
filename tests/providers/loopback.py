"""A real HTTP server on 127.0.0.1 whose answers a test writes, action by action.

    with LoopbackServer() as server:
        server.script(chat("Hello"), error(500))
        ...                                     # call server.url
        assert server.requests[0].json["model"] == "m"

Each request takes the next reply of the script; the last one stays for all that follow.  A reply may be a function of
the request.  `tests.providers.replies` makes replies in the chat-completions format, and broken ones.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

_POLL_S = 0.01
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Received:
    """A request as it came in; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Send:
    """Write these bytes."""

    data: bytes


@dataclass(frozen=True)
class Hold:
    """Write nothing until the gate is opened, or the client has left."""

    gate: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Endless:
    """Write these bytes again and again until the client has left."""

    data: bytes


@dataclass(frozen=True)
class Reset:
    """Break the connection off with a TCP reset."""


Action = Send | Hold | Endless | Reset


@dataclass(frozen=True)
class Reply:
    """What to do on the socket; `close` ends the connection in order afterwards."""

    actions: tuple[Action, ...]
    close: bool = False


Script = Reply | Callable[[Received], Reply]


class LoopbackServer:
    """The server; it listens from `__enter__` to `__exit__`, and closes every connection there."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        """Connections accepted so far."""
        self.disconnects = 0
        """Times that a client left amid a reply."""
        self._scripts: list[Script] = []
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._stops, self._stopped = socket.socketpair()  # what waits for a client wakes up when the one end closes
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """The base URL of a chat-completions client."""
        return f"{self.root}/v1"

    def script(self, *replies: Script) -> None:
        """Replace what is left of the script."""
        with self._changed:
            self._scripts = list(replies)

    def wait_disconnects(self, count: int = 1, timeout_s: float = 10.0) -> bool:
        """Whether so many clients have left amid a reply by the end of the wait."""
        with self._changed:
            return self._changed.wait_for(lambda: self.disconnects >= count, timeout_s)

    def wait_requests(self, count: int, timeout_s: float = 10.0) -> bool:
        """Whether so many requests have come in by the end of the wait."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= count, timeout_s)

    def __enter__(self) -> LoopbackServer:
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._stops.close()
        for thread in list(self._threads):
            thread.join(timeout=10)
        self._listener.close()
        self._stopped.close()

    # -------------------------------------------------------------- threads

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            if self._listener not in select.select([self._listener, self._stopped], [], [])[0]:
                continue
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        buffer = bytearray()
        with connection:
            try:
                while (request := self._read_request(connection, buffer)) is not None:
                    reply = self._next_reply(request)
                    if not self._perform(connection, reply) or reply.close:
                        return
            except OSError:
                self._count_disconnect()

    def _read_request(self, connection: socket.socket, buffer: bytearray) -> Received | None:
        while b"\r\n\r\n" not in buffer:
            if not self._receive(connection, buffer):
                return None
        head, _, _ = bytes(buffer).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        end = len(head) + 4 + int(headers.get("content-length", "0"))
        while len(buffer) < end:
            if not self._receive(connection, buffer):
                return None
        body = bytes(buffer[len(head) + 4 : end])
        del buffer[:end]
        method, path, _ = first.split(" ", 2)
        return Received(method, path, headers, body)

    def _receive(self, connection: socket.socket, buffer: bytearray) -> bool:
        while not self._stopping.is_set():
            if connection in select.select([connection, self._stopped], [], [])[0]:
                data = connection.recv(1 << 16)
                buffer += data
                return bool(data)
        return False

    def _next_reply(self, request: Received) -> Reply:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            if not self._scripts:
                raise AssertionError("the server has no script")
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        return script if isinstance(script, Reply) else script(request)

    def _perform(self, connection: socket.socket, reply: Reply) -> bool:
        """Whether the connection can serve another request."""
        for action in reply.actions:
            match action:
                case Send(data):
                    self._send(connection, data)
                case Endless(data):
                    while not self._stopping.is_set():
                        self._send(connection, data)
                    return False
                case Hold(gate):
                    if not self._wait(connection, gate):
                        return False
                case Reset():
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    return False
        return True

    def _send(self, connection: socket.socket, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._stopping.is_set():
            if select.select([], [connection], [], _POLL_S)[1]:
                rest = rest[connection.send(rest[: 1 << 16]) :]

    def _wait(self, connection: socket.socket, gate: threading.Event) -> bool:
        while not gate.is_set() and not self._stopping.is_set():
            if select.select([connection], [], [], _POLL_S)[0] and not connection.recv(1, socket.MSG_PEEK):
                self._count_disconnect()
                return False
        return not self._stopping.is_set()

    def _count_disconnect(self) -> None:
        with self._changed:
            self.disconnects += 1
            self._changed.notify_all()
