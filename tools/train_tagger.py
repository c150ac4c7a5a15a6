"""Trains the tagger of names and addresses, and says how good it is.

Usage: python tools/train_tagger.py FOLDER [--write FILE] [--epochs N] [--folds N]

FOLDER holds pii.jsonl, sensitive.jsonl and anonymize.jsonl, a row a line: text, label, source, and spans (start, end,
type).  Without --write it trains on rows whose templates are not those that it is tested on, and prints the figures for
several settings; then it trains without a source that it is tested on.  Texts of the other files of the folder tell
which words are common; nothing else is taken from them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scanners"), str(ROOT / "tools")]

from tagger_texts import Pieces, Writer  # noqa: E402

from promptrails_scanners.foundation.views import folded  # noqa: E402
from promptrails_scanners.personal import features, tagger  # noqa: E402

Row = dict[str, Any]
PLACES = {"ADDRESS", "LOCATION", "ZIP_CODE"}
N = len(tagger.LABELS)
WIDTH = 34
"""The most buckets that a token has."""
SETTINGS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


# ------------------------------------------------------------------ rows


def read(folder: Path) -> dict[str, list[Row]]:
    """The labelled rows of each file."""
    names = ("pii", "sensitive", "anonymize")
    return {name: [json.loads(line) for line in open(folder / f"{name}.jsonl", encoding="utf-8")] for name in names}


def merged(row: Row) -> list[tuple[int, int, str]]:
    """Its persons and addresses; an address takes in the towns, countries and codes that belong to it."""
    text, spans = row["text"], sorted(tuple(one) for one in row.get("spans") or [])
    persons = [one for one in spans if one[2] == "PERSON"]
    groups: list[list[tuple[int, int, str]]] = []
    for one in spans:
        if one[2] not in PLACES:
            continue
        if groups and re.fullmatch(r"[\s,>?]{0,12}", text[groups[-1][-1][1] : one[0]]):
            groups[-1].append(one)
        else:
            groups.append([one])
    places = [(g[0][0], g[-1][1], "ADDRESS") for g in groups if any(one[2] == "ADDRESS" for one in g)]
    return sorted(persons + places)


def pieces(row: Row) -> Pieces:
    found: Pieces = []
    after = 0
    for start, end, kind in merged(row):
        if start < after:
            continue
        found += (row["text"][after:start], ""), (row["text"][start:end], kind)
        after = end
    return [*found, (row["text"][after:], "")]


def skeleton(row: Row) -> str:
    """The template that a row was made from."""
    text = row["text"]
    for start, end, kind in sorted(row.get("spans") or [], reverse=True):
        text = text[:start] + ("<ADDRESS>" if kind in PLACES else f"<{kind}>") + text[end:]
    plain = re.sub(r"(<ADDRESS>[\s,]*)+", "<ADDRESS>", re.sub(r"\d+", "0", text))
    return re.sub(r"\W+", " ", plain).lower().strip()


def usable(row: Row) -> bool:
    """Whether it says where all names are: in prompts and exercises they are not labelled."""
    return not row.get("structured_only")


# ------------------------------------------------------------------ examples


class Lexicon:
    """Words with their buckets, for one table of common words."""

    def __init__(self, common: bytes) -> None:
        self.common = common
        self._words: dict[str, features.Word] = {}

    def word(self, token: str) -> features.Word:
        found = self._words.get(token)
        if found is None:
            found = self._words[token] = features.describe(token, self.common)
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
            words = [features.NOTHING] * 2 + [self.word(token.text) for token in part] + [features.NOTHING] * 2
            buckets = [
                tuple(b for d in range(5) for b in words[i + d].around[d]) + features.joint(words, i, line)
                for i, line in enumerate(features.lines(part))
            ]
            yield [one + (features.BUCKETS,) * (WIDTH - len(one)) for one in buckets], labels


def common_words(folder: Path, least: int = 4) -> bytes:
    """The table of words that stand in lower case in several texts of the folder."""
    count: Counter[str] = Counter()
    for path in sorted(folder.glob("*.jsonl*")):
        if path.name.split(".")[0] in ("language", "pii_fixtures", "malicious_urls", "invisible_text", "secrets"):
            continue
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                text = row["text"]
                if text.islower() and row.get("spans"):
                    continue
                for start, end, _ in sorted(row.get("spans") or [], reverse=True):
                    if path.name[:4] in ("pii.", "sens", "anon"):
                        text = text[:start] + " " + text[end:]
                count.update(set(re.findall(r"(?<![\w'\u2019])[a-z]{2,20}(?![\w])", text)))
    table = bytearray(features.COMMON_BITS // 8)
    names = {word for word, bits in features.lists().items() if bits & features.NAMES}
    for word, times in count.items():
        if times >= (25 if word in names else least):
            bit = features.common_bit(word)
            table[bit >> 3] |= 1 << (bit & 7)
    return bytes(table)


# ------------------------------------------------------------------ training


class Field:
    """A conditional random field in numpy, trained by Adam on batches."""

    def __init__(self, seed: int = 0) -> None:
        self.weights = np.zeros((features.BUCKETS + 1, N), dtype=np.float32)
        self.moves = np.zeros((N, N), dtype=np.float32)
        self.starts = np.zeros(N, dtype=np.float32)
        self._random = np.random.default_rng(seed)
        self._steps = 0
        self._moments = [[np.zeros_like(one), np.zeros_like(one)] for one in (self.weights, self.moves, self.starts)]

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
        for value, slope, moments in zip((self.weights, self.moves, self.starts), slopes, self._moments, strict=True):
            moments[0] = 0.9 * moments[0] + 0.1 * slope
            moments[1] = 0.999 * moments[1] + 0.001 * slope**2
            step = rate / (1 - 0.9**self._steps)
            value[...] -= step * moments[0] / (np.sqrt(moments[1] / (1 - 0.999**self._steps)) + 1e-4)

    def packed(self, common: bytes, step: int = 6) -> bytes:
        """The file for the package; weights are rounded to multiples of `step`, which makes the file half as large."""
        weights = self.weights[: features.BUCKETS]
        top = float(np.quantile(np.abs(weights[weights != 0]), 0.9995))
        scale = top / 126
        whole = np.clip(np.rint(weights / scale / step) * step, -126, 126).astype(np.int8)
        return tagger.pack(common, whole.tobytes(), scale, self.moves.tolist(), self.starts.tolist())


def train(rows: Sequence[Row], common: bytes, epochs: int, seed: int = 0) -> Field:
    """A field trained on the rows and on variants of them."""
    pick, field, lexicon = random.Random(seed), Field(seed), Lexicon(common)
    writer = Writer(pick)
    known = [pieces(row) for row in rows]
    for epoch in range(epochs):
        some = [part for one in writer.documents(known) for part in lexicon.examples(one)]
        some.sort(key=lambda part: len(part[1]) + pick.random() * 8)
        batches = [some[at : at + 32] for at in range(0, len(some), 32)]
        pick.shuffle(batches)
        rate = 0.03 * (1 - epoch / epochs) + 0.002
        for batch in batches:
            field.learn(batch, rate, drop=0.2, l2=2e-5)
    return field


# ------------------------------------------------------------------ figures


def forget() -> None:
    """Drops what is kept of the weights that were used last."""
    for one in (tagger._known, tagger._lines, tagger._row):
        one.cache_clear()


def figures(data: bytes, rows: Sequence[Row], least: float) -> dict[str, tuple[int, int, int, int]]:
    """For each kind: values covered to 80 %, values, places told, places told that touch a value."""
    loaded = tagger.unpack(data)
    result = {kind: [0, 0, 0, 0] for kind in ("PERSON", "ADDRESS")}
    lexicon = Lexicon(loaded.common)
    del lexicon
    forget()
    saved, tagger.model = tagger.model, lambda: loaded  # type: ignore[assignment]
    kept, tagger.likely = tagger.likely, tagger.likely.__wrapped__  # type: ignore[attr-defined]
    try:
        for row in rows:
            view = folded(row["text"])
            told = [(*view.origin(t.start, t.end), t.type) for t in tagger.tag(view.text, least, least)]
            gold = [tuple(one) for one in row.get("spans") or []]
            for kind, counts in result.items():
                cover = {at for s, e, t in told for at in range(s, e) if t == kind}
                for s, e, t in gold:
                    if t == kind:
                        counts[1] += 1
                        counts[0] += sum(at in cover for at in range(s, e)) >= 0.8 * (e - s)
                fits = (kind,) if kind == "PERSON" else tuple(PLACES)
                for s, e, t in told:
                    if t == kind:
                        counts[2] += 1
                        counts[3] += any(a < e and b > s and k in fits for a, b, k in gold)
    finally:
        tagger.model, tagger.likely = saved, kept
        forget()
    return {kind: tuple(counts) for kind, counts in result.items()}  # type: ignore[misc]


def show(name: str, counts: Mapping[float, Mapping[str, Sequence[int]]]) -> None:
    for least, kinds in counts.items():
        said = [
            f"{kind} R {c[0] / max(1, c[1]):.3f} P {c[3] / max(1, c[2]):.3f} ({c[1]} values)"
            for kind, c in kinds.items()
        ]
        print(f"{name:28} at {least}: {'; '.join(said)}", flush=True)


def crossed(rows: Mapping[str, list[Row]], common: bytes, epochs: int, folds: int) -> None:
    """Prints the figures on templates that were not trained on."""
    every = [row for name in ("pii", "sensitive") for row in rows[name] if usable(row)]
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in every:
        groups[skeleton(row)].append(row)
    keys = sorted(groups)
    random.Random(7).shuffle(keys)
    total: dict[str, dict[float, dict[str, list[int]]]] = {}
    for fold in range(folds):
        test = {id(row) for key in keys[fold::folds] for row in groups[key]}
        field = train([row for row in every if id(row) not in test], common, epochs, fold)
        data = field.packed(common)
        for name in ("pii", "sensitive presidio", "sensitive wnut"):
            of = [r for r in rows[name.split()[0]] if id(r) in test]
            of = [r for r in of if name == "pii" or ("wnut" in name) == ("WNUT" in r["source"])]
            for least in SETTINGS:
                for kind, counts in figures(data, of, least).items():
                    sums = total.setdefault(name, {}).setdefault(least, {}).setdefault(kind, [0] * 4)
                    sums[:] = [a + b for a, b in zip(sums, counts, strict=True)]
    for name, found in total.items():
        show(f"{folds} folds, {name}", found)


def without_source(rows: Mapping[str, list[Row]], common: bytes, epochs: int) -> None:
    """Prints the figures on each source when it was not trained on."""
    every = [row for name in ("pii", "sensitive") for row in rows[name] if usable(row)]
    for part in ("WNUT", "presidio-research"):
        field = train([row for row in every if part not in row["source"]], common, epochs)
        test = [row for row in every if part in row["source"]]
        data = field.packed(common)
        show(f"without {part}", {least: figures(data, test, least) for least in (0.3, 0.5)})


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--folds", type=int, default=4)
    given = parser.parse_args(argv)
    rows = read(given.folder)
    common = common_words(given.folder)
    print(f"common words: {sum(bin(one).count('1') for one in common)} bits", flush=True)
    if given.write is None:
        crossed(rows, common, given.epochs, given.folds)
        without_source(rows, common, given.epochs)
        return 0
    field = train([row for name in rows for row in rows[name] if usable(row)], common, given.epochs)
    data = field.packed(common)
    given.write.write_bytes(data)
    print(f"{given.write}: {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
