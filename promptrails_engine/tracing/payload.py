"""Inputs, outputs and attributes of spans as JSON data of a bounded size."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from pydantic_core import to_jsonable_python

from promptrails_engine.ports.provider import Message

CAP_BYTES = 8192
MAX_DEPTH = 64
_PLAIN_ROOM = 4 * 1024 * 1024
_MOST_BITS = 8192  # Python refuses to write whole numbers of more than 4,300 digits
_CUT = "(cut)"
_URL_HEAD = 200
_ODD = re.compile("[\x00\ud800-\udfff]")
# Attributes whose texts are names and codes; any other text may be a piece of a prompt or an answer.
_NAMES = frozenset({
    "action", "agent_version_id", "call_id", "content_type", "data_source_id", "data_source_kind", "data_source_name",
    "direction", "finish_reason", "key",
    "media_type", "model", "provider", "response_id", "response_model", "role", "scanner_type", "strategy", "tool_name",
    "tool_type", "version",
})  # fmt: skip


def plain_payload(value: Any) -> Any:
    """The payload as JSON data that shares nothing with it; messages become dicts, NaN and infinity null.

    An object without a JSON form becomes the name of its type; what is nested deeper than 64 levels is cut.
    """
    return _Walk(_PLAIN_ROOM, odd_text=True).visit(value, 0)


def capped_payload(value: Any, cap_bytes: int = CAP_BYTES) -> Any:
    """The payload as JSON data in valid UTF-8, or `{"truncated": true, "preview": "..."}` where that is longer than
    `cap_bytes`.  NUL and lone surrogates are written as `\\u0000` and the like.
    """
    # The walk itself stops soon after the cap, so that a payload of megabytes costs no more than one of kilobytes.
    walk = _Walk(cap_bytes + 1, odd_text=False)
    plain = walk.visit(value, 0)
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    data = text.encode()
    if walk.room >= 0 and len(data) <= cap_bytes:
        return plain
    return {"truncated": True, "preview": data[:cap_bytes].decode("utf-8", "ignore")}


def capped_text(text: str, cap_bytes: int = CAP_BYTES) -> str:
    """The text in valid UTF-8, cut to `cap_bytes`; NUL and lone surrogates escaped."""
    clean = escape_odd(text[:cap_bytes])
    data = clean.encode()
    if len(data) <= cap_bytes and len(text) <= cap_bytes:
        return clean
    return data[: max(0, cap_bytes - 3)].decode("utf-8", "ignore") + "..."


def escape_odd(text: str) -> str:
    """The text with NUL and lone surrogates, which few stores and wires take, written as `\\u0000` and the like."""
    return text if text.isascii() and "\x00" not in text else _ODD.sub(_escaped, text)


def without_content(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that cannot hold a piece of a prompt or an answer: numbers, flags, and known names and codes."""
    return {
        name: value
        for name, value in attributes.items()
        if value is None or isinstance(value, bool | int | float) or (name in _NAMES and isinstance(value, str))
    }


def without_bytes(text: str) -> str:
    """The text; of a data URL of some length what it holds, and how many characters of it: bytes are no trace."""
    if len(text) <= _URL_HEAD or not text.startswith("data:"):
        return text
    head, _, _ = text[:_URL_HEAD].partition(",")
    return f"{head},({len(text) - len(head) - 1} characters)" if head.endswith(";base64") else text


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


class _Walk:
    """Copies a payload until `room` characters are used up; `room` is negative if something was left out."""

    __slots__ = ("_odd_text", "room")

    def __init__(self, room: int, *, odd_text: bool) -> None:
        self.room = room
        self._odd_text = odd_text

    def visit(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(str.__str__(value))
        self.room -= 1
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if depth >= MAX_DEPTH:
            return _CUT
        if isinstance(value, Message):
            value = value.to_dict()
        if _is_mapping(value):
            return self._mapping(value, depth)
        if _is_array(value):
            return self._array(value, depth)
        return self._other(value, depth)

    def _text(self, text: str) -> str:
        text = without_bytes(text)
        kept = text if len(text) <= self.room else text[: max(0, self.room)]
        self.room -= len(text) + 1
        return kept if self._odd_text else escape_odd(kept)

    def _number(self, value: float) -> Any:
        if isinstance(value, int):
            self.room -= value.bit_length() // 3
            return int(value) if value.bit_length() <= _MOST_BITS else "(a number too large to write)"
        return float(value) if math.isfinite(value) else None

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        for key, item in value.items():
            if self.room < 0:
                break
            name = self._text(key if isinstance(key, str) else str(key))
            copy[name] = self.visit(item, depth + 1)
        return copy

    def _array(self, value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        copy: list[Any] = []
        for item in value:
            if self.room < 0:
                break
            copy.append(self.visit(item, depth + 1))
        return copy

    def _other(self, value: Any, depth: int) -> Any:
        try:
            data = to_jsonable_python(value, inf_nan_mode="null", fallback=_type_name)
        except Exception:  # whatever an object of the host's raises must not cost the span
            data = _type_name(value)
        return self.visit(data if isinstance(data, str | dict | list | int | float) else None, depth + 1)


def _type_name(value: Any) -> str:
    return f"({type(value).__name__})"


def _is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_array(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    return isinstance(value, list | tuple)
