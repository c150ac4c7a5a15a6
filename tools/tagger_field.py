"""The training of the tagger: a conditional random field in numpy."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scanners"), str(ROOT / "tools")]

from tagger_rows import Row, pieces  # noqa: E402
from tagger_texts import Pieces, Writer  # noqa: E402

from promptrails_scanners.foundation.views import folded  # noqa: E402
from promptrails_scanners.personal import features, tagger, weights  # noqa: E402

N = len(weights.LABELS)
WIDTH = 34
"""The most buckets that a token has."""
UNLISTED = 0.15
"""So many names are shown as if no list had them: others than these will come."""


class Lexicon:
    """Words with their buckets, for these tables of words."""

    def __init__(self, tables: features.Tables, pick: random.Random) -> None:
        self._tables, self._pick = tables, pick
        self._words: dict[tuple[str, bool], features.Word] = {}

    def word(self, token: str, unlisted: bool = False) -> features.Word:
        """A token's word, also as it would be if no list of names had it."""
        found = self._words.get((token, unlisted))
        if found is None:
            known = features.known(token.lower(), self._tables)
            if unlisted:
                known &= ~features.NAMES
            found = self._words[token, unlisted] = features.word(token, known)
        return found

    def examples(self, some: Pieces) -> Iterator[tuple[list[tuple[int, ...]], list[int]]]:
        """The buckets and the label of each token, part by part."""
        text = "".join(piece for piece, _ in some)
        marks = np.zeros(len(text) + 1, dtype=np.int8)
        firsts = set()
        at = 0
        for piece, kind in some:
            if kind:
                marks[at : at + len(piece)] = 1 if kind == "PERSON" else 3
                firsts.add(at)
            at += len(piece)
        view = folded(text)
        for part in tagger.parts(view.text):
            labels: list[int] = []
            for token in part:
                start, end = view.origin(token.start, token.end)
                mark = int(marks[start])
                begins = any(place in firsts for place in range(start, end)) or (labels or [0])[-1] not in (
                    mark,
                    mark + 1,
                )
                labels.append(mark if not mark or begins else mark + 1)
            hidden = {token.text for token in part if self._pick.random() < UNLISTED}
            known = [self.word(t.text, bool(label) and t.text in hidden) for t, label in zip(part, labels, strict=True)]
            words = [features.NOTHING] * 2 + known + [features.NOTHING] * 2
            buckets = [
                tuple(b for d in range(5) for b in words[i + d].around[d]) + features.joint(words, i, line)
                for i, line in enumerate(features.lines(part))
            ]
            yield [one + (features.BUCKETS,) * (WIDTH - len(one)) for one in buckets], labels


class Field:
    """A conditional random field in numpy, trained by Adam on batches."""

    def __init__(self, seed: int = 0) -> None:
        self.weights = np.zeros((features.BUCKETS + 1, N), dtype=np.float32)
        self.moves = np.zeros((N, N), dtype=np.float32)
        self.starts = np.zeros(N, dtype=np.float32)
        self._random = np.random.default_rng(seed)
        self._steps = 0
        self._summed = [np.zeros_like(one) for one in self._values()]
        self._times = 0
        self._moments = [[np.zeros_like(one), np.zeros_like(one)] for one in self._values()]

    def _values(self) -> tuple[Any, Any, Any]:
        return self.weights, self.moves, self.starts

    def remember(self) -> None:
        """Counts the weights as they are now for the average."""
        self._times += 1
        for total, value in zip(self._summed, self._values(), strict=True):
            np.add(total, value, out=total)

    def average(self) -> None:
        """Takes the average of the weights that were remembered: it swings less than the last ones."""
        for total, value in zip(self._summed, self._values(), strict=True):
            value[...] = total / self._times

    def learn(
        self, batch: Sequence[tuple[list[tuple[int, ...]], list[int]]], rate: float, drop: float, l2: float
    ) -> None:
        """One step; `drop` of the buckets are left out at random."""
        size, longest = len(batch), max(len(labels) for _, labels in batch)
        width = len(batch[0][0][0])
        index = np.full((size, longest, width), features.BUCKETS, dtype=np.int64)
        gold = np.zeros((size, longest), dtype=np.int64)
        real = np.zeros((size, longest), dtype=bool)
        for at, (buckets, labels) in enumerate(batch):
            index[at, : len(labels)] = buckets
            gold[at, : len(labels)] = labels
            real[at, : len(labels)] = True
        index[self._random.random(index.shape) < drop] = features.BUCKETS
        emit = self.weights[index].sum(axis=2, dtype=np.float32)
        chance, pairs = self._expect(emit, real)
        eye = np.eye(N, dtype=np.float32)
        wrong = (chance - eye[gold]) * real[..., None]
        both = real[:, 1:] & real[:, :-1]
        seen = np.zeros((N, N), dtype=np.float32)
        np.add.at(seen, (gold[:, :-1][both], gold[:, 1:][both]), 1)
        flat = index.reshape(-1)
        repeated = np.repeat(wrong.reshape(-1, N), width, axis=0)
        slope = np.stack(
            [np.bincount(flat, weights=repeated[:, i], minlength=features.BUCKETS + 1) for i in range(N)], axis=1
        )
        slope[features.BUCKETS] = 0
        slopes = (slope / size + l2 * self.weights, (pairs - seen) / size, wrong[:, 0].sum(axis=0) / size)
        self._step(slopes, rate)

    def _expect(self, emit: Any, real: Any) -> tuple[Any, Any]:
        """How likely each label is at each token, and how often each pair is expected."""
        _, longest, _ = emit.shape
        score = np.exp(emit - emit.max(axis=2, keepdims=True))
        moves = np.exp(self.moves)
        forward = np.zeros_like(score)
        now = np.exp(self.starts) * score[:, 0]
        forward[:, 0] = now / now.sum(axis=1, keepdims=True)
        for at in range(1, longest):
            now = (forward[:, at - 1] @ moves) * score[:, at]
            forward[:, at] = np.where(real[:, at, None], now / now.sum(axis=1, keepdims=True), forward[:, at - 1])
        back = np.ones_like(score)
        pairs = np.zeros((N, N), dtype=np.float32)
        for at in range(longest - 2, -1, -1):
            later = score[:, at + 1] * back[:, at + 1]
            now = later @ moves.T
            use = real[:, at + 1, None]
            back[:, at] = np.where(use, now / now.sum(axis=1, keepdims=True), 1.0)
            joint = forward[:, at, :, None] * moves * later[:, None, :]
            joint /= joint.sum(axis=(1, 2), keepdims=True)
            pairs += (joint * use[..., None]).sum(axis=0)
        both = forward * back
        return both / both.sum(axis=2, keepdims=True), pairs

    def _step(self, slopes: Iterable[Any], rate: float) -> None:
        self._steps += 1
        for value, slope, moments in zip(self._values(), slopes, self._moments, strict=True):
            moments[0] = 0.9 * moments[0] + 0.1 * slope
            moments[1] = 0.999 * moments[1] + 0.001 * slope**2
            step = rate / (1 - 0.9**self._steps)
            value[...] -= step * moments[0] / (np.sqrt(moments[1] / (1 - 0.999**self._steps)) + 1e-4)

    def packed(self, tables: features.Tables, step: int = 6) -> bytes:
        """The file for the package; weights are rounded to multiples of `step`, which makes the file half as large."""
        values = self.weights[: features.BUCKETS]
        top = float(np.quantile(np.abs(values[values != 0]), 0.9995))
        scale = top / 126
        whole = np.clip(np.rint(values / scale / step) * step, -126, 126).astype(np.int8)
        return weights.pack(tables, whole.tobytes(), scale, self.moves.tolist(), self.starts.tolist())


def train(rows: Sequence[Row], tables: features.Tables, epochs: int, seed: int = 0) -> Field:
    """A field trained on the rows and on variants of them."""
    pick, field = random.Random(seed), Field(seed)
    lexicon = Lexicon(tables, pick)
    writer = Writer(pick)
    known = [pieces(row) for row in rows]
    for epoch in range(epochs):
        some = [part for one in writer.documents(known) for part in lexicon.examples(one)]
        some.sort(key=lambda part: len(part[1]) + pick.random() * 8)
        batches = [some[at : at + 32] for at in range(0, len(some), 32)]
        pick.shuffle(batches)
        rate = 0.03 * (1 - epoch / epochs) + 0.002
        for at, batch in enumerate(batches):
            field.learn(batch, rate, drop=0.2, l2=2e-5)
            if epoch >= epochs // 2 and not at % 10:
                field.remember()
    field.average()
    return field
