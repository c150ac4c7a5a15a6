"""The one search for personal data that the scanners share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from promptrails_engine.ports.scanner import Finding
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.places import union
from promptrails_scanners.foundation.views import View, folded
from promptrails_scanners.personal import tagger
from promptrails_scanners.personal.addresses import addresses
from promptrails_scanners.personal.europe import european
from promptrails_scanners.personal.features import LONGEST
from promptrails_scanners.personal.kinds import DENIED
from promptrails_scanners.personal.numbers import accounts, births, cards, mails, networks, wallets
from promptrails_scanners.personal.occurrences import everywhere
from promptrails_scanners.personal.options import PersonalOptions, Wanted, wanted
from promptrails_scanners.personal.phones import phones
from promptrails_scanners.personal.rules import Hit, Rule, windows
from promptrails_scanners.personal.shared import shared
from promptrails_scanners.personal.world import worldwide

if TYPE_CHECKING:
    from promptrails_scanners.personal.presidio import Presidio

_PRESIDIO = "promptrails_scanners.personal.presidio"
_DIGITS = lazily.pattern(r"\d+")
_MOST = 32
"""No rule needs more digits."""
Source = Callable[[str], Iterable[Hit]]

_SOURCES: tuple[tuple[frozenset[str], Source], ...] = (
    (frozenset({"EMAIL_ADDRESS"}), mails),
    (frozenset({"IP_ADDRESS", "MAC_ADDRESS"}), networks),
    (frozenset({"CREDIT_CARD"}), cards),
    (frozenset({"IBAN_CODE"}), accounts),
    (frozenset({"CRYPTO"}), wallets),
    (frozenset({"DATE_OF_BIRTH"}), births),
    (frozenset({"ADDRESS"}), addresses),
)


class Recogniser:
    """Finds personal data as the options say; nothing of it changes after it was made."""

    def __init__(self, options: PersonalOptions, scanner: str) -> None:
        self.asked: Wanted = wanted(options, scanner)
        self._options = options
        self._presidio: Presidio | None = None
        if options.engine in ("auto", "presidio"):
            self._presidio = lazily.module(_PRESIDIO).chosen(options, self.asked.kinds, scanner)

    @cached_property
    def engine(self) -> str:
        """What answers: builtin, presidio, or callable."""
        if callable(self._options.engine):
            return "callable"
        return "presidio" if self._presidio else "builtin"

    def find(self, text: str) -> tuple[Finding, ...]:
        """The places in the text, in their order, none over another."""
        if self._options.occurrences == "found":
            found: list[Finding] = []
            for start, end in pieces(text):
                found += (
                    Finding(one.start + start, one.end + start, one.type, one.score)
                    for one in self._found(text[start:end])
                )
            return tuple(found)
        return everywhere(text, self._found(text), self.asked.ranks, self.asked.allowed)

    def settled(self, text: str) -> int | None:
        """Where the last piece begins that may still grow; None where a value counts wherever it stands."""
        if self._options.occurrences != "found":
            return None
        settled = before = 0
        for start, _ in pieces(text):
            settled, before = start, settled
        inside = settled and not text[settled - 1].isspace()
        return before if inside and len(text) - settled < LONGEST else settled  # what follows may join the tokens there

    def _found(self, text: str) -> tuple[Finding, ...]:
        view = _kept_view(text) if len(text) <= _KEPT_TEXT else folded(text)
        least = self.asked.least
        findings: list[Finding] = []
        for hit in self._hits(view):
            if hit.type not in self.asked.kinds or hit.score < least(hit.type) or hit.end <= hit.start:
                continue
            start, end = view.origin(hit.start, hit.end)
            if not self.asked.allowed.covers(text[start:end]):
                findings.append(Finding(start, end, hit.type, round(hit.score, 4)))
        return union(findings, self.asked.ranks)

    def _hits(self, view: View) -> Iterator[Hit]:
        text = view.text
        yield from _shaped(text, self.asked.kinds, self.asked.regions)
        second = self._presidio.read(text) if self._presidio is not None else None
        yield from self._tagged(text, None if second is None else second.persons)
        for rule in self.asked.rules:
            yield from rule.hits(text, 0, len(text))
        if self.asked.denied is not None:
            for match in self.asked.denied.finditer(text):
                yield Hit(match.start(), match.end(), DENIED, 1.0)
        if second is not None:
            yield from second.hits
        elif callable(self._options.engine):
            yield from (Hit(*one) for one in self._options.engine(text))

    def _tagged(self, text: str, persons: tagger.Places | None) -> Iterator[Hit]:
        person, address = (self.asked.least(k) if k in self.asked.kinds else 2.0 for k in ("PERSON", "ADDRESS"))
        if person > 1 and address > 1:
            return
        for one in tagger.tag(text, person, address, persons):
            yield Hit(one.start, one.end, one.type, max(one.score, person if one.type == "PERSON" else address))


@shared(size=lambda _: 1)
def _shaped(text: str, kinds: frozenset[str], regions: frozenset[str]) -> Iterator[Hit]:
    """What is told by its shape, with what speaks for it."""
    for ours, source in _SOURCES:
        if ours & kinds:
            yield from source(text)
    if "PHONE_NUMBER" in kinds:
        yield from phones(text, regions)
    if _rules(kinds, regions):
        for start, end in windows(text):
            rows = [len(row) for row in _DIGITS.findall(text, start, end)]
            for rule in _fitting(kinds, regions, min(sum(rows), _MOST), min(max(rows, default=0), _MOST)):
                yield from rule.hits(text, start, end, rule.named if regions else 0.0)


@lru_cache(maxsize=64)
def _rules(kinds: frozenset[str], regions: frozenset[str]) -> tuple[tuple[Rule, int, int], ...]:
    """The rules that are asked for, with how many digits their values have at least, and how many in a row."""
    return tuple(
        (rule, *rule.digits)
        for rule in (*european(), *worldwide())
        if rule.type in kinds and (not regions or rule.region in regions)
    )


@lru_cache(maxsize=4 * (_MOST + 1) ** 2)
def _fitting(kinds: frozenset[str], regions: frozenset[str], digits: int, row: int) -> tuple[Rule, ...]:
    """The rules that can match where there are so many digits, and so many in a row."""
    return tuple(rule for rule, least, together in _rules(kinds, regions) if least <= digits and together <= row)


_kept_view = lru_cache(maxsize=16)(folded)
_KEPT_TEXT = 4096
"""The views of short texts are kept for the next scanner that is asked; longer ones would take too much room."""


def pieces(text: str) -> Iterator[tuple[int, int]]:
    """Parts of a text that are searched each on its own; where one ends depends on nothing that comes later."""
    start = after = 0
    for part in tagger.parts(text):
        for edge in (*range(after + tagger.GAP, part[0].start, tagger.GAP), part[0].start):
            if edge > start:
                yield start, edge
                start = edge
        after = part[-1].end
    for edge in range(after + tagger.GAP, len(text), tagger.GAP):
        yield start, edge
        start = edge
    if start < len(text):
        yield start, len(text)
