"""Values that were found once, wherever else they stand in the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from promptrails_engine.ports.scanner import Finding
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.allow import Allowed
from promptrails_scanners.foundation.places import union
from promptrails_scanners.personal import weights
from promptrails_scanners.personal.features import NAMES, known

_PIECE = lazily.pattern(r"\w+|[^\w\s]")
_NAME = lazily.pattern(r"[^\W\d_]{3,}(?:['’-][^\W\d_]+)*")
_NOTHING: Mapping[int, Mapping[str, Finding]] = {}
Values = dict[str, dict[int, dict[str, Finding]]]
"""By their first piece, then by their length, so that a text is walked through once."""


def everywhere(text: str, found: Sequence[Finding], ranks: Mapping[str, int], allowed: Allowed) -> tuple[Finding, ...]:
    """The places, and all others where one of their values stands as words of its own, or a part of a person's name."""
    values: Values = {}
    for one in found:
        for value in _values(text[one.start : one.end], one.type):
            first = _PIECE.match(value)
            if first is not None and _telling(value) and not allowed.covers(value):
                values.setdefault(first[0], {}).setdefault(len(value), {}).setdefault(value, one)
    if not values:
        return tuple(found)
    more = list(_repeated(text, values, found))
    return union([*found, *more], ranks) if more else tuple(found)


def _repeated(text: str, values: Values, found: Sequence[Finding]) -> Iterator[Finding]:
    """The places of the values but those that were found, which are in order and apart."""
    places = iter(found)
    place = next(places, None)
    for match in _PIECE.finditer(text):
        start = match.start()
        while place is not None and place.start < start:
            place = next(places, None)
        for size, same_size in values.get(match[0], _NOTHING).items():
            end = start + size
            same = same_size.get(text[start:end])
            if same is None or (place is not None and (place.start, place.end) == (start, end)):
                continue
            if _stands_alone(text, start, end):
                yield Finding(start, end, same.type, same.score)


def _stands_alone(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    return not (before.isalnum() and text[start].isalnum()) and not (after.isalnum() and text[end - 1].isalnum())


def _telling(value: str) -> bool:
    """Whether it is the same value wherever it stands: a short number is not."""
    return len(value) > 4 or (len(value) > 1 and any(char.isalpha() for char in value))


def _values(value: str, kind: str) -> Iterator[str]:
    """The value, and those parts of a name that are a name by themselves: of "Dr. Ann van Berg" Ann and Berg."""
    yield value
    if kind != "PERSON" or " " not in value:
        return
    tables = weights.model().lists
    for part in _NAME.findall(value):
        # a name in small letters is told by its whole only where its parts are no words
        if not known(part.lower(), tables) & ~NAMES and (part[0].isupper() or value.islower()):
            yield part
