"""Words of a subject: its own, and those of the fields that it names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from importlib.resources import files

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.once import once

LONGEST = 4
"""A term has at most so many words."""
OWN, STRONG, WEAK = 0.75, 0.62, 0.33
"""How much a term tells: one of the topic itself, one that alone tells the subject, one that needs another."""

_WORD = lazily.pattern(r"[^\W_]+(?:['\u2019.+#&-][^\W_]+)*\+{0,2}|[$\u20ac\u00a3]")
_SAID = (
    "a about above after again all also am an and any are as at be because been before being below between both but by"
    " can could did do does doing down during each etc every few for from further get give go had has have having he"
    " her here hers him his how i if in into is it its just like make many may me might more most much must my need no"
    " nor not now of off on once one only or other our out over own please related same she should so some such take"
    " tell than that the their them then there these they thing things this those through to too topic topics under"
    " until up us use very want was we were what when where which while who whom why will with would you your advice"
    " general various discussion discussions discussing anything everything something someone people kind kinds type"
    " types including include includes regarding concerning questions question information content text texts"
    " new"
)
_COMMON = frozenset(_SAID.split())


class Field:
    """A subject and its words."""

    def __init__(self, names: frozenset[tuple[str, ...]], lines: Iterable[str]) -> None:
        self.names = names
        self._lines = lines

    @cached_property
    def terms(self) -> Mapping[tuple[str, ...], float]:
        """How much each of its terms tells; read once somebody asks for the subject."""
        terms: dict[tuple[str, ...], float] = {}
        for line in sorted(self._lines, reverse=True):
            for term in line[1:].split(","):
                key = tuple(words_of(term))
                if key and line[:1] in "+-":
                    terms[key] = max(terms.get(key, 0.0), STRONG if line[0] == "+" else WEAK)
        return terms


def words_of(text: str) -> list[str]:
    """The words, without case and without the endings of English plurals and verbs."""
    return [stem(word) for word in _WORD.findall(text.lower())]


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """The word without its ending, so that the forms of a word are mostly one; it need not be a word itself."""
    word = word.replace("\u2019", "'").removesuffix("'s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("ings", "ing", "ed", "es", "s"):
        base = word.removesuffix(ending)
        if base is word or len(base) < 3 or (ending == "s" and base.endswith(("s", "u", "i"))):
            continue
        if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "lse":
            base = base[:-1]
        return base.removesuffix("e") if len(base) > 3 else base
    return word.removesuffix("e") if len(word) > 4 else word


@once
def fields() -> tuple[Field, ...]:
    """The subjects that are known, read once."""
    found: list[Field] = []
    text = files("promptrails_scanners.topics").joinpath("fields.txt").read_text(encoding="utf-8")
    for block in text.split("\n[")[1:]:
        head, *lines = block.splitlines()
        names = frozenset(tuple(words_of(name)) for name in head.rstrip("]").split(";"))
        found.append(Field(names, lines))
    return tuple(found)


def named(name: str) -> list[str]:
    """The things that the name of a topic names, where it names several."""
    parts = [part.strip() for part in re.split(r"[,;/]|\band\b|\bor\b", name)]
    return [part for part in parts if part]


def terms_of(name: str, description: str, words: Iterable[str]) -> dict[tuple[str, ...], float]:
    """The terms of a topic, and how much each tells."""
    terms: dict[tuple[str, ...], float] = {}
    said = [*re.split(r"[,;/]|\band\b|\bor\b", name.lower()), *re.split(r"[,;/.]|\band\b|\bor\b", description.lower())]
    for number, phrase in enumerate(said):
        heard = [word for word in words_of(phrase) if word not in _COMMON]
        if 0 < len(heard) <= LONGEST:
            terms[tuple(heard)] = OWN
            if len(heard) > 1:
                for word in heard:
                    terms.setdefault((word,), WEAK)
        elif number and heard:
            for word in heard:
                terms.setdefault((word,), WEAK)
        _add_fields(terms, heard)
    for term in words:
        if key := tuple(words_of(term)):
            terms[key] = OWN
    return terms


def _add_fields(terms: dict[tuple[str, ...], float], heard: list[str]) -> None:
    """The terms of each subject that is named in these words."""
    runs = {tuple(heard[at:end]) for at in range(len(heard)) for end in range(at + 1, len(heard) + 1)}
    named = [one for one in fields() if one.names & runs]
    whole = [one for one in named if tuple(heard) in one.names]
    for one in whole or named:
        for term, weight in one.terms.items():
            terms[term] = max(terms.get(term, 0.0), weight)


class Vocabulary:
    """The terms of one topic, and how much a text has of them."""

    def __init__(self, terms: Mapping[tuple[str, ...], float]) -> None:
        self._terms = dict(terms)
        self._longest: dict[str, int] = {}
        """How many words the longest term has that begins with a word."""
        for term in self._terms:
            self._longest[term[0]] = max(len(term), self._longest.get(term[0], 0))

    def score(self, words: list[str]) -> float:
        """0 to 1: each term that occurs makes it likelier, the same term once."""
        found: dict[tuple[str, ...], float] = {}
        at = 0
        while at < len(words):
            for size in range(min(self._longest.get(words[at], 0), len(words) - at), 0, -1):
                weight = self._terms.get(tuple(words[at : at + size]))
                if weight is not None:
                    found[tuple(words[at : at + size])] = weight
                    at += size - 1
                    break
            at += 1
        # the same evidence says less in a long text
        thin = 1 / (1 + max(0.0, math.log(len(words) / 40))) if len(words) > 40 else 1.0
        return 1.0 - math.prod(1.0 - weight * thin for weight in found.values())
