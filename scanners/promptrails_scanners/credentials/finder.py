"""All rules about secrets together: what they find in a text, and how much of a growing text they are done with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from promptrails_engine.ports.scanner import Finding
from promptrails_scanners.credentials import nearby, passwords, structures, tokens
from promptrails_scanners.credentials.found import Found, provider_of
from promptrails_scanners.credentials.repeats import first_that_may_repeat, is_distinct, places
from promptrails_scanners.credentials.values import is_hex, is_random, is_uuid
from promptrails_scanners.foundation.allow import Allowed
from promptrails_scanners.foundation.places import union

REACH = 768
"""So far after a word that tells of a secret, what it tells of is complete, private keys and values apart."""

_RANKS = {"PRIVATE_KEY": 3, "URL_CREDENTIALS": 1, "API_KEY": 0, "SECRET": 0, "HIGH_ENTROPY": -1, "USERNAME": -1}
_NAMED = 2
_LONE = re.compile(r"(?<![A-Za-z0-9_/+=.-])[A-Za-z0-9_+/=-]{20,512}(?![A-Za-z0-9_/+=-])")
_TELLS = re.compile(
    r"pass|pwd|secret|token|key|auth|user|login|uid|usr|credential|psexec|viserver|directoryentry|machine|curl|private"
    r"|access|basic|bearer|-----begin|putty-|installation|api",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Rules:
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
    everywhere: bool
    """Whether a value counts before the place where it shows, too."""


def findings(text: str, rules: Rules) -> tuple[Finding, ...]:
    """The secrets in a text, in their order and apart, every place of each value among them."""
    found = [one for one in _found(text, rules) if _counts(text, one, rules)]
    if not found:
        return ()
    found += _elsewhere(text, found, rules.everywhere)
    ranks = {one.type: _RANKS.get(one.type, _NAMED) for one in found}
    return union((Finding(one.start, one.end, one.type, one.score) for one in found), ranks)


def _found(text: str, rules: Rules) -> Iterator[Found]:
    yield from tokens.find(text)
    yield from nearby.find(text, rules.generic, rules.entropy)
    yield from structures.find(text)
    yield from passwords.find(text, rules.generic, rules.entropy)
    for name, pattern in rules.patterns:
        for match in pattern.finditer(text):
            if match.end() > match.start():
                yield Found(*match.span(), name, 1.0)
    if rules.entropy_only:
        for match in _LONE.finditer(text):
            if is_random(match[0], rules.entropy) and not is_uuid(match[0]) and not is_hex(match[0]):
                yield Found(*match.span(), "HIGH_ENTROPY", 0.55)


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


def _elsewhere(text: str, found: Sequence[Found], everywhere: bool) -> Iterator[Found]:
    kinds: dict[str, Found] = {}
    after: dict[str, int] = {}
    for one in sorted(found, key=lambda one: -one.score):
        for value in _values(text, one):
            if is_distinct(value):
                kinds.setdefault(value, one)
                after[value] = 0 if everywhere else min(one.start, after.get(value, one.start))
    for value, start, end in places(text, after):
        yield Found(start, end, kinds[value].type, kinds[value].score)


def _values(text: str, one: Found) -> Iterable[str]:
    value = text[one.start : one.end]
    if one.type != "URL_CREDENTIALS":
        return (value,)
    return value, value.partition(":")[2]


def settled(text: str, rules: Rules) -> int:
    """How much of a growing text is decided: all before the first place where a secret may begin that shows later."""
    at = _last_break(text)
    for tell in _TELLS.finditer(text, max(0, len(text) - REACH), at):
        at = _begin_of_run(text, tell.start())
        break
    opened = structures.opened(text)
    if opened is not None:
        at = min(at, opened)
    found = findings(text, rules)
    if rules.everywhere:
        at = min(at, _unsure(text, at, found))
    for one in found:
        if one.start < at < one.end:
            at = one.start
    return at


def _last_break(text: str) -> int:
    """Where the last run of characters begins, with the blanks before it."""
    at = len(text)
    while at and not text[at - 1].isspace():
        at -= 1
    while at and text[at - 1].isspace():
        at -= 1
    return at


def _begin_of_run(text: str, at: int) -> int:
    while at and not text[at - 1].isspace():
        at -= 1
    return at


def _unsure(text: str, at: int, found: Sequence[Finding]) -> int:
    """Where the first run begins that may turn out to be a secret because it stands beside a name further on."""
    covered = 0
    for one in found:
        place = first_that_may_repeat(text[covered : one.start], 0)
        if place is not None:
            return min(at, covered + place)
        covered = one.end
        if covered >= at:
            return at
    place = first_that_may_repeat(text[covered:at], 0)
    return at if place is None else min(at, covered + place)
