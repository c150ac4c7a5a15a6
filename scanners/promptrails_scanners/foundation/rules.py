"""Many rules on one text: what each needs is looked up word by word, and only what may match is tried.

A rule is a regular expression over text in lower case; each choice between its outermost bars is dealt with alone.  Of
a choice is known, from reading it once, with which words it can begin and which it cannot do without.  The words of a
text tell which choices come into question, and where: there they are matched.  The answer is that of `re.search`, rule
by rule; rules that begin with no word are searched for as ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import lru_cache
from typing import Any, NamedTuple

from promptrails_scanners.foundation import lazily

_parser: Any = re._parser  # type: ignore[attr-defined]  # the standard library's own reading of a pattern

_LONGEST = 6
"""Words are told apart by so many characters."""
_FIRST = 3
"""Most words are out of the question by so many."""
_MOST = 3000
"""With more beginnings than that, a rule is not worth looking up."""
_RANGE = 12
_WORDS_KEPT = 4096
_RUN = lazily.pattern(rf"(\w{{1,{_LONGEST + 1}}})\w*")
"""The words of a text; of each, what counts."""

_SIGN = lazily.pattern(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()|]", re.DOTALL)
"""What matters for where the choices of a rule are parted."""
_UNKNOWN: list[tuple[str, Any]] = [("ANY", None)]

Stem = tuple[str, bool]
"""The beginning of a word, and whether it is the whole word."""
_NOTHING: frozenset[Stem] = frozenset()


class _Choice(NamedTuple):
    """One of the choices that a rule is made of."""

    rule: str
    pattern: re.Pattern[str]
    head: int | None
    """Which set of words it begins with; None where it begins otherwise."""
    needs: int
    """The sets of words, as bits, of which each has to be there."""


class Rules:
    """Rules by name, ready to be asked which of them match."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        sets: dict[frozenset[Stem], int] = {}
        self._choices = tuple(_choice(name, source, sets) for name, rule in rules.items() for source in _split(rule))
        self._stems: dict[Stem, int] = {}
        for stems, number in sets.items():
            for stem in stems:
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

    def _prepare(self) -> None:
        self.names = tuple(dict.fromkeys(choice.rule for choice in self._choices))
        self._heads = sum(1 << head for head in {choice.head for choice in self._choices} if head is not None)
        self._begins = frozenset(stem[:_FIRST] for stem, _ in self._stems)
        self._short = frozenset(stem for stem, whole in self._stems if not whole and len(stem) < _FIRST)
        self._about = lru_cache(maxsize=_WORDS_KEPT)(self._look_up)

    def matching(self, lowered: str) -> list[str]:
        """The names of the rules that match somewhere in a text in lower case, in the order in which they stand."""
        marks, places = 0, dict[int, list[int]]()
        about, begins, short = self._about, self._begins, self._short
        for word in _RUN.finditer(lowered):
            known = word[1]
            if known[:_FIRST] in begins or (short and not short.isdisjoint((known[0], known[:2]))):
                bits, heads = about(known)
                marks |= bits
                for head in heads:
                    places.setdefault(head, []).append(word.start())
        found: dict[str, None] = {}
        for choice in self._choices:
            if choice.needs & ~marks or choice.rule in found:
                continue
            if _matches(choice, lowered, places):
                found[choice.rule] = None
        return list(found)

    def any(self, lowered: str) -> bool:
        """Whether one of them matches; where few do, for less than `matching`, for most words are looked up once."""
        marks, about, begins, short = 0, self._about, self._begins, self._short
        for known in set(_RUN.findall(lowered)):
            if known[:_FIRST] in begins or (short and not short.isdisjoint((known[0], known[:2]))):
                marks |= about(known)[0]
        return any(not choice.needs & ~marks for choice in self._choices) and bool(self.matching(lowered))

    def _look_up(self, word: str) -> tuple[int, tuple[int, ...]]:
        """The sets that a word is in, as bits, and those of them that a choice begins with."""
        stems = self._stems
        bits = stems.get((word, True), 0)
        for size in range(1, min(len(word), _LONGEST) + 1):
            bits |= stems.get((word[:size], False), 0)
        heads = bits & self._heads
        return bits, tuple(at for at in range(heads.bit_length()) if heads >> at & 1)


def _matches(choice: _Choice, lowered: str, places: Mapping[int, Sequence[int]]) -> bool:
    if choice.head is None:
        return choice.pattern.search(lowered) is not None
    match = choice.pattern.match
    return any(match(lowered, at) for at in places.get(choice.head, ()))


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


def _choice(rule: str, source: str, sets: dict[frozenset[Stem], int]) -> _Choice:
    """A choice with what it needs; sets of words that are new get a number."""
    items = list(_flat(_parser.parse(source)))
    head, needs = None, 0
    for at, item in enumerate(items):
        if not _is_boundary(item):
            continue
        stems = _stems(items[at + 1 :])
        if not stems:
            continue
        number = sets.setdefault(stems, len(sets))
        needs |= 1 << number
        if at == 0:
            head = number
    return _Choice(rule, lazily.pattern(source), head, needs)


def _flat(items: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """The items of a pattern, with those of its plain groups."""
    for kind, value in items:
        if str(kind) == "SUBPATTERN" and not value[1] and not value[2]:
            yield from _flat(value[-1])
        else:
            yield str(kind), value


def _is_boundary(item: tuple[str, Any]) -> bool:
    return item[0] == "AT" and str(item[1]) == "AT_BOUNDARY"


def _stems(items: list[tuple[str, Any]]) -> frozenset[Stem]:
    """With which words a match of these items can begin; nothing if that cannot be told."""
    found: set[Stem] = set()
    for stem in _grown("", items):
        found.add(stem)
        if not stem[0] or len(found) > _MOST:
            return _NOTHING
    return frozenset(found)


def _grown(so_far: str, items: list[tuple[str, Any]]) -> Iterator[Stem]:
    """What a word that begins so can be when the items follow."""
    if len(so_far) == _LONGEST or not items:
        yield so_far, False
        return
    (kind, value), rest = items[0], items[1:]
    if kind == "AT":
        yield from _at(so_far, str(value), rest)
    elif kind == "BRANCH":
        for branch in value[1]:
            yield from _grown(so_far, [*_flat(branch), *rest])
    elif kind in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, inner = value
        if not least:
            yield from _grown(so_far, rest)
        yield from _grown(so_far, [*_flat(inner), *(rest if most == 1 else _UNKNOWN)])
    else:
        for char in _characters(kind, value):
            if char.isalnum() or char == "_":
                yield from _grown(so_far + char, rest)
            else:
                yield so_far, bool(char)


def _at(so_far: str, place: str, rest: list[tuple[str, Any]]) -> Iterator[Stem]:
    """The same where a place follows, such as the edge of a word."""
    if so_far:
        yield so_far, place in ("AT_BOUNDARY", "AT_END", "AT_END_STRING")
    elif place == "AT_BOUNDARY":
        yield from _grown(so_far, rest)
    else:
        yield so_far, False


def _characters(kind: str, value: Any) -> Iterator[str]:
    """The characters that an item may be; an empty one if they are many."""
    if kind == "LITERAL":
        yield chr(value)
    elif kind == "IN":
        for part, of in value:
            if str(part) == "LITERAL":
                yield chr(of)
            elif str(part) == "RANGE" and of[1] - of[0] < _RANGE:
                yield from map(chr, range(of[0], of[1] + 1))
            elif str(of) in ("CATEGORY_SPACE", "CATEGORY_NOT_WORD"):
                yield " "
            else:
                yield ""
    else:
        yield ""
