"""Values without letters of their own, told by the names before them: `datadog_key = ...`, `"token": "..."`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from promptrails_scanners.credentials.found import Found
from promptrails_scanners.credentials.services import named, split
from promptrails_scanners.credentials.values import (
    entropy,
    gibberish,
    is_dated,
    is_file,
    is_hex,
    is_placeholder,
    is_typed,
    is_uuid,
    is_written,
    looks_drawn,
)
from promptrails_scanners.credentials.words import AGAINST, ALONE, BEFORE_KEY, PUBLIC_IDS, STRONG, TIED, WEAK, WITH_WORD
from promptrails_scanners.foundation import lazily

REACH = 96
"""So far before a value the names that tell it can begin."""
LONGEST = 2048
_SHORT, _LONG, _SHORTEST = 16, 20, 12
_READ = 12
"""So many words before a value are looked at."""
_NEAR = 8
"""A service is named in the last so many words."""
_GAP, _CLOSE = 40, 12
"""So far from the words that tell it a value stands at most, and so near if nothing else ties it to them."""

_VALUE = lazily.pattern(rf"(?<![A-Za-z0-9])[A-Za-z0-9][A-Za-z0-9_~%.+/!-]{{{_SHORTEST - 2},{LONGEST}}}={{0,2}}")
_SEGMENT = lazily.pattern(r"[A-Za-z][A-Za-z0-9]{1,24}[-_./]+")
_SEGMENTS = 5
_BLANK = lazily.pattern(r"[\s\"'`(\[{,\\]*")
_PART = lazily.pattern(r"\s*\w+\s*")
"""A line of one word, which may belong to the line before it."""
_ASSIGNED = lazily.pattern(r"(?:[=:>]|\bis\b)[\s\"'`\\({\[]*$|,\s*\\?[\"'`]$")
_SPAN_OF_WORDS = lazily.pattern(r"[A-Za-z][A-Za-z0-9]*|\d{1,4}(?![0-9A-Za-z])")
_ENDED = lazily.pattern(r"[\s\"'<>=`|,)]")
_BROKEN = lazily.pattern(r"[;{}<]|[.!?]\s")


class _Context(NamedTuple):
    service: str | None
    common: bool
    """Whether the service's name is a word of English."""
    strength: int
    """0 no word for a secret, 1 one that says little, 2 one that says it."""
    last: bool
    """Whether nothing stands between the word for a secret, or else the service, and the value."""
    assigned: bool
    close: bool
    alone: bool
    """Whether the word that says little is one that says enough beside a long value."""


def find(text: str, generic: bool, bits: float) -> Iterator[Found]:
    """The values in a text that names before them make secrets; `generic` are those that no service is named for."""
    for match in _VALUE.finditer(text):
        start, end = _value(text, *match.span())
        value = text[start:end]
        if len(value) < _SHORTEST or not _may_be(value):
            continue
        context = _context(text, start)
        if context is None or _is_cut(text, end) or _is_path(text, start):
            continue
        score = _score(value, context, generic, bits)
        if score:
            yield Found(start, end, _label(context), score)


def _is_cut(text: str, end: int) -> bool:
    """Whether what follows says that the rest of the value was left out."""
    return text.startswith(("..", "\u2026", "***", "[", "<"), end) and not text.startswith("</", end)


def _is_path(text: str, start: int) -> bool:
    """Whether it is part of a URL, but not of a query in it."""
    begin = text.rfind("://", max(0, start - 2 * REACH), start)
    return begin >= 0 and not _ENDED.search(text, begin, start)


def _may_be(value: str) -> bool:
    if value.isalpha():
        return len(value) >= _SHORT and (gibberish(value) or (is_hex(value) and len(value) >= _LONG))
    return value.count("/") <= 1 + len(value) // 12 and not is_file(value) and not is_written(value)


def _value(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the names that are tied to it by hyphens, and without a full stop after it."""
    while end > start and text[end - 1] in ".!%~/":
        end -= 1
    at = start
    for _ in range(_SEGMENTS):
        match = _SEGMENT.match(text, at, end)
        if match is None or end - match.end() < _SHORTEST:
            break
        at = match.end()
        if _is_name(match[0].rstrip("-_./")):
            start = at
    return start, end


@lru_cache(maxsize=2048)
def _is_name(segment: str) -> bool:
    """Whether it names something, rather than being a part of a value."""
    words = [word for _, word in split(segment)]
    joined = "".join(words)
    if joined != segment.lower():
        return False
    if joined in STRONG or joined in TIED:
        return True
    return all(word in STRONG or word in TIED or named([word]) for word in words) or named([joined]) is not None


def _context(text: str, at: int) -> _Context | None:
    """What stands before a value on its line, or if that is nothing, on the line before."""
    low = max(0, at - REACH)
    line = text.rfind("\n", low, at) + 1
    if line and _BLANK.fullmatch(text, line, at):
        line = text.rfind("\n", low, text.rfind("\n", low, at)) + 1 or low
        if not line or _BLANK.fullmatch(text, line, at) or _PART.fullmatch(text, line, at):
            line = low
    before = text[max(line, low) : at]
    words = [word for name in _SPAN_OF_WORDS.findall(before) for _, word in split(name)][-_READ:]
    return _read(before, words) if words else None


def _read(before: str, words: list[str]) -> _Context | None:
    if words[-1] in ("id", "ids") and len(words) > 1 and words[-2] in PUBLIC_IDS:
        return None
    strength, at = _secret_word(words)
    service = named(words[-_NEAR:])
    if service:
        service = service[0] + max(0, len(words) - _NEAR), service[1], service[2]
    if service and strength and service[0] > at and not (len(words) - service[0] <= 2):
        service = None
    if service and service[2] and strength < 2 and words[at] not in WITH_WORD:
        service = None
    if service is None and not strength:
        return None
    last = max(at, service[0] if service else -1)
    between = words[last + 1 :]
    if len(between) > 2 or any(word in AGAINST for word in between):
        return None
    if strength and at and words[at - 1] in AGAINST:
        return None
    gap = before[_end_of_word(before, len(between)) :]
    if len(gap) > _GAP or _BROKEN.search(gap):
        return None
    name, common = (service[1], service[2]) if service else (None, False)
    assigned = _ASSIGNED.search(before) is not None
    return _Context(name, common, strength, not between, assigned, len(gap) <= _CLOSE, _is_alone(words, at))


def _end_of_word(before: str, back: int) -> int:
    """Where the last word ends, or the one so many words before it."""
    ends = [
        match.start() + offset + len(word)
        for match in _SPAN_OF_WORDS.finditer(before)
        for offset, word in split(match[0])
    ]
    return ends[-1 - back]


def _is_alone(words: list[str], at: int) -> bool:
    return at >= 0 and words[at] in ALONE


def _secret_word(words: list[str]) -> tuple[int, int]:
    """How much the last word for a secret says, and which it is."""
    for at in range(len(words) - 1, max(-1, len(words) - 5), -1):
        word = words[at]
        before = words[at - 1] if at else ""
        if word in STRONG or before + word in STRONG:
            return 2, at
        if word in ("key", "keys") and before in BEFORE_KEY:
            return 2, at
        if word in WEAK:
            return (0 if word == "id" and before in STRONG else 1), at
    return 0, -1


def _score(value: str, context: _Context, generic: bool, bits: float) -> float:
    if is_placeholder(value) or is_dated(value) or is_typed(value):
        return 0.0
    if context.service and context.strength:
        return _score_named(value, context)
    drawn = len(value) >= _SHORT and looks_drawn(value, bits)
    if context.service:
        near = context.last or context.close
        return 0.7 if drawn and near and not context.common and len(value) >= _LONG and not is_uuid(value) else 0.0
    if not generic:
        return 0.0
    if context.strength == 2:
        if is_uuid(value):
            return 0.0
        return 0.8 if drawn and (context.assigned or context.last) else 0.0
    return (
        0.4
        if drawn and context.alone and context.assigned and context.last and len(value) >= _LONG and not is_uuid(value)
        else 0.0
    )


def _score_named(value: str, context: _Context) -> float:
    """Beside the name of a service and a word for a secret, less has to speak for a value."""
    score = 0.9 if context.strength == 2 or not context.common else 0.8
    if context.common and not (context.assigned or context.last):
        return 0.0
    digits = sum(map(str.isdigit, value))
    if digits == len(value):
        return score - 0.2 if digits >= _SHORT - 2 else 0.0
    if not digits:
        letters = "".join(filter(str.isalpha, value))
        return score - 0.2 if len(value) >= _SHORT and (gibberish(letters) or is_hex(value)) else 0.0
    least = 2.0 if digits > 1 and context.strength == 2 else 2.5 if digits > 1 else 3.0
    return score if entropy(value) >= least else 0.0


def _label(context: _Context) -> str:
    if context.service is None:
        return "API_KEY"
    return f"{context.service.upper()}_KEY"
