"""Trains the heads over sentence vectors (`model={"embed": FOLDER}`) and writes them, with what they were trained on.

Wants scikit-learn, onnxruntime and tokenizers, in an environment of its own, and a folder with all-MiniLM-L6-v2.

    python tools/train_embedding_heads.py --vectors FOLDER2 FOLDER           train, and write the weights
    python tools/train_embedding_heads.py --vectors FOLDER2 --check FOLDER   only print what cross-validation says

FOLDER2 has the vectors of words that the small models beside them want, see `word_vectors.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / name) for name in ("scanners", "")]

from classifier_recipes import RECIPES, Recipe  # noqa: E402
from classifier_rows import Row, folds, groups  # noqa: E402
from train_classifiers import WEIGHTS, cut_at, report, sources  # noqa: E402
from train_classifiers import Trainer as SmallTrainer  # noqa: E402
from word_vectors import WordVectors  # noqa: E402

from promptrails_scanners.foundation.views import canonical  # noqa: E402
from promptrails_scanners.models.embedder import Embedder  # noqa: E402
from promptrails_scanners.models.options import EmbedModel  # noqa: E402

NAMES = ("toxicity", "harmful", "bias")
PROBE = "The keys of the boat house hang behind the second door on the left."
C = 8.0
_MOST = 13.8
"""Logits are held within that, as in the scanner."""


class Trainer:
    """One recipe, its rows as vectors."""

    def __init__(self, recipe: Recipe, vector: Callable[[str], Sequence[float]], words: WordVectors) -> None:
        self.recipe = recipe
        self.dev = recipe.dev()
        self.rows = [*self.dev, *recipe.extra()]
        self.X = np.array([vector(canonical(row.text).text) for row in self.rows])
        self.y = np.array([row.positive for row in self.rows], dtype=int)
        self.folds = np.array(folds(groups(self.rows)))
        self.learned = np.array([recipe.learned(row) and row.shipped for row in self.rows])
        self.weights = np.array([row.weight for row in self.rows])
        self.small = SmallTrainer(recipe, words)

    def fitted(self, chosen: Any) -> Any:
        use = chosen & self.learned
        model = LogisticRegression(C=C, max_iter=1000, class_weight="balanced")
        return model.fit(self.X[use], self.y[use], sample_weight=self.weights[use])

    def left_out(self, keys: Sequence[Any]) -> Any:
        """Sums of the development rows, each from a model that has not seen the rows with the same key."""
        z = np.zeros(len(self.dev))
        for key in sorted(set(keys[: len(self.dev)]), key=str):
            model = self.fitted(np.array([one != key for one in keys]))
            at = [number for number in range(len(self.dev)) if keys[number] == key]
            z[at] = model.decision_function(self.X[at])
        return z

    def check(self) -> tuple[float, float, float]:
        """What the vector and the small model count together, and the point under the rails, on sums of models that
        have not seen the row."""
        y = self.y[: len(self.dev)]
        vectors = self.left_out(self.folds.tolist())
        small, point, slope = self._small(y)
        print(report(f"{self.recipe.name}: small model", y, small, 0.0))
        print(report("    vectors", y, vectors, cut_at(y, vectors, self.recipe, self.dev)))
        both = LogisticRegression(C=1e3).fit(np.stack([vectors, small], axis=1), y)
        by_vector, by_small = (float(one) for one in both.coef_[0])
        z = by_vector * vectors + by_small * small
        cut = cut_at(y, z, self.recipe, self.dev)
        print(report("    together", y, z, cut))
        sources_of = [_source(row) for row in self.rows]
        apart = self.small.left_out(self.small.sources.__getitem__)
        left = by_vector * self.left_out(sources_of) + by_small * np.clip(slope * (apart - point), -_MOST, _MOST)
        print(report("    source left out", y, left, cut), flush=True)
        return by_vector, by_small, cut

    def _small(self, y: Any) -> tuple[Any, float, float]:
        """The logits of the small model, as it would say them, and its point and slope."""
        z = self.small.left_out(lambda at: int(self.small.folds[at]))
        point = cut_at(y, z, self.recipe, self.dev)
        platt = LogisticRegression(C=1e3).fit(np.clip(z, -15, 15).reshape(-1, 1), y)
        slope = float(min(3.0, max(0.4, platt.coef_[0][0])))
        return np.clip(slope * (z - point), -_MOST, _MOST), point, slope

    def head(self, by_vector: float, by_small: float, cut: float) -> dict[str, Any]:
        model = self.fitted(np.ones(len(self.rows), dtype=bool))
        return {
            "weights": [round(by_vector * float(one), 3) for one in model.coef_[0]],
            "beside": round(by_small, 4),
            "bias": round(by_vector * float(model.intercept_[0]) - cut, 4),
        }


def _source(row: Row) -> str:
    return "own" if row.own else row.source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    vector = Embedder(EmbedModel(folder=asked.folder), "training").vector
    words = WordVectors(asked.vectors)
    heads, learned = {}, {}
    for name in NAMES:
        trainer = Trainer(RECIPES[name], vector, words)
        heads[name] = trainer.head(*trainer.check())
        learned[name] = sources([row for row, use in zip(trainer.rows, trainer.learned, strict=True) if use])
    if asked.check:
        return
    data = {
        "model": "all-MiniLM-L6-v2",
        "probe": PROBE,
        "vector": [round(one, 4) for one in vector(PROBE)],
        "heads": heads,
        "sources": learned,
    }
    (WEIGHTS / "minilm.json").write_text(json.dumps(data, separators=(",", ":"), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
