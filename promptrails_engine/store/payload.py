"""Payloads of spans, cut to size; and copies of JSON data."""

from __future__ import annotations

from math import isfinite
from typing import Any

from pydantic_core import from_json, to_json

from promptrails_engine.errors import ValidationError
from promptrails_engine.store.codec import dump_json, is_mapping, is_sequence

PAYLOAD_BYTES = 8192
"""The most that one input or output of a stored span takes, in bytes of JSON."""

_PREVIEW = 7_000
_ROUGH = 4 * PAYLOAD_BYTES
_SIMPLE_DEPTH = 32


def copy_json(value: Any) -> Any:
    """A copy of JSON data; strings and numbers are shared."""
    if is_mapping(value):
        return {key: copy_json(item) for key, item in value.items()}
    if is_sequence(value):
        return [copy_json(item) for item in value]
    return value


def capped(value: Any) -> Any:
    """The value, or `{"truncated": true, "preview": ...}` where its JSON passes PAYLOAD_BYTES."""
    return value if _fits(value) else _marker(value)


def capped_copy(value: Any) -> Any:
    """A copy that shares nothing changeable with `value`, cut to size."""
    return copy_json(capped(value))


def is_huge(value: Any) -> bool:
    """Whether the value is clearly over the cap: found without writing it out."""
    return _room_left(value, _ROUGH) < 0


def is_simple(value: Any) -> bool:
    """Whether the value holds nothing but JSON's own types, not deep, and not clearly over the cap."""
    return _simple_room(value, _ROUGH, _SIMPLE_DEPTH) >= 0


def _fits(value: Any) -> bool:
    if is_huge(value):
        return False
    return len(lenient_json(value).encode()) <= PAYLOAD_BYTES


def _room_left(value: Any, room: int) -> int:
    # On the path of each run: exact types and a rough count will do, since what passes is measured when it is written.
    kind = value.__class__
    if kind is str:
        return room - len(value)
    if kind is dict:
        items = value.values()
    elif kind is list or kind is tuple:
        items = value
    else:
        return room
    for item in items:
        room = room - len(item) if type(item) is str else _room_left(item, room - 2)
        if room < 0:
            break
    return room


def _simple_room(value: Any, room: int, depth: int) -> int:
    # As above, and below zero as well for what needs a closer look.
    kind = value.__class__
    if kind is str:
        return room - len(value)
    if kind is dict:
        items = value.values()
    elif kind is list:
        items = value
    else:
        return room if value is None or kind is int or kind is bool or (kind is float and isfinite(value)) else -1
    if depth == 0:
        return -1
    for item in items:
        kind = item.__class__
        if kind is str:
            room -= len(item)
        elif item is None or kind is int or kind is bool:
            room -= 2
        else:
            room = _simple_room(item, room - 2, depth - 1)
        if room < 0:
            break
    return room


def _marker(value: Any) -> dict[str, Any]:
    text = lenient_json(_trimmed(value, [_PREVIEW]))[:_PREVIEW]
    marker: dict[str, Any] = {"truncated": True, "preview": text}
    while (size := len(dump_json(marker).encode())) > PAYLOAD_BYTES:
        marker["preview"] = text = text[: len(text) * PAYLOAD_BYTES // (size + 64)]
    return marker


def _trimmed(value: Any, room: list[int]) -> Any:
    """A part of the value whose JSON is about `room` characters: the beginning of the whole one."""
    if isinstance(value, str):
        kept = value[: max(room[0], 0) + 1]
        room[0] -= len(kept)
        return kept
    if is_mapping(value):
        part: dict[str, Any] = {}
        for key, item in value.items():
            if room[0] < 0:
                break
            room[0] -= len(key) + 4
            part[key] = _trimmed(item, room)
        return part
    if is_sequence(value):
        items: list[Any] = []
        for item in value:
            if room[0] < 0:
                break
            room[0] -= 2
            items.append(_trimmed(item, room))
        return items
    return value


def lenient_json(value: Any) -> str:
    """JSON text of anything: a trace must not fail a run for holding what is not JSON."""
    try:
        return dump_json(value)
    except ValidationError:
        pass
    try:
        return dump_json(from_json(to_json(value, fallback=repr, serialize_unknown=True, bytes_mode="base64")))
    except Exception:  # a cycle, a depth or a repr of the host's own making
        return '"(not JSON data)"'
