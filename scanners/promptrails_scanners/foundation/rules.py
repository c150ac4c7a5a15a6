"""Many rules on one text: what each needs is looked up word by word, and only what may match is tried.

A rule is a regular expression over text in lower case; each choice between its outermost bars is dealt with alone.  Of
a choice is known, from reading it once, with which words it can begin and which it cannot do without.  The words of a
text tell which choices come into question, and where: there they are matched.  The answer is that of `re.search`, rule
by rule; rules that begin with no word are searched for as ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from copy import copy
from functools import lru_cache
from typing import NamedTuple

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.parted import spaced, table
from promptrails_scanners.foundation.stems import LONGEST, WHOLE, read

_FIRST = 3
"""Most words are out of the question by so many characters."""
_WORDS_KEPT = 4096
_TOLD = LONGEST + 1
"""What follows in a word does not count."""
_RUN = lazily.pattern(r"\w+")
_TABLE = table("_")

_SIGN = lazily.pattern(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()|]", re.DOTALL)
"""What matters for where the choices of a rule are parted."""


class _Choice(NamedTuple):
    """One of the choices that a rule is made of."""

    rule: str
    pattern: re.Pattern[str]
    head: int | None
    """Which set of words it begins with; None where it begins otherwise."""
    needs: int
    """The sets of words, as bits, of which each has to be there."""


_Word = tuple[int, tuple[int, ...]]
"""The sets that a word is in, as bits, and those of them that a choice begins with."""


class Rules:
    """Rules by name, ready to be asked which of them match."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        sets: dict[str, int] = {}
        self._choices = tuple(_choice(name, source, sets) for name, rule in rules.items() for source in _split(rule))
        self._stems: dict[str, int] = {}
        for stems, number in sets.items():
            for stem in stems.split():
                self._stems[stem] = self._stems.get(stem, 0) | 1 << number
        self._prepare()

    def only(self, *names: str) -> Rules:
        """Some of the rules, for who asks for no more: what was read of them is shared."""
        some = copy(self)
        some._choices = tuple(choice for choice in self._choices if choice.rule in names)
        needed = 0
        for choice in some._choices:
            needed |= choice.needs
        some._stems = {stem: bits & needed for stem, bits in self._stems.items() if bits & needed}
        some._prepare()
        return some

    def sources(self) -> Iterable[str]:
        """The patterns of all choices."""
        return (choice.pattern.pattern for choice in self._choices)

    def _prepare(self) -> None:
        self.names = tuple(dict.fromkeys(choice.rule for choice in self._choices))
        self._heads = sum(1 << head for head in {choice.head for choice in self._choices} if head is not None)
        self._begins = frozenset(stem.removesuffix(WHOLE)[:_FIRST] for stem in self._stems)
        self._short = frozenset(stem for stem in self._stems if len(stem) < _FIRST and not stem.endswith(WHOLE))
        self._about = lru_cache(maxsize=_WORDS_KEPT)(self._look_up)

    def matching(self, lowered: str) -> list[str]:
        """The names of the rules that match somewhere in a text in lower case, in the order in which they stand."""
        return list(self._matching(lowered))

    def any(self, lowered: str) -> bool:
        """Whether one of them matches."""
        return next(self._matching(lowered), None) is not None

    def _matching(self, lowered: str) -> Iterator[str]:
        words = _words(lowered)
        known = self._known(set(words))
        marks = 0
        for bits, _ in known.values():
            marks |= bits
        missing = ~marks
        possible = [choice for choice in self._choices if not choice.needs & missing]
        heads = {choice.head for choice in possible if choice.head is not None}
        places: Mapping[int, Sequence[int]] = _places(lowered, words, known, heads) if heads else {}
        found = ""
        for choice in possible:
            if choice.rule != found and _matches(choice, lowered, places):
                found = choice.rule
                yield found

    def _known(self, words: Iterable[str]) -> dict[str, _Word]:
        """What is known of those words that any rule asks for."""
        about, begins, short = self._about, self._begins, self._short
        if short:
            words = [word for word in words if word[:_FIRST] in begins or word[0] in short or word[:2] in short]
        else:
            words = [word for word in words if word[:_FIRST] in begins]
        return {word: about(word[:_TOLD]) for word in words}

    def _look_up(self, word: str) -> _Word:
        """The sets that a word is in, as bits, and those of them that a choice begins with."""
        stems = self._stems
        bits = stems.get(word + WHOLE, 0)
        for size in range(1, min(len(word), LONGEST) + 1):
            bits |= stems.get(word[:size], 0)
        heads = bits & self._heads
        return bits, tuple(at for at in range(heads.bit_length()) if heads >> at & 1)


def _words(lowered: str) -> list[str]:
    """The words of a text, in their order."""
    plain = spaced(lowered, _TABLE)
    return _RUN.findall(lowered) if plain is None else plain.split()


def _places(
    lowered: str, words: Iterable[str], known: Mapping[str, _Word], heads: Set[int]
) -> Mapping[int, Sequence[int]]:
    """Where the words of a text stand that choices begin with, for each set of such words."""
    places: dict[int, list[int]] = {head: [] for head in heads}
    begun = {word: [places[head] for head in of if head in places] for word, (_, of) in known.items() if of}
    at, find = 0, lowered.find
    for word in words:
        at = find(word, at)  # between two words stands nothing that one can begin with
        if word in begun:
            for place in begun[word]:
                place.append(at)
        at += len(word)
    return places


def _matches(choice: _Choice, lowered: str, places: Mapping[int, Sequence[int]]) -> bool:
    if choice.head is None:
        return choice.pattern.search(lowered) is not None
    match = choice.pattern.match
    for at in places[choice.head]:  # noqa: SIM110 - in less time than `any` takes
        if match(lowered, at):
            return True
    return False


# ------------------------------------------------------------------ reading a rule


def _split(rule: str) -> Iterator[str]:
    """The choices between the outermost bars."""
    depth, start = 0, 0
    for sign in _SIGN.finditer(rule):
        depth += {"(": 1, ")": -1}.get(sign[0], 0)
        if sign[0] == "|" and not depth:
            yield rule[start : sign.start()]
            start = sign.end()
    yield rule[start:]


def _choice(rule: str, source: str, sets: dict[str, int]) -> _Choice:
    """A choice with what it needs; sets of words that are new get a number."""
    begins, stems = read(source)
    numbers = [sets.setdefault(one, len(sets)) for one in stems]
    needs = sum(1 << number for number in set(numbers))
    return _Choice(rule, lazily.pattern(source), numbers[0] if begins else None, needs)
