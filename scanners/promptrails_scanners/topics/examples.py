"""Texts like the ones that were given: a small model of words and runs of letters, fitted when a scanner is built."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import chain, pairwise

from promptrails_scanners.topics.words import fields, words_of

_PASSES = 8
_OTHERS = 4
"""So many texts are made of the words of each other subject."""
_RATE = 0.5
_DECAY = 0.002


class Part:
    """Words that are judged together, and the text that they are from."""

    def __init__(self, words: list[str], text: str = "") -> None:
        self.words = words
        self.text = text

    @cached_property
    def features(self) -> Sequence[str]:
        """Words, runs of four letters and pairs of words, each once, in the order in which they come."""
        found = dict.fromkeys(chain.from_iterable(map(_of_word, self.words)))
        found.update(dict.fromkeys(map(" ".join, pairwise(self.words))))
        return tuple(found)


@lru_cache(maxsize=16384)
def _of_word(word: str) -> tuple[str, ...]:
    padded = f"<{word}>"
    return word, *(f"#{padded[at : at + 4]}" for at in range(len(padded) - 3))


class Likeness:
    """How much a text is like the examples of a topic, against other texts.

    A logistic regression on words, word pairs and runs of letters, rarer ones counting for more.
    """

    def __init__(self, examples: Sequence[str], others: Iterable[str]) -> None:
        positive = [Part(words_of(text)).features for text in examples]
        negative = [Part(words_of(text)).features for text in others]
        seen = Counter(one for text in (*positive, *negative) for one in text)
        count = len(positive) + len(negative)
        self._rarity = {one: math.log((count + 1) / (times + 0.5)) for one, times in seen.items()}
        self._unknown = max(self._rarity.values(), default=1.0)
        self._weights: dict[str, float] = {}
        self._bias = 0.0
        self._fit([self._weighed(one) for one in positive], [self._weighed(one) for one in negative])
        self._tells = {
            one: (self._weights.get(one, 0.0) * rarity, rarity * rarity) for one, rarity in self._rarity.items()
        }
        """What each feature adds to the sum, and to the square of the length by which that is divided."""

    def score(self, part: Part) -> float:
        """0 to 1."""
        told, size, new = 0.0, 0.0, (0.0, self._unknown * self._unknown)
        get = self._tells.get
        for one in part.features:
            weight, square = get(one, new)
            told += weight
            size += square
        return _odds(self._bias + told / (math.sqrt(size) or 1.0))

    def _weighed(self, found: Sequence[str]) -> dict[str, float]:
        """Rare features count for more; all together are of length one, unknown ones included."""
        weighed = [self._rarity.get(one, self._unknown) for one in found]
        size = math.sqrt(sum(value * value for value in weighed)) or 1.0
        return {one: value / size for one, value in zip(found, weighed, strict=True) if one in self._rarity}

    def _sum(self, found: dict[str, float]) -> float:
        weights = self._weights
        return self._bias + sum(weights.get(one, 0.0) * value for one, value in found.items())

    def _fit(self, positive: list[dict[str, float]], negative: list[dict[str, float]]) -> None:
        """Both sides weigh the same however many texts they have; the order is always the same."""
        pull = 0.5 / max(1, len(positive)), 0.5 / max(1, len(negative))
        total = len(positive) + len(negative)
        texts = [(one, 1.0, pull[0] * total) for one in positive] + [(one, 0.0, pull[1] * total) for one in negative]
        texts = texts[::2] + texts[1::2]
        for turn in range(_PASSES):
            rate = _RATE * (1 - turn / _PASSES)
            for found, wanted, weight in texts:
                error = wanted - _odds(self._sum(found))
                step = rate * min(weight, 4.0) * error
                self._bias += 0.1 * step
                for one, value in found.items():
                    before = self._weights.get(one, 0.0)
                    self._weights[one] = before + step * value * 4 - rate * _DECAY * before


def elsewhere(terms: Iterable[tuple[str, ...]]) -> list[str]:
    """Something to tell a topic from where nothing else was given: the words of the subjects that it is not."""
    own = set(terms)
    found: list[str] = []
    for field in fields():
        theirs = [" ".join(term) for term in field.terms if term not in own]
        if len(theirs) > len(field.terms) * 0.7:
            found += [" ".join(theirs[at::_OTHERS]) for at in range(_OTHERS)]
    return found


def _odds(score: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))
