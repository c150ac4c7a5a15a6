"""The tables that tell languages of one script apart, and what they say of a text.

A run of letters has a weight for each language.  The weights of a run are the digits of one long number, so that they
are added up for all languages at once.

The file of weights is one line of JSON, `[{"script", "languages", "unit", "steps", "runs", "many"}]`, and then for each
script `runs` bytes of text, a line for all runs that begin alike, and for each of its `many` runs a byte for each
language.  It is not compressed: a wheel is, and who loads it does not wait.
"""

from __future__ import annotations

import json
import math
import struct
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from importlib.resources import files
from itertools import accumulate, count
from typing import NamedTuple

from promptrails_scanners.foundation.once import once
from promptrails_scanners.languages.grams import MOST_LETTERS, grams_of, parts_of, words_of
from promptrails_scanners.languages.scripts import COMMON, MODELLED, ONE_LANGUAGE, script_of

_DIGIT = 4
_WORDS_KEPT = 16384
_EACH = 3
"""A letter of Chinese, Japanese or Korean says as much as so many others."""
_FAMILIAR = 0.5
"""So much likelier, as a logarithm, a text is in a language that much is written in."""
_EXPECTED = 1.0
"""So much likelier it is in one that is expected: what is short, or a list of names, says little itself."""
_TOGETHER = frozenset({"han", "kana"})
_KANA = 0.1
"""With so much kana for its Han a text is Japanese."""


class Runs:
    """The numbers, from 1 on, of the runs of a script; those of one beginning are read once a word has it."""

    def __init__(self, lines: str, size: int) -> None:
        rows = [line.partition("\t") for line in lines.split("\n")]
        firsts = [first for first, _, _ in rows]
        self._others = {first: others for first, _, others in rows}
        many = (others.count("\t") + 1 for _, _, others in rows)
        self._starts = dict(zip(firsts, accumulate(many, initial=1), strict=False))
        self._size = size
        self._numbers: dict[str, int] = {}
        self._known: set[str] = set()
        self._learn(first for first in firsts if len(first) == 1)

    def __len__(self) -> int:
        return self._size

    def of(self, word: str) -> list[int]:
        """The numbers of the runs of a word, as far as they have one."""
        grams = grams_of(word)
        size = min(len(word), MOST_LETTERS) + 2
        pairs = grams[size : 2 * size - 1]
        if not self._known.issuperset(pairs):
            self._learn(pairs)
        return list(filter(None, map(self._numbers.get, grams)))

    def _learn(self, firsts: Iterable[str]) -> None:
        for first in firsts:
            if first in self._starts and first not in self._known:
                names = map(first.__add__, self._others[first].split("\t"))
                self._numbers.update(zip(names, count(self._starts[first])))
                self._known.add(first)  # last: another thread may read meanwhile


class Rows(dict[int, int]):
    """The weights of runs by their numbers, each of `_DIGIT` bytes of one long number; spread out once asked for.

    There are never more of them than runs in the table.
    """

    def __init__(self, weights: memoryview, width: int) -> None:
        super().__init__()
        self._weights, self._width = weights, width
        self.many = len(weights) // width

    def __missing__(self, at: int) -> int:
        spread = bytearray(self._width * _DIGIT)
        spread[::_DIGIT] = self._weights[(at - 1) * self._width : at * self._width]
        row = self[at] = int.from_bytes(spread, "little")
        return row


class Table:
    """What is known of the languages of one script."""

    def __init__(self, languages: Sequence[str], runs: bytes, weights: memoryview, unit: float, steps: int) -> None:
        self.languages = tuple(languages)
        self.unit = unit
        self.steps = steps
        self.rows = Rows(weights, len(languages))
        """The weights of each run, `steps` more than they are."""
        self._packed = runs

    @cached_property
    def runs(self) -> Runs:
        """Its runs, read once a text is in this script."""
        return Runs(self._packed.decode(), self.rows.many)


@once
def tables() -> Mapping[str, Table]:
    """The tables by script; read once."""
    data = files("promptrails_scanners.languages").joinpath("weights.bin").read_bytes()
    end = data.index(b"\n") + 1
    found: dict[str, Table] = {}
    for one in json.loads(data[:end]):
        start, middle = end, end + one["runs"]
        end = middle + one["many"] * len(one["languages"])
        weights = memoryview(data)[middle:end]
        found[one["script"]] = Table(one["languages"], data[start:middle], weights, one["unit"], one["steps"])
    return found


@lru_cache(maxsize=_WORDS_KEPT)
def _weighed(script: str, word: str) -> tuple[int, int]:
    """The weights of all the runs of a word, and how many runs those are."""
    table = tables()[script]
    known = table.runs.of(word)
    return sum(map(table.rows.__getitem__, known)), len(known)


class _Sums:
    """The weights of many words of a script, added up for each language."""

    def __init__(self, script: str) -> None:
        self._script = script
        self._sums = [0] * len(tables()[script].languages)
        self._runs = 0

    def add(self, words: Iterable[tuple[str, int]]) -> None:
        """Words of one part of a text, and how often they come: few enough for the digits of the number."""
        total = 0
        for word, times in words:
            weights, count = _weighed(self._script, word)
            total += weights if times == 1 else weights * times
            self._runs += count * times
        digits = struct.unpack(f"<{len(self._sums)}I", total.to_bytes(len(self._sums) * _DIGIT, "little"))
        self._sums = [one + more for one, more in zip(self._sums, digits, strict=True)]

    def odds(self, expected: Collection[str]) -> dict[str, float]:
        """How likely each language of the script is, where some are expected."""
        table = tables()[self._script]
        if not self._runs:
            return dict.fromkeys(table.languages, 1 / len(table.languages))
        worth = table.unit / math.sqrt(self._runs)
        scores = [
            (one - self._runs * table.steps) * worth
            + _FAMILIAR * (language in COMMON)
            + _EXPECTED * (language in expected)
            for language, one in zip(table.languages, self._sums, strict=True)
        ]
        most = max(scores)
        odds = [math.exp(score - most) for score in scores]
        whole = sum(odds)
        return {language: odd / whole for language, odd in zip(table.languages, odds, strict=True)}


class Heard(NamedTuple):
    """What a text says of its language."""

    length: int
    """How many characters were heard, without white space at the ends; one of Chinese, Japanese or Korean counts for
    three, and no other than a letter for more than half of all."""
    languages: Mapping[str, float]
    """How much of the text is likely to be in each."""

    @property
    def best(self) -> str | None:
        """The likeliest language; None for a text without letters."""
        return max(self.languages, key=lambda name: self.languages[name]) if self.languages else None


def heard(text: str, expected: Collection[str] = ()) -> Heard:
    """The languages of a text by script and letters, where some may be expected."""
    sums: dict[str, _Sums] = {}
    weights: dict[str, int] = defaultdict(int)
    for part in parts_of(text):
        by_script: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for counted in Counter(words_of(part)).items():
            by_script[script_of(counted[0][0])].append(counted)
        for script, words in by_script.items():
            if script in _TOGETHER:
                kana = sum(times * sum(script_of(char) == "kana" for char in word) for word, times in words)
                weights["kana"] += _EACH * kana
                weights["han"] += _EACH * (_letters(words) - kana)
            else:
                weights[script] += _letters(words) * (_EACH if script == "hangul" else 1)
            if script in MODELLED:
                sums.setdefault(script, _Sums(script)).add(words)
    if weights["kana"] > _KANA * weights["han"]:
        weights["kana"] += weights.pop("han", 0)
    total = sum(weights.values())
    east = weights["kana"] + weights["han"] + weights["hangul"]
    length = len(text.strip()) + (east - east // _EACH)
    return Heard(
        min(length, 2 * total), _shares(weights, total, {script: one.odds(expected) for script, one in sums.items()})
    )


def _letters(words: Iterable[tuple[str, int]]) -> int:
    return sum([len(word) * times for word, times in words])


def _shares(weights: Mapping[str, int], total: int, odds: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """How much of the text is likely to be in each language."""
    languages: dict[str, float] = defaultdict(float)
    for script, weight in weights.items():
        if not weight:
            continue
        share = weight / total
        if script in ONE_LANGUAGE:
            languages[ONE_LANGUAGE[script]] += share
        elif script in MODELLED:
            for language, likely in odds[script].items():
                languages[language] += share * likely
        else:
            languages["und"] += share
    return dict(languages)
