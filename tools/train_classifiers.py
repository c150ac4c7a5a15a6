"""Trains the models of the scanners and writes their weights, with a manifest of what they were trained on.

Wants scikit-learn and msgpack, in an environment of its own; the package itself does without.  The same rows,
sentences, vectors and version of scikit-learn (1.9.1) give the same weights.

Some models know what words mean: a head over vectors of words is fitted together with the rest, and what ships of it is
one number for each word.  FOLDER2 has the vectors; `word_vectors.py` says which, and where they are from.

    python tools/train_classifiers.py --data FOLDER --vectors FOLDER2   train all, and write weights and manifest
    python tools/train_classifiers.py --vectors FOLDER2 [NAME ...]      train these, on the rows beside the repository
    python tools/train_classifiers.py --vectors FOLDER2 --check [NAME]  only print what cross-validation says
    python tools/train_classifiers.py --evasions NAME   recall per trick on the development rows, of the shipped weights
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / name) for name in ("scanners", "")]

from classifier_recipes import RECIPES, Recipe  # noqa: E402
from classifier_rows import DATA, ROOT, Row, folds, groups, shared  # noqa: E402
from evasions import TRICKS, any_trick  # noqa: E402
from word_vectors import Common, Table, WordVectors  # noqa: E402

from promptrails_scanners.foundation import linear  # noqa: E402
from promptrails_scanners.foundation.linear import Head  # noqa: E402
from promptrails_scanners.foundation.views import canonical, deleeted  # noqa: E402

KIND_BITS = 12
ALL_KINDS = (*RECIPES, "ban_topics", "language", "sensitive", "pii")
"""Files whose texts tell which words are common."""
SIGNAL = 0.4
"""What a signal counts in training, so that words keep a say beside the rules."""
WEIGHTS = ROOT / "scanners" / "promptrails_scanners" / "weights"
Heads = Mapping[str, Head]


def read_as(text: str) -> str:
    """The text as the scanner reads it."""
    view = canonical(text)
    return (deleeted(view) or view).text


# ------------------------------------------------------------------ matrices and fits


def matrix(recipe: Recipe, rows: Sequence[Row], names: Sequence[str], bits: int) -> Any:
    """A row for each text: its buckets, then its signals by `names`."""
    data: list[float] = []
    columns: list[int] = []
    ends = [0]
    size = 1 << bits
    index = {name: size + at for at, name in enumerate(names)}
    for row in rows:
        text = recipe.shown(read_as(row.text))
        found = linear.buckets(text)
        counted = Counter(bucket & (size - 1) for bucket in found)
        columns += counted
        data += [many / max(1, len(found)) ** 0.5 for many in counted.values()]
        for name, value in recipe.signals(text).items():
            if name in index:
                columns.append(index[name])
                data.append(value * SIGNAL)
        ends.append(len(columns))
    shape = (len(rows), size + len(names))
    return sparse.csr_matrix((np.array(data), np.array(columns, dtype=np.int32), np.array(ends)), shape=shape)


def signal_names(recipe: Recipe, rows: Sequence[Row]) -> list[str]:
    names = {name for row in rows for name in recipe.signals(recipe.shown(read_as(row.text)))}
    return sorted(names - set(recipe.fixed))


def model_of(X: Any, y: Any, weights: Any, c: float) -> Any:
    """A linear model."""
    model = LogisticRegression(C=c, max_iter=500, class_weight="balanced", solver="liblinear", random_state=0)
    return model.fit(X, y, sample_weight=weights)


def model_with_vectors(X: Any, y: Any, weights: Any, c: float) -> Any:
    """The same by a solver that does not mind that some columns have a number for every text."""
    return LogisticRegression(C=c, max_iter=1000, class_weight="balanced").fit(X, y, sample_weight=weights)


def contrasts(X: Any, y: Any, weights: Any, power: float) -> Any:
    """What each column counts: the more, the more its part of the positive rows differs from that of the others, so
    that the fit need not find that out of few rows (Wang and Manning 2012).  All together count what they did."""
    there = X.copy()
    there.data = np.ones_like(there.data)
    logs = [np.log(_share(there[y == one], weights[y == one])) for one in (0, 1)]
    count = np.abs(logs[1] - logs[0]) ** power
    scaled = X.multiply(count[np.newaxis, :])
    return count * np.sqrt(X.multiply(X).sum() / scaled.multiply(scaled).sum())


def _share(there: Any, weights: Any) -> Any:
    return (there.T @ weights + 1.0) / (weights.sum() + 2.0)


def head_of(name: str, model: Any, names: Sequence[str], bits: int) -> Head:
    """A head with integer weights, as it will ship."""
    size = 1 << bits
    drawn = model.coef_[0][:size]
    scale = float(np.abs(drawn).max()) / 127 or 1.0
    whole = np.clip(np.rint(drawn / scale), -127, 127).astype(int) + linear.ZERO
    signals = model.coef_[0][size : size + len(names)]
    ours = {one: round(float(value) * SIGNAL, 4) for one, value in zip(names, signals, strict=True)}
    repeated = bytes(whole.tolist()) * (1 << (linear.BITS - bits))
    return Head(name, scale, float(model.intercept_[0]), 1.0, ours, repeated)


def folded(X: Any, bits: int, fewer: int) -> Any:
    """The matrix with fewer buckets."""
    size, small = 1 << bits, 1 << fewer
    ones = (np.ones(size), (np.arange(size), np.arange(size) % small))
    return sparse.hstack([X[:, :size] @ sparse.csr_matrix(ones, shape=(size, small)), X[:, size:]]).tocsr()


def kind_heads(recipe: Recipe, X: Any, rows: Sequence[Row], chosen: Any, names: Sequence[str]) -> dict[str, Head]:
    """The heads that say of which kind."""
    weights = np.array([row.weight for row in rows])
    of = [recipe.kind_of(row) for row in rows]
    use = chosen & np.array([bool(one) for one in of])
    small = folded(X, recipe.bits, KIND_BITS)
    heads: dict[str, Head] = {}
    for kind in recipe.kinds:
        y = np.array([kind in one.split() for one in of], dtype=int)
        heads[kind] = head_of(kind, model_of(small[use], y[use], weights[use], recipe.c), names, KIND_BITS)
    return heads


# ------------------------------------------------------------------ what it would say


def sums(recipe: Recipe, heads: Heads, texts: Iterable[str]) -> Any:
    """What the scanner makes of texts, as a sum whose scale is that of the first head."""
    scanner = recipe.scanner(dict(recipe.options))
    scanner.heads = lambda: heads
    scanner.kinds = lambda: linear.Together({})
    scanner.certain = 1.0
    found = []
    for text in texts:
        score = min(max(scanner.scan(text).score, 1e-9), 1 - 1e-9)
        found.append(log(score / (1 - score)))
    return np.array(found)


def cut_at(y: Any, z: Any, recipe: Recipe, rows: Sequence[Row]) -> float:
    """The lowest point at which every rail on false alarms holds."""
    lowest = _point(z[y == 0], recipe.fpr)
    for prefix, most in recipe.rails.items():
        held = np.array([not row.positive and f"{row.source}|{row.part}".startswith(prefix) for row in rows])
        if held.any():
            lowest = max(lowest, _point(z[held], most))
    return lowest


def _point(negatives: Any, most: float) -> float:
    ordered = np.sort(negatives)[::-1]
    return float(ordered[min(len(ordered) - 1, int(most * len(ordered)))]) + 1e-3


def report(title: str, y: Any, z: Any, point: float) -> str:
    over = z > point
    hit, false = int((over & (y == 1)).sum()), int((over & (y == 0)).sum())
    precision, recall = hit / max(1, hit + false), hit / max(1, int((y == 1).sum()))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    fpr = false / max(1, int((y == 0).sum()))
    return f"{title:24} P {precision:.3f}  R {recall:.3f}  F1 {f1:.3f}  FPR {fpr:.3f}"


def by_source(rows: Sequence[Row], y: Any, z: Any, point: float, part: bool) -> None:
    slices: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for row, label, value in zip(rows, y, z, strict=True):
        slices[row.source[:40] + (f" | {row.part[:24]}" if part else "")].append((label, value > point))
    for name, pairs in sorted(slices.items()):
        good = [over for label, over in pairs if label]
        bad = [over for label, over in pairs if not label]
        said = f"recall {np.mean(good):.3f} of {len(good)}  " if good else ""
        print(f"    {name:66} {said}" + (f"FPR {np.mean(bad):.3f} of {len(bad)}" if bad else ""))


# ------------------------------------------------------------------ one model


@cache
def _common() -> Common:
    return Common(row.text for name in ALL_KINDS for row in shared(name))


class Trainer:
    """One recipe with its rows as numbers."""

    def __init__(self, recipe: Recipe, vectors: WordVectors | None = None) -> None:
        self.recipe = recipe
        self.vectors = vectors
        self.dev = recipe.dev()
        known = [*self.dev, *recipe.extra()]
        twins = [at for at, row in enumerate(self.dev) if at % 5 == 0 and len(row.text) < 600]
        self.rows = [
            *known,
            *(
                replace(self.dev[at], text=any_trick(self.dev[at].text, at), source="tricks", weight=0.3)
                for at in twins
            ),
        ]
        numbers = groups(known)
        self.folds = np.array(folds([*numbers, *(numbers[at] for at in twins)]))
        named = ["own" if row.own else row.source for row in known]
        self.sources = [*named, *(named[at] for at in twins)]
        """Of each row, that of the row it was made from."""
        self.names = signal_names(recipe, self.rows)
        self.X = matrix(recipe, self.rows, self.names, recipe.bits)
        self.texts = [recipe.shown(read_as(row.text)) for row in self.rows]
        self.table = None if vectors is None else Table(vectors, self.texts, _common(), recipe.meaning)
        self.V = None if self.table is None else self.table.sums(self.texts)
        self.y = np.array([row.positive for row in self.dev], dtype=int)
        self.learned = np.array([recipe.learned(row) and row.shipped for row in self.rows])

    def heads(self, chosen: Any) -> dict[str, Head]:
        """The head that says whether."""
        use = chosen & self.learned
        name, bits, c = self.recipe.name, self.recipe.bits, self.recipe.c
        y = np.array([row.positive for row in self.rows], dtype=int)[use]
        weights = np.array([row.weight for row in self.rows])[use]
        size = 1 << bits
        drawn = self.X[use]
        counts = np.ones(drawn.shape[1])
        if self.recipe.contrast:
            counts[:size] = contrasts(drawn[:, :size], y, weights, self.recipe.contrast)
        X = (drawn @ sparse.diags(counts)).tocsr()
        if self.table is None:
            model = model_of(X, y, weights, c)
        else:
            model = model_with_vectors(sparse.hstack([X, sparse.csr_matrix(self.V[use])]).tocsr(), y, weights, c)
        model.coef_[0][: len(counts)] *= counts
        head = head_of(name, model, self.names, bits)
        if self.table is not None:
            known = [text for text, one in zip(self.texts, use, strict=True) if one]
            head = replace(head, meanings=self.table.meanings(model.coef_[0][len(counts) :], known))
        return {name: head}

    def left_out(self, apart: Callable[[int], Any]) -> Any:
        """Sums of the development rows, each from a model that has not seen the rows that `apart` says go together."""
        keys = [apart(at) for at in range(len(self.rows))]
        z = np.zeros(len(self.dev))
        for key in sorted(set(keys[: len(self.dev)]), key=str):
            heads = self.heads(np.array([one != key for one in keys]))
            at = [number for number in range(len(self.dev)) if keys[number] == key]
            z[at] = sums(self.recipe, heads, [self.dev[number].text for number in at])
        return z

    def check(self, part: bool, wrong: int = 0) -> tuple[float, float]:
        """The point under the rails and the slope there, on cross-validated sums."""
        z = self.left_out(lambda at: int(self.folds[at]))
        point = cut_at(self.y, z, self.recipe, self.dev)
        print(report(f"{self.recipe.name}: folds", self.y, z, point))
        for most in (0.01, 0.03, 0.05, 0.10, 0.15):
            print(report(f"    at FPR {most}", self.y, z, _point(z[self.y == 0], most)))
        left = self.left_out(self.sources.__getitem__)
        print(report("    source left out", self.y, left, point))
        by_source(self.dev, self.y, z, point, part)
        for row, label, value in zip(self.dev, self.y, z, strict=True):
            if (value > point) != bool(label) and wrong > 0:
                wrong -= 1
                print(
                    "MISS " if label else "FALSE",
                    f"{value - point:+.1f}",
                    row.source[:16],
                    row.part[:16],
                    repr(row.text[:150]),
                )
        platt = LogisticRegression(C=1e3).fit(np.clip(z, -15, 15).reshape(-1, 1), self.y)
        return point, float(min(3.0, max(0.4, platt.coef_[0][0])))

    def write(self, point: float, slope: float) -> dict[str, Any]:
        """The entry of the manifest, after the weights have been written."""
        heads = self.heads(np.ones(len(self.rows), dtype=bool))
        first = heads[self.recipe.name]
        heads[self.recipe.name] = replace(first, bias=first.bias - point, slope=slope)
        files = {self.recipe.name: linear.written(self.recipe.bits, heads.values())}
        if self.recipe.kinds:
            kinds = kind_heads(self.recipe, self.X, self.rows, self.learned, self.names)
            files[f"{self.recipe.name}_kinds"] = linear.written(KIND_BITS, kinds.values())
        WEIGHTS.mkdir(exist_ok=True)
        for name, data in files.items():
            (WEIGHTS / f"{name}.bin").write_bytes(data)
        told = {} if self.vectors is None else {"vectors": self.vectors.about()}
        return {
            **told,
            "files": {
                f"{name}.bin": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, data in files.items()
            },
            "sources": sources(
                [row for row, use in zip(self.rows, self.learned, strict=True) if use and row.source != "tricks"]
            ),
        }


def sources(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Of each source its licence, how many rows, and a hash of them."""
    parts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        parts[row.source, row.licence].append(f"{row.label}\t{row.text}")
    return [
        {"source": source, "licence": licence, "rows": len(texts), "sha256": _digest(texts)}
        for (source, licence), texts in sorted(parts.items())
    ]


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()


def evasions(recipe: Recipe) -> None:
    """Prints the recall of the shipped weights on short positives, plain and with each trick."""
    texts = [row.text for row in recipe.dev() if row.positive and row.text.isascii() and 20 <= len(row.text) <= 800]
    scanner = recipe.scanner(dict(recipe.options))
    plain = sum(scanner.scan(text).triggered for text in texts) / len(texts)
    print(f"{'plain':12} {plain:.3f} of {len(texts)}")
    for name, trick in TRICKS.items():
        found = sum(scanner.scan(trick(text)).triggered for text in texts) / len(texts)
        print(f"{name:12} {found:.3f}  {found / plain:.0%} of plain")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*RECIPES, []])
    parser.add_argument("--data", help="the folder that has NAME.jsonl for each scanner")
    parser.add_argument("--vectors", type=Path, help="the folder with vectors of words, for models that know them")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--evasions", action="store_true")
    parser.add_argument("--parts", action="store_true", help="figures by part of a source")
    parser.add_argument("--wrong", type=int, default=0, help="so many wrong answers are printed")
    asked = parser.parse_args()
    if asked.data:
        os.environ[DATA] = asked.data
    names = asked.names or list(RECIPES)
    vectors = None
    if not asked.evasions and any(RECIPES[name].meaning for name in names):
        if asked.vectors is None:
            parser.error("--vectors: name the folder with vectors of words")
        vectors = WordVectors(asked.vectors)
    path = WEIGHTS / "manifest.json"
    manifest = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        recipe = RECIPES[name]
        if asked.evasions:
            evasions(recipe)
            continue
        trainer = Trainer(recipe, vectors if recipe.meaning else None)
        point, slope = trainer.check(asked.parts, asked.wrong)
        if not asked.check:
            manifest[name] = trainer.write(point, slope)
            path.write_text(json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
