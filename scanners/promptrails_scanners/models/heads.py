"""Linear heads over the vectors of all-MiniLM-L6-v2: whether a text is toxic, harmful or biased.

The file has the heads by the name of their scanner, and a sentence with its vector, by which it shows whether a folder
holds the model that they were trained with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from math import exp, log
from typing import Any, NamedTuple

from promptrails_engine.errors import ConfigurationError
from promptrails_scanners.models.embedder import Embedder, likeness

_FILE = "minilm.json"
_SAME = 0.97
_LEAST = 1e-6
"""Scores of the small model are held within that."""


class EmbeddingHead(NamedTuple):
    """One answer over a vector."""

    weights: Sequence[float]
    beside: float
    """By how much the score of the small model counts, as its logit."""
    bias: float
    probe: str
    expected: Sequence[float]

    def score(self, vector: Sequence[float], small: float) -> float:
        """0 to 1, of the vector and the score of the small model; 0.5 at the point chosen for both together."""
        held = min(max(small, _LEAST), 1 - _LEAST)
        total = likeness(self.weights, vector) + self.beside * log(held / (1 - held)) + self.bias
        return 1.0 / (1.0 + exp(-max(-40.0, min(40.0, total))))

    def check(self, embedder: Embedder, scanner: str) -> None:
        """Raises ConfigurationError where the vectors are not those of the model that it was trained with."""
        vector = embedder.vector(self.probe)
        if len(vector) != len(self.expected) or likeness(vector, self.expected) < _SAME:
            raise ConfigurationError(
                f"scanner '{scanner}': 'model': the folder of 'embed' has to hold all-MiniLM-L6-v2 with its own "
                "tokenizer; the weights of this scanner fit no other model"
            )


@cache
def _heads() -> Mapping[str, EmbeddingHead]:
    data: Any = json.loads((files("promptrails_scanners") / "weights" / _FILE).read_text(encoding="utf-8"))
    return {
        name: EmbeddingHead(tuple(one["weights"]), one["beside"], one["bias"], data["probe"], tuple(data["vector"]))
        for name, one in data["heads"].items()
    }


def head(scanner: str) -> EmbeddingHead | None:
    """The head of a scanner; None if there is none."""
    return _heads().get(scanner)
