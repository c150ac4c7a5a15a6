"""JSON that a model wrote, read strictly; and input, checked against its schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn, cast

from pydantic_core import from_json

from promptrails_engine.errors import InputInvalidError, OutputInvalidError, ToolArgsInvalidError, Violation
from promptrails_engine.schema.instance import MAX_DEPTH, kind_of
from promptrails_engine.schema.kinds import is_array, is_object
from promptrails_engine.schema.validator import SchemaValidator

MAX_ARGUMENTS = 1024 * 1024
"""Bytes of UTF-8 in the arguments of one tool call."""
MAX_ANSWER = 4 * 1024 * 1024
"""Characters in an answer that is to be JSON."""
MAX_DIGITS = 1_000
"""Digits of one number."""

_LONG_NUMBER = re.compile(rf"\d{{{MAX_DIGITS + 1}}}")
_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})[ \t]*([A-Za-z0-9_+.-]*)[ \t]*$", re.MULTILINE)
_ATOMS: frozenset[type] = frozenset({str, int, bool, type(None)})
_JSON_FENCES = frozenset({"", "json", "json5", "jsonc", "application/json"})


class _BadJsonError(ValueError):
    """Text that is no JSON, or JSON that is refused; the message says why."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _BadJsonError("an object has the same key twice")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise _BadJsonError("a number is too big")
    return number


def _no_constant(name: str) -> NoReturn:
    raise _BadJsonError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_no_constant)


def _flat(text: str) -> dict[str, Any] | None:
    """The object in a short text, if it holds nothing but texts, whole numbers, booleans and null; None for any other.

    Most tool calls are such, and this takes a fifth of the time.  As many colons as members: so none is there twice.
    """
    if len(text) > MAX_DIGITS:
        return None
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError:
        return None
    if not is_object(value) or text.count(":") != len(value):
        return None
    return value if all(type(item) in _ATOMS for item in value.values()) else None


def _decode(text: str) -> Any:
    """The one JSON value of the text."""
    if len(text) > MAX_DIGITS and _LONG_NUMBER.search(text):
        # Digits inside a string are no number, but the text must be read to tell; Python reads 4,300 at most.
        _refuse_long_numbers(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        reason = "there is something after the value" if exc.msg == "Extra data" else exc.msg[:1].lower() + exc.msg[1:]
        raise _BadJsonError(f"{reason} (line {exc.lineno}, column {exc.colno})") from None
    except RecursionError:
        raise _BadJsonError(f"it is nested deeper than {MAX_DEPTH} levels") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _too_deep(value):
        raise _BadJsonError(f"it is nested deeper than {MAX_DEPTH} levels")
    return value


_STRING_OR_LONG = re.compile(rf'"(?:[^"\\]|\\.)*+"|\d{{{MAX_DIGITS + 1}}}', re.DOTALL)


def _refuse_long_numbers(text: str) -> None:
    for match in _STRING_OR_LONG.finditer(text):
        if text[match.start()] != '"':
            raise _BadJsonError(f"a number has more than {MAX_DIGITS} digits")


def _too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if is_object(item):
                below.extend(item.values())
            elif is_array(item):
                below.extend(item)
        containers = any(is_object(item) or is_array(item) for item in level)
        if not containers:
            return False
        level = below
    return True


def parse_arguments(text: str) -> dict[str, Any]:
    """The arguments of a tool call; {} for blank text, which some models send to a tool without parameters.

    Raises:
        ToolArgsInvalidError: no JSON object, a key twice, NaN or Infinity, over 1 MiB, 64 levels or 1,000 digits.
    """
    if len(text) > MAX_ARGUMENTS // 4 and len(text.encode("utf-8", "surrogatepass")) > MAX_ARGUMENTS:
        raise ToolArgsInvalidError(f"the arguments are longer than {MAX_ARGUMENTS} bytes; send less")
    flat = _flat(text)
    if flat is not None:
        return flat
    try:
        value = _decode(text)
    except _BadJsonError as exc:
        if not text or text.isspace():
            return {}
        raise ToolArgsInvalidError(f"the arguments are not valid JSON: {exc}; send one JSON object") from None
    if not is_object(value):
        raise ToolArgsInvalidError(f"the arguments must be a JSON object, not {kind_of(value)}")
    return value


def extract_json(text: str) -> Any:
    """The JSON value of a model's answer: the whole text, or the one fenced block in it.

    Raises:
        OutputInvalidError: no JSON, more than one value, a key twice, NaN or Infinity, too long or too deep; the
            violation says which.
    """
    if len(text) > MAX_ANSWER:
        raise _not_json(f"is longer than {MAX_ANSWER} characters")
    stripped = text.strip().removeprefix("\ufeff")
    if not stripped:
        raise _not_json("is empty; answer with one JSON value")
    try:
        return _decode(stripped)
    except _BadJsonError as exc:
        blocks = _fenced(stripped)
        if not blocks:
            raise _not_json(f"is not valid JSON: {exc}; answer with one JSON value and nothing else") from None
    if len(blocks) > 1:
        raise _not_json("holds more than one fenced block; answer with one JSON value")
    try:
        return _decode(blocks[0])
    except _BadJsonError as exc:
        raise _not_json(f"is not valid JSON: {exc}; answer with one JSON value") from None


def _fenced(text: str) -> list[str]:
    """The contents of the fenced blocks; [] where there is JSON outside them, or a fence is not closed."""
    blocks: list[str] = []
    outside: list[str] = []
    opened: re.Match[str] | None = None
    end = 0
    for fence in _FENCE.finditer(text):
        if opened is None:
            if fence[2].lower() not in _JSON_FENCES:
                return []
            outside.append(text[end : fence.start()])
            opened = fence
        elif fence[1].startswith(opened[1]) and not fence[2]:
            blocks.append(text[opened.end() : fence.start()].strip())
            opened, end = None, fence.end()
    outside.append(text[end:])
    if opened is not None or any("{" in piece for piece in outside):
        return []
    return blocks


def _not_json(message: str) -> OutputInvalidError:
    return OutputInvalidError("the answer cannot be used", [Violation("", message)])


def check_input(validator: SchemaValidator, data: Any, what: str = "input") -> dict[str, Any]:
    """The data with the schema's defaults, checked; the same object where nothing was filled in.

    Raises:
        InputInvalidError: the data are no object, or break the schema; the violations say where.
    """
    given: dict[str, Any]
    if is_object(data):
        given = data
    elif isinstance(data, Mapping):
        given = dict(cast("Mapping[str, Any]", data))
    else:
        raise InputInvalidError(what, [Violation("", f"must be an object with named values, not {kind_of(data)}")])
    filled: dict[str, Any] = validator.with_defaults(given)
    if validator.is_valid(filled):
        return filled
    raise InputInvalidError(what, validator.violations(filled))
