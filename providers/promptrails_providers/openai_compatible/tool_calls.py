"""Telling the pieces of parallel tool calls apart, whatever a server leaves out or repeats."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from promptrails_engine.ports.provider import ToolCallDelta
from promptrails_providers.openai_compatible.wire_json import MalformedAnswerError, as_list, as_object, as_text


@dataclass(slots=True)
class _Call:
    index: int
    id: str


class ToolCallPieces:
    """Gives each piece the index of its call, and each call one id and one name, with its first piece.

    Seen in the field: no index; no id; the id or the name in every piece; a new id in every piece of one call; index
    0 for every call, with ids of their own.
    """

    __slots__ = ("_by_id", "_by_index", "_count", "_last")

    def __init__(self) -> None:
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._last: _Call | None = None
        self._count = 0

    def read(self, raw: object, *, whole: bool) -> list[ToolCallDelta]:
        """The pieces in `tool_calls`; `whole` says that each of them is a complete call.

        Raises:
            MalformedAnswerError: it is no list of calls.
        """
        pieces = as_list(raw)
        if pieces is None:
            raise MalformedAnswerError("tool_calls that are no list")
        return [self._piece(piece, whole=whole) for piece in pieces]

    def read_function_call(self, raw: object) -> ToolCallDelta:
        """The piece in `function_call`, the format's older form with a single call.

        Raises:
            MalformedAnswerError: it is no object.
        """
        return self._piece({"index": 0, "function": raw}, whole=False)

    def _piece(self, raw: object, *, whole: bool) -> ToolCallDelta:
        piece = as_object(raw)
        function = as_object(piece.get("function")) if piece is not None else None
        if piece is None or (function is None and piece.get("function") is not None):
            raise MalformedAnswerError("a tool call that is no object")
        function = function or {}
        index = piece.get("index")
        call_id, name = as_text(piece.get("id")), as_text(function.get("name"))
        known = None if whole else self._known(index, call_id, name)
        arguments = _arguments(function.get("arguments"))
        if known is not None:
            self._last = known
            return ToolCallDelta(known.index, arguments=arguments)
        call = self._open(index, call_id)
        return ToolCallDelta(call.index, call.id, name, arguments)

    def _known(self, index: object, call_id: str, name: str) -> _Call | None:
        if isinstance(index, int):
            call = self._by_index.get(index)
            is_other = call is not None and call_id and name and call_id != call.id
            return self._by_id.get(call_id) if is_other else call
        if call_id in self._by_id:
            return self._by_id[call_id]
        return None if name else self._last

    def _open(self, index: object, call_id: str) -> _Call:
        call = _Call(self._count, call_id or f"call_{uuid4().hex}")
        self._count += 1
        if isinstance(index, int):
            self._by_index[index] = call
        if call_id:
            self._by_id[call_id] = call
        self._last = call
        return call


def _arguments(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
