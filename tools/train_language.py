"""Trains the tables of the language scanner on the words that `sample_language_words.py` has written.

Usage: PYTHONPATH=.:scanners python tools/train_language.py FOLDER

For each script of several languages, the runs of letters that tell most about the language are chosen, and a softmax
regression is fitted on texts of one to thirty words.  Its weights are rounded to whole numbers.  Needs the packages
numpy and scipy; the same words give the same table.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from promptrails_scanners.languages.grams import grams_of
from promptrails_scanners.languages.scripts import MODELLED

TARGET = Path(__file__).resolve().parents[1] / "scanners/promptrails_scanners/languages/weights.bin"
GRAMS = {"latin": 18000, "cyrillic": 3000, "arabic": 1200, "devanagari": 600}
TEXTS = 4000
"""So many texts of each language."""
LENGTHS = (1, 2, 2, 2, 3, 4, 6, 10, 16)
EPOCHS = 10
BATCH = 2048
RATE = 0.03
DECAY = 2e-6
STEPS = 31
"""Weights are whole numbers from minus so many to so many."""


def chosen(words: dict[str, list[str]], most: int) -> list[str]:
    """The runs of letters that tell most about the language."""
    shares: dict[str, np.ndarray] = {}
    for at, drawn in enumerate(words.values()):
        counted: Counter[str] = Counter()
        for word, count in Counter(drawn).items():
            for gram in grams_of(word):
                counted[gram] += count
        for gram, count in counted.items():
            if count >= 12 and gram != " ":
                shares.setdefault(gram, np.zeros(len(words)))[at] = count / len(drawn)
    grams = list(shares)
    share = np.array([shares[gram] for gram in grams]) + 1e-5
    told = share * np.abs(np.log(share / share.mean(axis=1, keepdims=True)))
    worth = told.max(axis=1) + told.sum(axis=1) / len(words)
    return sorted(grams[at] for at in np.argsort(-worth)[:most])


class Drawer:
    """Texts as counts of runs of letters."""

    def __init__(self, grams: list[str]) -> None:
        self._numbers = {gram: at for at, gram in enumerate(grams)}
        self._kept: dict[str, np.ndarray] = {}

    def word(self, word: str) -> np.ndarray:
        found = self._kept.get(word)
        if found is None:
            numbers = [self._numbers[gram] for gram in grams_of(word) if gram in self._numbers]
            found = self._kept[word] = np.array(numbers, dtype=np.int32)
        return found

    def texts(self, words: dict[str, list[str]], chance: np.random.Generator) -> tuple[csr_matrix, np.ndarray]:
        rows, labels = [], []
        for label, drawn in enumerate(words.values()):
            lengths = chance.choice(LENGTHS, TEXTS)
            ends = np.cumsum(lengths)
            picks = chance.integers(0, len(drawn), ends[-1])
            vectors = [self.word(drawn[pick]) for pick in picks]
            for start, end in zip(ends - lengths, ends, strict=True):
                rows.append(np.concatenate(vectors[start:end]))
                labels.append(label)
        return self.matrix(rows), np.array(labels)

    def matrix(self, rows: list[np.ndarray]) -> csr_matrix:
        sizes = np.array([len(row) for row in rows])
        values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
        pointers = np.concatenate([[0], np.cumsum(sizes)])
        return csr_matrix((values, np.concatenate(rows), pointers), shape=(len(rows), len(self._numbers)))


def fitted(texts: csr_matrix, labels: np.ndarray, classes: int, chance: np.random.Generator) -> np.ndarray:
    """The weights of a softmax regression, by Adam."""
    weights = np.zeros((texts.shape[1], classes), dtype=np.float32)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    step = 0
    for epoch in range(EPOCHS):
        order = chance.permutation(len(labels))
        rate = RATE * (1 - epoch / EPOCHS)
        for start in range(0, len(order), BATCH):
            picked = order[start : start + BATCH]
            batch = texts[picked]
            scores = batch @ weights
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores /= scores.sum(axis=1, keepdims=True)
            scores[np.arange(len(picked)), labels[picked]] -= 1
            slope = (batch.T @ scores) / len(picked) + DECAY * weights
            step += 1
            mean += 0.1 * (slope - mean)
            square += 0.01 * (slope * slope - square)
            weights -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-6)
    return weights - weights.mean(axis=1, keepdims=True)


def rounded(weights: np.ndarray) -> tuple[np.ndarray, float]:
    """The weights as whole numbers, and what one of them is worth."""
    unit = float(np.quantile(np.abs(weights), 0.999)) / STEPS
    return np.clip(np.rint(weights / unit), -STEPS, STEPS).astype(np.int8), unit


def main(folder: str) -> None:
    head: list[dict[str, object]] = []
    body: list[bytes] = []
    for script, languages in MODELLED.items():
        chance = np.random.default_rng(7)
        words = {name: Path(folder, f"{name}.txt").read_text(encoding="utf-8").split() for name in languages}
        grams = chosen(words, GRAMS[script])
        texts, labels = Drawer(grams).texts(words, chance)
        weights, unit = rounded(fitted(texts, labels, len(languages), chance))
        print(script, texts.shape, "fit", float((np.argmax(texts @ weights, axis=1) == labels).mean()))
        head.append({"script": script, "languages": languages, "grams": grams, "unit": unit, "steps": STEPS})
        body.append((weights + STEPS).astype(np.uint8).T.tobytes())
    packed = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" + b"".join(body)
    TARGET.write_bytes(zlib.compress(packed, 9))
    print(TARGET.name, TARGET.stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1])
