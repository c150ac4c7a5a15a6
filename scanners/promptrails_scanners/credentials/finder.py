"""All rules about secrets together: what they find in a text, and how much of a growing text they are done with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from promptrails_engine.ports.scanner import Finding
from promptrails_scanners.credentials import keys, nearby, passwords, structures, tokens
from promptrails_scanners.credentials.found import Found, provider_of
from promptrails_scanners.credentials.pieces import Piece, pieces
from promptrails_scanners.credentials.repeats import kind_of, may_repeat, places
from promptrails_scanners.credentials.values import is_hex, is_random, is_uuid
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.allow import Allowed
from promptrails_scanners.foundation.places import union

Occurrences = Literal["everywhere", "after", "found"]

_RANKS = {"PRIVATE_KEY": 3, "URL_CREDENTIALS": 1, "API_KEY": 0, "SECRET": 0, "HIGH_ENTROPY": -1, "USERNAME": -1}
_NAMED = 2
_LONE = lazily.pattern(r"(?<![A-Za-z0-9_/+=.-])[A-Za-z0-9_+/=-]{20,512}(?![A-Za-z0-9_+/=-])")


class Rules(NamedTuple):
    """Which rules there are, and how strict."""

    providers: frozenset[str] | None
    """None for all of them."""
    without: frozenset[str]
    generic: bool
    entropy: float
    verify_checksum: bool
    entropy_only: bool
    patterns: tuple[tuple[str, re.Pattern[str]], ...]
    allowed: Allowed
    least: float
    occurrences: Occurrences


def findings(text: str, rules: Rules) -> tuple[Finding, ...]:
    """The secrets in a text, in their order and apart, every place of each value among them."""
    found = [one for piece in pieces(text) for one in _of_piece(text, piece, rules)]
    found += [one for one in _own(text, rules) if _counts(text, one, rules)]
    if not found:
        return ()
    ranks = {one.type: _RANKS.get(one.type, _NAMED) for one in found}
    joined = _joined(found, ranks)
    if rules.occurrences == "found":
        return joined
    again = [*found, *_elsewhere(text, [*found, *joined], rules.occurrences == "everywhere")]
    return _joined(again, ranks)


def is_endless(text: str, found: Sequence[Finding]) -> bool:
    """Whether a private key among the findings goes on for longer than it is followed."""
    long = (one for one in found if one.type == "PRIVATE_KEY" and one.end - one.start >= keys.LONGEST)
    return any(key.endless for one in long for key in keys.keys(text[one.start : one.end]))


def settled(text: str, rules: Rules) -> int:
    """How much of a growing text is decided: the pieces that have ended, up to one whose values may stand again."""
    for piece in pieces(text):
        if not piece.ended or _is_held(text, piece, rules):
            return piece.start
    return len(text)


def _is_held(text: str, piece: Piece, rules: Rules) -> bool:
    """Whether what stands in a piece has to do with what comes after it."""
    if rules.occurrences == "found":
        return False
    runs = list(may_repeat(text, piece.start, piece.end)) if rules.occurrences == "everywhere" else []
    if runs and not piece.told:
        return True
    found = _joined(_of_piece(text, piece, rules), _RANKS)
    if any(kind for one in found for kind in _kinds(text, one)):
        return True
    return any(not _is_inside(run, found) for run in runs)


def _kinds(text: str, one: Finding) -> Iterator[str]:
    for value in _values(text, one):
        kind = kind_of(value)
        if kind:
            yield kind


def _is_inside(run: tuple[int, int], found: Sequence[Finding]) -> bool:
    return any(one.type == "PRIVATE_KEY" and one.start <= run[0] and run[1] <= one.end for one in found)


def _joined(found: Sequence[Found | Finding], ranks: dict[str, int]) -> tuple[Finding, ...]:
    return union((Finding(one.start, one.end, one.type, one.score) for one in found), ranks)


def _of_piece(text: str, piece: Piece, rules: Rules) -> list[Found]:
    start, end = piece.start, piece.end
    if not piece.told and not any(True for _ in may_repeat(text, start, end)):
        return []  # every rule needs a word that tells, or a run of characters that is no word
    part = text[start:end]
    found = [one for one in _found(part, rules) if _counts(part, one, rules)]
    return [one._replace(start=one.start + start, end=one.end + start) for one in found] if start else found


def _found(text: str, rules: Rules) -> Iterator[Found]:
    yield from tokens.find(text)
    yield from nearby.find(text, rules.generic, rules.entropy)
    yield from keys.find(text)
    yield from structures.find(text)
    yield from passwords.find(text, rules.generic, rules.entropy)
    if rules.entropy_only:
        for match in _LONE.finditer(text):
            if is_random(match[0], rules.entropy) and not is_uuid(match[0]) and not is_hex(match[0]):
                yield Found(*match.span(), "HIGH_ENTROPY", 0.55)


def _own(text: str, rules: Rules) -> Iterator[Found]:
    for name, pattern in rules.patterns:
        for match in pattern.finditer(text):
            if match.end() > match.start():
                yield Found(*match.span(), name, 1.0)


def _counts(text: str, one: Found, rules: Rules) -> bool:
    if one.score < rules.least or (rules.verify_checksum and one.checksum is False):
        return False
    if not _is_asked_for(one.type, rules):
        return False
    return not rules.allowed.covers(text[one.start : one.end])


def _is_asked_for(label: str, rules: Rules) -> bool:
    if any(name == label for name, _ in rules.patterns):
        return True
    provider = provider_of(label)
    return provider not in rules.without and (rules.providers is None or provider in rules.providers)


def _elsewhere(text: str, found: Sequence[Found | Finding], everywhere: bool) -> Iterator[Found]:
    kinds: dict[str, Found | Finding] = {}
    after: dict[str, int] = {}
    for one in sorted(found, key=lambda one: -one.score):
        for value in _values(text, one):
            kind = kind_of(value)
            if kind is None:
                continue
            kinds.setdefault(value, one)
            begin = 0 if everywhere and kind == "distinct" else one.start
            after[value] = min(begin, after.get(value, begin))
    for value, start, end in places(text, after):
        yield Found(start, end, kinds[value].type, kinds[value].score)


def _values(text: str, one: Found | Finding) -> tuple[str, ...]:
    """What is looked for elsewhere; a private key is not, since it is told by its form wherever it stands."""
    if one.type == "PRIVATE_KEY":
        return ()
    value = text[one.start : one.end]
    return (value, value.partition(":")[2]) if one.type == "URL_CREDENTIALS" else (value,)
