"""A sink that appends spans to a file, one JSON object a line."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.sink import Span
from promptrails_engine.tracing.payload import CAP_BYTES
from promptrails_engine.tracing.records import span_to_dict

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class JsonlSink:
    """Appends to a file in UTF-8, with the fields of `span_to_dict`.

    A batch is one write without a buffer of our own, so that lines of several processes do not mix and a crash loses
    no exported span.  The file holds prompts and answers unless `content` is False; only its owner may read it.
    """

    def __init__(self, path: str | os.PathLike[str], *, content: bool = True, cap_bytes: int = CAP_BYTES) -> None:
        """Raises ConfigurationError if the file cannot be opened for writing."""
        self._path = Path(path)
        self._content = content
        self._cap_bytes = cap_bytes
        self._lock = threading.Lock()
        try:
            self._file: int | None = os.open(self._path, _FLAGS, 0o600)
        except FileNotFoundError:
            raise ConfigurationError(
                f"Spans cannot be written to '{self._path}': the directory '{self._path.parent}' does not exist. "
                "Create it, or choose another path."
            ) from None
        except OSError as error:
            raise ConfigurationError(f"Spans cannot be written to '{self._path}': {error.strerror}.") from error

    def export(self, spans: Sequence[Span]) -> None:
        if not spans:
            return
        lines = [self._line(span) for span in spans]
        data = memoryview("".join(lines).encode("utf-8", "backslashreplace"))
        with self._lock:
            if self._file is None:
                raise ValueError("the file is closed")
            while data:
                data = data[os.write(self._file, data) :]

    def flush(self) -> None:
        """Nothing is buffered: `export` has written all."""

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _line(self, span: Span) -> str:
        record = span_to_dict(span, content=self._content, cap_bytes=self._cap_bytes)
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
