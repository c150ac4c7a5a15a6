"""What a server says about its own error, in the several shapes that servers use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from promptrails_providers.openai_compatible.wire_json import (
    MalformedAnswerError,
    as_list,
    as_object,
    as_text,
    parse_json,
)

_LAST_HTTP_STATUS = 599


@dataclass(frozen=True, slots=True)
class Reported:
    """message: the server's text; codes: its `code` and `type`, in lower case; status: an HTTP status among them."""

    message: str
    codes: frozenset[str] = frozenset()
    status: int | None = None
    context_window: int | None = None
    prompt_tokens: int | None = None
    is_html: bool = False


def read_body(body: bytes) -> Reported:
    """The error in the body of a response that failed."""
    text = body.decode("utf-8", "replace").strip()
    if re.match(r"(?i)<!doctype|<html|<head|<body|<\?xml", text):
        return Reported(text, is_html=True)
    try:
        value = parse_json(body) if text else None
    except MalformedAnswerError:
        return Reported(text)
    return read_object(value) if value is not None else Reported("")


def read_object(value: object) -> Reported:
    """The error in a JSON value: `{"error": {...}}`, `{"error": "..."}`, a flat object, `{"detail": ...}` or a list."""
    items = as_list(value)
    outer = as_object(items[0] if items else value)
    if outer is None:
        return Reported(str(value))
    inner = as_object(outer.get("error")) or as_object(outer.get("detail")) or outer
    message = _message(inner) or as_text(outer.get("error")) or _message(outer) or str(outer)
    raw = [source.get(key) for source in (inner, outer) for key in ("code", "type", "status")]
    window, tokens = _sizes(inner, message)
    return Reported(
        message=message,
        codes=frozenset(code.lower() for code in raw if isinstance(code, str)),
        status=next((status for status in map(_status, raw) if status is not None), None),
        context_window=window,
        prompt_tokens=tokens,
    )


def _message(data: dict[str, Any]) -> str:
    for key in ("message", "detail", "msg"):
        value = data.get(key)
        if value:
            return value if isinstance(value, str) else str(value)
    return ""


def _status(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:4])
    is_status = isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= _LAST_HTTP_STATUS
    return value if is_status and isinstance(value, int) else None


# ------------------------------------------------------------------ context overflow

_OVERFLOW_WORDINGS = re.compile(
    r"(?i)maximum context length|context[ _]length[ _]exceeded|maximum context limit"
    r"|model'?s? context (?:length|window)|exceeds the context window"
    r"|exceeds? (?:the )?(?:available |maximum )?context (?:size|length|limit|window)"
    r"|available context size|prompt is too long|input is too long|maximum input length|maximum allowed input length"
    r"|maximum prompt length|input tokens exceed|exceeds the maximum number of tokens|too large for model with"
    r"|max_new_tokens[`'\"]* must be|reduce the length of the (?:input )?(?:messages|prompt)"
)
_WINDOW = re.compile(
    r"(?i)(?:context (?:length|window|size|limit)|maximum prompt length|max_model_len)[^\d]{0,30}?(\d[\d,]{1,11})"
)
_PROMPT = re.compile(
    r"(?i)(?:resulted in|contains(?: at least)?|you passed|prompt has|request \(|input length[ (]*)\s*(\d[\d,]{1,11})"
    r"|(\d[\d,]{1,11}) (?:input tokens|in the messages|tokens in the messages)"
)
_OVERFLOW_CODES = frozenset({"context_length_exceeded", "context_window_exceeded", "exceed_context_size_error"})


def is_overflow(reported: Reported) -> bool:
    """Whether the error says that the prompt does not fit the model, by its code or a known wording."""
    return bool(reported.codes & _OVERFLOW_CODES or _OVERFLOW_WORDINGS.search(reported.message))


def _sizes(data: dict[str, Any], message: str) -> tuple[int | None, int | None]:
    window, prompt = _number(data.get("n_ctx")), _number(data.get("n_prompt_tokens"))
    if window is None and (match := _WINDOW.search(message)):
        window = _number(match.group(1))
    if prompt is None and (match := _PROMPT.search(message)):
        prompt = _number(match.group(1) or match.group(2))
    return window, prompt


def _number(value: object) -> int | None:
    if isinstance(value, str):
        digits = value.replace(",", "")
        return int(digits) if digits else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
