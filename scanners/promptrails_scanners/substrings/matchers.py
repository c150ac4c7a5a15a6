"""Two ways to find a list of terms in a text: one pattern for a short list, an automaton for a long one.

Both report places of which every other occurrence is a part, so the places joined are the same.
"""

from __future__ import annotations

import re
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Protocol

MOST_IN_A_PATTERN = 2000
_NESTED = 12
"""So deep a pattern branches; below that its terms stand side by side."""
_CODES = 0x110000

Fits = Callable[[int, int], bool]
"""Whether an occurrence at these offsets counts."""


class Matcher(Protocol):
    """Something that finds terms."""

    def places(self, text: str, fits: Fits | None) -> Iterator[tuple[int, int]]:
        """Occurrences that count, such that all others that do are parts of them."""
        ...


def matcher(terms: Sequence[str]) -> Matcher:
    """What finds these terms fastest; they are sorted and differ."""
    return Alternation(terms) if len(terms) <= MOST_IN_A_PATTERN else Automaton(terms)


class Alternation:
    """One pattern that branches letter by letter, so that the number of terms costs little."""

    def __init__(self, terms: Sequence[str]) -> None:
        self._ahead = re.compile(f"(?=({_pattern(terms, _NESTED)}))", re.DOTALL)

    def places(self, text: str, fits: Fits | None) -> Iterator[tuple[int, int]]:
        """The longest occurrence at every place that has one."""
        for match in self._ahead.finditer(text):
            start, end = match.span(1)
            if fits is None or fits(start, end):
                yield start, end
                continue
            while shorter := self._ahead.match(text, start, end - 1):
                end = shorter.end(1)
                if fits(start, end):
                    yield start, end
                    break


def _pattern(terms: Sequence[str], depth: int) -> str:
    """A pattern of sorted terms that matches the longest one first."""
    if len(terms) == 1:
        return re.escape(terms[0])
    if not depth:
        return f"(?:{'|'.join(map(re.escape, sorted(terms, key=len, reverse=True)))})"
    shared = _shared(terms[0], terms[-1])
    rests = [term[len(shared) :] for term in terms]
    branches = [_pattern(list(group), depth - 1) for first, group in groupby(rests, lambda rest: rest[:1]) if first]
    if not rests[0]:
        branches.append("")
    return f"{re.escape(shared)}(?:{'|'.join(branches)})"


def _shared(first: str, last: str) -> str:
    """What both begin with, and so all that is sorted between them."""
    for at, (one, other) in enumerate(zip(first, last, strict=False)):
        if one != other:
            return first[:at]
    return min(first, last, key=len)


class Automaton:
    """The automaton of Aho and Corasick ("Efficient string matching", 1975): one step for each character."""

    def __init__(self, terms: Sequence[str]) -> None:
        self._next: dict[int, int] = {}
        """The state after a state and a character, both in one number."""
        self._lengths = array("l", [0])
        """The length of the term that ends in a state, 0 for none."""
        self._back = array("l", [0])
        """The state of the longest end of a state's text that is the beginning of a term."""
        for term in terms:
            self._add(term)
        self._shorter = array("l", [0] * len(self._back))
        """The first state on the way back in which a term ends, 0 for none."""
        self._link()

    def _add(self, term: str) -> None:
        state = 0
        for char in term:
            key = state * _CODES + ord(char)
            following = self._next.get(key)
            if following is None:
                following = self._next[key] = len(self._back)
                self._back.append(0)
                self._lengths.append(0)
            state = following
        self._lengths[state] = len(term)

    def _link(self) -> None:
        children: dict[int, list[tuple[int, int]]] = {}
        for key, child in self._next.items():
            parent, code = divmod(key, _CODES)
            children.setdefault(parent, []).append((code, child))
        waiting = deque([0])
        while waiting:
            state = waiting.popleft()
            for code, child in children.pop(state, ()):
                back = self._step(self._back[state], code) if state else 0
                self._back[child] = back
                self._shorter[child] = back if self._lengths[back] else self._shorter[back]
                waiting.append(child)

    def _step(self, state: int, code: int) -> int:
        while True:
            following = self._next.get(state * _CODES + code)
            if following is not None:
                return following
            if not state:
                return 0
            state = self._back[state]

    def places(self, text: str, fits: Fits | None) -> Iterator[tuple[int, int]]:
        """The longest occurrence that ends at every place where one does."""
        following, back, lengths, shorter = self._next, self._back, self._lengths, self._shorter
        state = 0
        for end, code in enumerate(map(ord, text), start=1):
            found = following.get(state * _CODES + code)
            while found is None and state:
                state = back[state]
                found = following.get(state * _CODES + code)
            state = found or 0
            ending = state if lengths[state] else shorter[state]
            while ending:
                start = end - lengths[ending]
                if fits is None or fits(start, end):
                    yield start, end
                    break
                ending = shorter[ending]
