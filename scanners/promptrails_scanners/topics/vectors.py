"""How near a text is to a topic, by sentence vectors: to its name and description, or to its examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import exp
from typing import Any

from promptrails_engine.require import require
from promptrails_scanners.models.embedder import Vector, likeness
from promptrails_scanners.topics.words import STRONG, Field, fields

_LEAST = 0.22
"""The cosine from which on a text may be about what a topic is called; it also has to be nearer to that than to any
other subject."""
_STEEP = 12.0
_NEAREST = 12
"""So many texts about other subjects that lie nearest to the examples are left out: they may be about the topic."""
_TURNS = 12
_LOOSE = 10.0
"""How far the weights may go: the inverse of the strength of their regularisation."""
_OWN = 0.3
"""A subject that shares this part of its terms with a topic is no other one."""
_TERMS, _TEXTS = 6, 4

ToVector = Callable[[str], Vector]


class Nearness:
    """One topic, ready to be asked."""

    def __init__(
        self,
        vector: ToVector,
        names: Sequence[str],
        examples: Sequence[str],
        others: Sequence[str],
        terms: set[tuple[str, ...]],
    ) -> None:
        self._vector = vector
        self._names = [vector(name) for name in names]
        self._elsewhere = [one for field, ours in _subjects(vector) if not _is_of(field, terms) for one in ours]
        self._head: tuple[Sequence[float], float] | None = None
        if examples:
            positive = [vector(text) for text in examples]
            negative = [*_apart(positive, _all(vector)), *map(vector, others)]
            self._head = _fitted(positive, negative)

    def score(self, text: str) -> float:
        """0 to 1."""
        if not text.strip():
            return 0.0
        ours = self._vector(text)
        if self._head is not None:
            weights, bias = self._head
            return _odds(likeness(weights, ours) + bias)
        near = max(likeness(ours, one) for one in self._names)
        other = max((likeness(ours, one) for one in self._elsewhere), default=0.0)
        return _odds(_STEEP * min(near - _LEAST, near - other))


def _is_of(field: Field, terms: set[tuple[str, ...]]) -> bool:
    return len(terms & field.terms.keys()) >= _OWN * len(field.terms)


@lru_cache(maxsize=4)
def _subjects(vector: ToVector) -> tuple[tuple[Field, tuple[Vector, ...]], ...]:
    """Each known subject with the vectors of its names and of some of its words; made once for a model."""
    found: list[tuple[Field, tuple[Vector, ...]]] = []
    for field in fields():
        strong = [" ".join(term) for term, weight in field.terms.items() if weight >= STRONG]
        names = sorted(" ".join(name) for name in field.names)
        texts = [", ".join(names)]
        texts += [" ".join(strong[at : at + _TERMS]) for at in range(0, len(strong), _TERMS)][:_TEXTS]
        found.append((field, tuple(map(vector, texts))))
    return tuple(found)


def _all(vector: ToVector) -> list[Vector]:
    return [one for _, ours in _subjects(vector) for one in ours]


def _apart(positive: Sequence[Vector], others: Sequence[Vector]) -> list[Vector]:
    """The others without those that are nearest to the middle of the examples."""
    middle = [sum(row) / len(positive) for row in zip(*positive, strict=True)]
    return sorted(others, key=lambda one: -likeness(middle, one))[_NEAREST:]


def _fitted(positive: Sequence[Vector], negative: Sequence[Vector]) -> tuple[Sequence[float], float]:
    """Weights and bias of a logistic regression to which both sides count the same."""
    np: Any = require("numpy", extra="embed", feature="a topic with examples")
    x = np.array([[*one, 1.0] for one in (*positive, *negative)])
    y = np.array([1.0] * len(positive) + [0.0] * len(negative))
    share = len(y) / 2
    counts = np.where(y > 0, share / len(positive), share / max(1, len(negative)))
    pull = np.full(x.shape[1], 1 / _LOOSE)
    pull[-1] = 1e-6
    weights = np.zeros(x.shape[1])
    for _ in range(_TURNS):
        odds = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (counts * (odds - y)) + pull * weights
        bend = (x * (counts * odds * (1 - odds))[:, None]).T @ x + np.diag(pull)
        weights = weights - np.linalg.solve(bend, slope)
    return weights[:-1].tolist(), float(weights[-1])


def _odds(value: float) -> float:
    return 1.0 / (1.0 + exp(-max(-30.0, min(30.0, value))))
