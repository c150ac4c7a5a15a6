"""Trains the tables of the language scanner on the words that `sample_language_words.py` has written.

Usage: PYTHONPATH=.:scanners python tools/train_language.py FOLDER [TARGET]

For each script of several languages, the runs of letters that tell most about the language are chosen, and a softmax
regression is fitted on texts of one to sixteen words, new ones in every round.  Its weights are rounded to whole
numbers.  Needs the packages numpy and scipy; the same words give the same table.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections import Counter
from itertools import groupby
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from promptrails_scanners.languages.grams import grams_of
from promptrails_scanners.languages.scripts import MODELLED

TARGET = Path(__file__).resolve().parents[1] / "scanners/promptrails_scanners/languages/weights.bin"
GRAMS = {"latin": 80_000, "cyrillic": 9_000, "arabic": 4_000, "devanagari": 3_000}
"""So many runs of letters are weighed,"""
KEPT = {"latin": 36_000, "cyrillic": 7_500, "arabic": 3_500, "devanagari": 3_000}
"""and so many of them are kept: those that weigh most."""
RAREST = 5
"""Runs that come less often than that in the words of each language are not looked at."""
TEXTS = 4000
"""So many texts of each language in each round."""
LENGTHS = (1, 2, 2, 2, 3, 4, 6, 10, 16)
DISTINCT = 0.25
"""In so many texts every word is as likely as any other, so that rare ones count, too."""
ROUNDS = 10
BATCH = 2048
RATE = 0.03
DECAY = 2e-6
STEPS = 15
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
            if count >= RAREST and gram != " ":
                shares.setdefault(gram, np.zeros(len(words), dtype=np.float32))[at] = count / len(drawn)
    grams = list(shares)
    share = np.array([shares[gram] for gram in grams]) + 1e-5
    told = share * np.abs(np.log(share / share.mean(axis=1, keepdims=True)))
    worth = told.max(axis=1) + told.sum(axis=1) / len(words)
    return sorted(grams[at] for at in np.argsort(-worth, kind="stable")[:most])


class Drawer:
    """Texts as counts of runs of letters."""

    def __init__(self, grams: list[str], words: dict[str, list[str]]) -> None:
        numbers = {gram: at for at, gram in enumerate(grams)}
        places: dict[str, int] = {}
        runs, ends = array("i"), array("q", [0])
        self._size = len(grams)
        self._drawn: list[np.ndarray] = []
        for drawn in words.values():
            for word in drawn:
                if word not in places:
                    places[word] = len(places)
                    runs.extend(numbers[gram] for gram in grams_of(word) if gram in numbers)
                    ends.append(len(runs))
            self._drawn.append(np.array([places[word] for word in drawn], dtype=np.int32))
        self._runs, self._ends = np.frombuffer(runs, dtype=np.int32), np.frombuffer(ends, dtype=np.int64)

    def texts(self, each: int, chance: np.random.Generator) -> tuple[csr_matrix, np.ndarray]:
        """So many texts of each language, and which language that is."""
        picked: list[np.ndarray] = []
        lengths = chance.choice(LENGTHS, (len(self._drawn), each))
        for drawn, sizes in zip(self._drawn, lengths, strict=True):
            distinct = np.unique(drawn)
            often = drawn[chance.integers(0, len(drawn), sizes.sum())]
            rare = distinct[chance.integers(0, len(distinct), sizes.sum())]
            picked.append(np.where(np.repeat(chance.random(each) < DISTINCT, sizes), rare, often))
        return self._matrix(np.concatenate(picked), lengths.ravel()), np.repeat(np.arange(len(self._drawn)), each)

    def _matrix(self, words: np.ndarray, lengths: np.ndarray) -> csr_matrix:
        starts = self._ends[words]
        sizes = self._ends[words + 1] - starts
        begun = np.concatenate([[0], np.cumsum(sizes)])
        columns = self._runs[np.repeat(starts - begun[:-1], sizes) + np.arange(begun[-1])]
        pointers = begun[np.concatenate([[0], np.cumsum(lengths)])]
        counts = np.diff(pointers)
        values = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
        return csr_matrix((values, columns, pointers), shape=(len(lengths), self._size))


def fitted(drawer: Drawer, size: int, classes: int, chance: np.random.Generator) -> np.ndarray:
    """The weights of a softmax regression, by Adam."""
    weights = np.zeros((size, classes), dtype=np.float32)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    step = 0
    for count in range(ROUNDS):
        texts, labels = drawer.texts(TEXTS, chance)
        order = chance.permutation(len(labels))
        rate = RATE * (1 - count / ROUNDS)
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
    unit = float(np.quantile(np.abs(weights), 0.9999)) / STEPS
    return np.clip(np.rint(weights / unit), -STEPS, STEPS).astype(np.int8), unit


def heaviest(weights: np.ndarray, most: int) -> np.ndarray:
    """The places of the runs with the greatest weights, in their order."""
    whole = weights.astype(np.int64)
    heavy = np.abs(whole).max(axis=1) * np.sqrt((whole * whole).sum(axis=1))
    return np.sort(np.argsort(-heavy, kind="stable")[:most])


def written(grams: list[str]) -> str:
    """The runs in their order: a line for all that begin with the same two letters, with how each of them goes on."""
    same = groupby(grams, key=lambda gram: gram[:2])
    return "\n".join("\t".join([first, *(gram[2:] for gram in group)]) for first, group in same)


def main(folder: str, target: str = str(TARGET)) -> None:
    head: list[dict[str, object]] = []
    body: list[bytes] = []
    for script, languages in MODELLED.items():
        chance = np.random.default_rng(7)
        words = {name: Path(folder, f"{name}.txt").read_text(encoding="utf-8").split() for name in languages}
        grams = chosen(words, GRAMS[script])
        drawer = Drawer(grams, words)
        weights, unit = rounded(fitted(drawer, len(grams), len(languages), chance))
        texts, labels = drawer.texts(TEXTS // 4, chance)
        kept = heaviest(weights, KEPT[script])
        grams, weights = [grams[at] for at in kept], weights[kept]
        right = float((np.argmax(texts[:, kept] @ weights, axis=1) == labels).mean())
        print(script, len(grams), "fit", right, flush=True)
        runs = written(grams).encode()
        sizes = {"runs": len(runs), "many": len(grams)}
        head.append({"script": script, "languages": languages, "unit": unit, "steps": STEPS, **sizes})
        body += [runs, (weights + STEPS).astype(np.uint8).tobytes()]
    Path(target).write_bytes(json.dumps(head, separators=(",", ":")).encode() + b"\n" + b"".join(body))
    print(target, Path(target).stat().st_size)


if __name__ == "__main__":
    main(*sys.argv[1:])
