"""JSON and text on their way into a database and back, without loss.

Two things no database takes: NUL (PostgreSQL refuses it, SQLite's functions stop at it) and lone surrogates (no UTF-8).
Each becomes one character of a private-use range, so equality and substring search still hold on the stored form:

    U+D800..U+DFFF -> U+F0000..U+F07FF      U+0000 -> U+F0800      a character of U+F0000..U+F0FFF -> U+F0FFF + itself
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeGuard

from pydantic_core import PydanticSerializationError, to_json

from promptrails_engine.errors import ValidationError

_GUARD = "\U000f0fff"
_NUL = "\U000f0800"
_DIGEST_MARK = "\U000f0ffe"
"""Never first in an escaped text, so a digest cannot be taken for one."""
_KEY_LENGTH = 200
_ODD = re.compile("[\x00\ud800-\udfff\U000f0000-\U000f0fff]")
_ESCAPED = re.compile("\U000f0fff(.)|[\U000f0000-\U000f0800]", re.DOTALL)
_ESCAPED_MARK = " "
"""Leads a JSON text whose strings are escaped."""


def escape(text: str) -> str:
    """The text in a form that every database keeps."""
    if text.isascii() and "\x00" not in text:
        return text
    return _ODD.sub(_escape_one, text)


def escape_all(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Each of the texts in a form that every database keeps."""
    whole = "".join(texts)
    if whole.isascii() and "\x00" not in whole:
        return texts
    return tuple(map(escape, texts))


def unescape(text: str) -> str:
    """What `escape` was given."""
    return text if text.isascii() else _ESCAPED.sub(_unescape_one, text)


def index_key(text: str) -> str:
    """A short form of the text for unique keys: itself, or a digest of one too long for an index."""
    stored = escape(text)
    return stored if len(stored) <= _KEY_LENGTH else _DIGEST_MARK + sha256(stored.encode()).hexdigest()


def dump_json(value: Any) -> str:
    """The value as JSON text that every database keeps.

    Raises:
        ValidationError: it is not JSON data.
    """
    try:
        return to_json(value).decode()
    except PydanticSerializationError:
        return _dump_odd(value)


def load_json(text: str) -> Any:
    """What `dump_json` was given."""
    value = json.loads(text)
    return _map_strings(value, unescape) if text.startswith(_ESCAPED_MARK) else value


def dump_metadata(metadata: Mapping[str, Any]) -> str:
    """JSON text with each top-level pair on a line of its own: `metadata_lines` finds one by plain substring search.

    A raw newline cannot occur inside JSON strings, so a line is always a whole pair.
    """
    if not metadata:
        return "{}"
    return _ESCAPED_MARK + "{" + ",".join(f"\n{_pair(key, value)}\n" for key, value in metadata.items()) + "}"


def metadata_lines(key: str, value: Any) -> tuple[str, ...]:
    """The lines that stand for this pair in `dump_metadata`; two for a whole number, which may be written 1 or 1.0."""
    values = [value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        values.append(float(value))
    elif isinstance(value, float) and value.is_integer():
        values.append(int(value))
    return tuple(f"\n{_pair(key, v)}\n" for v in values)


def _pair(key: str, value: Any) -> str:
    return f"{_canonical(key)}:{_canonical(value)}"


def _canonical(value: Any) -> str:
    try:
        return json.dumps(_map_strings(value, escape), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _not_json(error) from None


def _dump_odd(value: Any) -> str:
    try:
        return _ESCAPED_MARK + json.dumps(_map_strings(value, escape), separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _not_json(error) from None


def _not_json(error: Exception) -> ValidationError:
    reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    return ValidationError(f"Only JSON data can be stored ({reason}); convert the value first.", code="not_json")


def _map_strings(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if is_mapping(value):
        return {change(k) if isinstance(k, str) else k: _map_strings(v, change) for k, v in value.items()}
    if is_sequence(value):
        return [_map_strings(item, change) for item in value]
    return value


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether it is a JSON object."""
    return isinstance(value, Mapping)


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether it is a JSON array."""
    return isinstance(value, list | tuple)


def _escape_one(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0:
        return _NUL
    return chr(0xF0000 + code - 0xD800) if code < 0xF0000 else _GUARD + match[0]


def _unescape_one(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    return "\x00" if match[0] == _NUL else chr(ord(match[0]) - 0xF0000 + 0xD800)
