"""Reading JSON that a server sent, and what a server can have got wrong."""

from __future__ import annotations

import json
from typing import Any, cast

from pydantic_core import from_json


class MalformedAnswerError(Exception):
    """Not what the format says; internal to this package, the text says what was found."""


class ReportedError(Exception):
    """The server reported an error inside an answer of status 200; internal to this package."""

    def __init__(self, body: object) -> None:
        super().__init__("error object")
        self.body = body


def parse_json(data: bytes) -> object:
    """The JSON value, also one with lone surrogates, NaN or Infinity in it.

    Raises:
        MalformedAnswerError: it is no JSON.
    """
    try:
        return cast("object", from_json(data, cache_strings="keys"))
    except ValueError:
        pass
    try:  # the fast parser refuses lone surrogates, which are to be kept for the caller
        return cast("object", json.loads(data))
    except (ValueError, RecursionError):
        pass
    raise MalformedAnswerError("text that is no JSON")


def as_object(value: object) -> dict[str, Any] | None:
    """The value where it is a JSON object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[object] | None:
    """The value where it is a JSON array."""
    return cast("list[object]", value) if isinstance(value, list) else None


def as_text(value: object) -> str:
    """The value where it is a string, else an empty one."""
    return value if isinstance(value, str) else ""
