"""The tables that tell languages of one script apart, and what they say of a text.

A run of letters has a weight for each language.  The weights of a run are the digits of one long number, so that they
are added up for all languages at once.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from promptrails_scanners.foundation.once import once
from promptrails_scanners.languages.grams import grams_of, parts_of, words_of
from promptrails_scanners.languages.scripts import COMMON, MODELLED, ONE_LANGUAGE, script_of

_DIGIT = 4
_EACH = 3
"""A letter of Chinese, Japanese or Korean says as much as so many others."""
_FAMILIAR = 0.5
"""So much likelier, as a logarithm, a text is in a language that much is written in."""
_TOGETHER = frozenset({"han", "kana"})
_KANA = 0.1
"""With so much kana for its Han a text is Japanese."""


class Table(NamedTuple):
    """What is known of the languages of one script."""

    languages: tuple[str, ...]
    rows: Mapping[str, int]
    """The weights of each run of letters, each four bytes of the number, and `steps` more than it is."""
    unit: float
    steps: int


@once
def tables() -> Mapping[str, Table]:
    """The tables by script; read once."""
    packed = files("promptrails_scanners.languages").joinpath("weights.bin").read_bytes()
    head, _, body = zlib.decompress(packed).partition(b"\n")
    found: dict[str, Table] = {}
    for one in json.loads(head):
        languages, grams = tuple(one["languages"]), one["grams"]
        width, count = len(languages), len(grams)
        spread = bytearray(width * count * _DIGIT)
        for at in range(width):
            spread[at * _DIGIT :: width * _DIGIT] = body[at * count : (at + 1) * count]
        size = width * _DIGIT
        rows = {gram: int.from_bytes(spread[at * size : (at + 1) * size], "little") for at, gram in enumerate(grams)}
        found[one["script"]] = Table(languages, rows, one["unit"], one["steps"])
        body = body[width * count :]
    return found


@lru_cache(maxsize=16384)
def _weighed(script: str, word: str) -> tuple[int, int]:
    """The weights of all the runs of a word, and how many runs those are."""
    rows = tables()[script].rows
    known = [rows[gram] for gram in grams_of(word) if gram in rows]
    return sum(known), len(known)


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
            total += weights * times
            self._runs += count * times
        digits = struct.unpack(f"<{len(self._sums)}I", total.to_bytes(len(self._sums) * _DIGIT, "little"))
        self._sums = [one + more for one, more in zip(self._sums, digits, strict=True)]

    def odds(self) -> dict[str, float]:
        """How likely each language of the script is."""
        table = tables()[self._script]
        if not self._runs:
            return dict.fromkeys(table.languages, 1 / len(table.languages))
        worth = table.unit / math.sqrt(self._runs)
        scores = [
            (one - self._runs * table.steps) * worth + (_FAMILIAR if language in COMMON else 0.0)
            for language, one in zip(table.languages, self._sums, strict=True)
        ]
        most = max(scores)
        odds = [math.exp(score - most) for score in scores]
        return {language: odd / sum(odds) for language, odd in zip(table.languages, odds, strict=True)}


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


def heard(text: str) -> Heard:
    """The languages of a text by script and letters."""
    sums: dict[str, _Sums] = {}
    weights: dict[str, int] = defaultdict(int)
    for part in parts_of(text):
        by_script: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for word, times in Counter(words_of(part)).items():
            script = script_of(word[0])
            if script in _TOGETHER:
                kana = sum(script_of(char) == "kana" for char in word)
                weights["kana"] += _EACH * kana * times
                weights["han"] += _EACH * (len(word) - kana) * times
            else:
                by_script[script].append((word, times))
                weights[script] += len(word) * times * (_EACH if script == "hangul" else 1)
        for script, words in by_script.items():
            if script in MODELLED:
                sums.setdefault(script, _Sums(script)).add(words)
    if weights["kana"] > _KANA * weights["han"]:
        weights["kana"] += weights.pop("han", 0)
    total = sum(weights.values())
    east = weights["kana"] + weights["han"] + weights["hangul"]
    length = len(text.strip()) + (east - east // _EACH)
    return Heard(min(length, 2 * total), _shares(weights, total, sums))


def _shares(weights: Mapping[str, int], total: int, sums: Mapping[str, _Sums]) -> dict[str, float]:
    """How much of the text is likely to be in each language."""
    languages: dict[str, float] = defaultdict(float)
    for script, weight in weights.items():
        if not weight:
            continue
        share = weight / total
        if script in ONE_LANGUAGE:
            languages[ONE_LANGUAGE[script]] += share
        elif script in MODELLED:
            for language, odds in sums[script].odds().items():
                languages[language] += share * odds
        else:
            languages["und"] += share
    return dict(languages)
