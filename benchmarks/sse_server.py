"""A model server on this machine: streams an answer of so many pieces, each in a packet of its own.

Usage: python sse_server.py PIECES    prints the port, and serves until its standard input is closed
"""

from __future__ import annotations

import json
import socket
import socketserver
import sys
import threading
import time
from typing import Any

PAUSE_S = 0.0003
"""Between two pieces, so that the client reads them one by one, as they come from a model."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(choice: dict[str, Any], **more: Any) -> bytes:
    """One event, framed as an HTTP chunk."""
    data = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "bench"}
    data |= {"choices": [{"index": 0, "finish_reason": None} | choice], **more}
    return framed(b"data: " + json.dumps(data).encode() + b"\n\n")


def framed(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


class Handler(socketserver.StreamRequestHandler):
    """Answers any number of requests of one connection."""

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def handle(self) -> None:
        while self.read_request():
            self.request.sendall(HEAD)
            for _ in range(self.server.pieces):
                self.request.sendall(PIECE)
                time.sleep(PAUSE_S)
            usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
            self.request.sendall(event({"delta": {}, "finish_reason": "stop"}, usage=usage))
            self.request.sendall(framed(b"data: [DONE]\n\n") + framed(b""))

    def read_request(self) -> bool:
        length, line = 0, self.rfile.readline()
        if not line:
            return False
        while line not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            line = self.rfile.readline()
        self.rfile.read(length)
        return True


PIECE = event({"delta": {"content": "word "}})


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    pieces = 0


def main(pieces: int) -> None:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.pieces = pieces
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
