"""What a tool returned, as JSON data and as the text that the model reads."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import to_json, to_jsonable_python

from promptrails_engine.errors import ToolError

RESULT_LIMIT_BYTES = 256 * 1024
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_PLAIN: frozenset[type] = frozenset({str, int, bool, type(None)})


def to_json_data(value: Any, tool_name: str) -> Any:
    """The value as JSON data: models, dataclasses, dates, enums, sets and the like dumped, NaN and infinity null.

    Raises:
        ToolError: it holds something that has no JSON form, or is nested too deep.
    """
    if type(value) in _PLAIN:
        return value
    try:
        return to_jsonable_python(value, inf_nan_mode="null")
    except Exception as error:  # a model's own serialiser may raise anything
        reason = f"{type(error).__name__}: {error}"[:500]
        raise ToolError(
            f"Tool '{tool_name}' returned a {type(value).__name__} that has no JSON form ({reason}). "
            "Return text, numbers, lists, dicts, dataclasses or pydantic models."
        ) from error


def result_text(value: Any, limit_bytes: int = RESULT_LIMIT_BYTES) -> str:
    """The text of a tool's result: a string as it is, other JSON data as compact JSON; valid UTF-8, at most
    `limit_bytes` long.  A longer one is cut, and its end says so.
    """
    text = value if isinstance(value, str) else _json_text(value)
    if text.isascii():
        return text if len(text) <= limit_bytes else _cut(text.encode(), limit_bytes)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = text.encode("utf-8", "backslashreplace")
        text = data.decode()
    return text if len(data) <= limit_bytes else _cut(data, limit_bytes)


def _json_text(value: Any) -> str:
    try:
        return to_json(value).decode()
    except ValueError:  # half of a surrogate pair
        return _ENCODER.encode(value)


def _cut(data: bytes, limit_bytes: int) -> str:
    mark = f"\n[cut: the result has {len(data)} bytes, the limit is {limit_bytes}]"
    kept = data[: max(0, limit_bytes - len(mark))].decode("utf-8", "ignore")
    return (kept + mark)[:limit_bytes] if limit_bytes < len(mark) else kept + mark
