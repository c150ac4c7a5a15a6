"""Texts like the ones that were given: a small model of words and runs of letters, fitted when a scanner is built."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from promptrails_scanners.topics.words import fields, words_of

_PASSES = 8
_OTHERS = 4
"""So many texts are made of the words of each other subject."""
_RATE = 0.5
_DECAY = 0.002


def features(words: Sequence[str]) -> dict[str, float]:
    """Words, pairs of words and runs of four letters, each once, together of length one."""
    found: set[str] = set()
    for at, word in enumerate(words):
        found.add(word)
        if at:
            found.add(f"{words[at - 1]} {word}")
        padded = f"<{word}>"
        found.update(f"#{padded[start : start + 4]}" for start in range(len(padded) - 3))
    size = math.sqrt(len(found) or 1)
    return {one: 1 / size for one in found}


class Likeness:
    """How much a text is like the examples of a topic, against other texts.

    A logistic regression on words, word pairs and runs of letters, rarer ones counting for more.
    """

    def __init__(self, examples: Sequence[str], others: Iterable[str]) -> None:
        positive = [features(words_of(text)) for text in examples]
        negative = [features(words_of(text)) for text in others]
        seen = Counter(one for text in (*positive, *negative) for one in text)
        count = len(positive) + len(negative)
        self._rarity = {one: math.log((count + 1) / (times + 0.5)) for one, times in seen.items()}
        self._weights: dict[str, float] = {}
        self._bias = 0.0
        self._fit([self._weighed(one) for one in positive], [self._weighed(one) for one in negative])

    def score(self, words: Sequence[str]) -> float:
        """0 to 1."""
        return _odds(self._sum(self._weighed(features(words))))

    def _weighed(self, found: dict[str, float]) -> dict[str, float]:
        """Rare features count for more; all together are of length one, unknown ones included."""
        unknown = max(self._rarity.values(), default=1.0)
        weighed = {one: value * self._rarity.get(one, unknown) for one, value in found.items()}
        size = math.sqrt(sum(value * value for value in weighed.values())) or 1.0
        return {one: value / size for one, value in weighed.items() if one in self._rarity}

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
