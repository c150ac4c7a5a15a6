"""What a rule is: a shape, what makes it valid, and the words that stand near it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.once import once
from promptrails_scanners.foundation.stems import key

TABLE = "data/digits.json"

BEFORE, AFTER = 72, 32
"""So many characters before and after a place are searched for its context words."""

_parser: Any = re._parser  # type: ignore[attr-defined]  # the standard library's own reading of a pattern
_SEPARATORS = str.maketrans("", "", " .-/:\t\u00a0\u202f")


class Hit(NamedTuple):
    """A place that a rule, the tagger or another engine names."""

    start: int
    end: int
    type: str
    score: float


class Rule(NamedTuple):
    """A kind of value, how it is written, and how sure a match alone is."""

    type: str
    shape: str
    """A pattern, which is compiled when it is first needed."""
    score: float
    """Of a match with no word beside it; under 0.5 it needs one."""
    check: Callable[[str], bool] | None = None
    """Given the match without separators, in capitals."""
    context: str = ""
    """Alternatives of words, as a pattern, in lower case."""
    region: str = ""
    """The country that issues it, as ISO 3166 has it; empty for all."""
    boost: float = 0.4
    named: float = 0.15
    """What is added where the user names the region."""
    flags: int = re.IGNORECASE

    @property
    def digits(self) -> tuple[int, int]:
        """So many digits at least are in what it matches, and so many of them in a row."""
        return _table().get(key(self.shape)) or self.digits_anew()

    def digits_anew(self) -> tuple[int, int]:
        """The same without the table."""
        return _least(_parser.parse(self.shape, self.flags))

    def hits(self, text: str, start: int, end: int, extra: float = 0.0) -> Iterator[Hit]:
        """The places in a part of the text, with what speaks for them."""
        for match in _compiled(self.shape, self.flags).finditer(text, start, end):
            value = match[0].translate(_SEPARATORS).upper()
            if self.check is not None and not (value.isascii() and self.check(value)):
                continue
            score = self.score + extra
            if self.context and near(text, match.start(), match.end(), self.context):
                score += self.boost
            yield Hit(match.start(), match.end(), self.type, min(1.0, score))


_compiled = lru_cache(maxsize=1024)(re.compile)


@once
def _table() -> Mapping[str, tuple[int, int]]:
    """The digits of the rules of this package, which it takes long to read off a hundred patterns."""
    table: dict[str, list[int]] = json.loads(files("promptrails_scanners.personal").joinpath(TABLE).read_bytes())
    return {name: (digits, row) for name, (digits, row) in table.items()}


def _least(items: Iterable[Any]) -> tuple[int, int]:
    found = [_digits(str(kind), value) for kind, value in items]
    return sum(digits for digits, _ in found), max((row for _, row in found), default=0)


def _digits(kind: str, value: Any) -> tuple[int, int]:
    if kind == "IN":
        return (1, 1) if all(map(_is_digits, value)) else (0, 0)
    if kind in ("MAX_REPEAT", "MIN_REPEAT"):
        digits, row = _least(value[2])
        alone = len(value[2]) == 1 and str(value[2][0][0]) == "IN"
        return int(value[0]) * digits, int(value[0]) * row if alone or not value[0] else row
    if kind == "BRANCH":
        ways = [_least(way) for way in value[1]]
        return min(digits for digits, _ in ways), min(row for _, row in ways)
    return _least(value[-1]) if kind == "SUBPATTERN" else (0, 0)


def _is_digits(item: Any) -> bool:
    kind, value = str(item[0]), item[1]
    if kind == "RANGE":
        return bool(ord("0") <= value[0] and value[1] <= ord("9"))
    return str(value) == "CATEGORY_DIGIT" or (kind == "LITERAL" and chr(value).isdecimal())


@lru_cache(maxsize=512)
def words(alternatives: str) -> re.Pattern[str]:
    """The pattern that finds one of the words as a word."""
    return re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W_])", re.IGNORECASE)


def near(text: str, start: int, end: int, alternatives: str, before: int = BEFORE, after: int = AFTER) -> bool:
    """Whether one of the words stands near the place."""
    pattern = words(alternatives)
    return bool(pattern.search(text, max(0, start - before), start) or pattern.search(text, end, end + after))


_DIGITS = lazily.pattern(r"\d[\d\s.,/()-]{0,64}")


def windows(text: str, margin: int = 24) -> list[tuple[int, int]]:
    """The parts of a text with digits in them and what stands around; they end at white space where one is near."""
    found: list[tuple[int, int]] = []
    for match in _DIGITS.finditer(text):
        start = _edge(text, max(0, match.start() - margin), -1)
        end = _edge(text, min(len(text), match.end() + margin), 1)
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _edge(text: str, at: int, step: int) -> int:
    for _ in range(64):
        if at <= 0 or at >= len(text) or text[at - (step < 0)].isspace():
            break
        at += step
    return max(0, min(len(text), at))


Row = tuple[str, str, float, Callable[[str], bool] | None, str]
"""A rule in a table: type, pattern, score, check, context."""


def rules_of(rows: Iterable[Row], region: str = "") -> tuple[Rule, ...]:
    """The rules of a table; what they match stands between characters that are no part of words."""
    return tuple(
        Rule(kind, rf"(?<!\w)(?:{pattern})(?!\w)", score, check, context, region)
        for kind, pattern, score, check, context in rows
    )
