"""How good the scanners of personal data are with weights that have not seen the texts."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scanners"), str(ROOT / "tools")]

from tagger_rows import FILES, PLACES, Row, Rows, fold, learnt, without_templates  # noqa: E402

from promptrails_engine.ports.scanner import Scanner, Verdict  # noqa: E402
from promptrails_scanners.personal import tagger, weights  # noqa: E402

SETTINGS = ("strict", "middle", "thorough")
VALUES = frozenset(
    {
        "PERSON",
        "ADDRESS",
        "CREDIT_CARD",
        "EMAIL_ADDRESS",
        "IBAN_CODE",
        "IP_ADDRESS",
        "PHONE_NUMBER",
        "PREFIX",
        "US_DRIVER_LICENSE",
        "US_SSN",
    }
)
"""The labelled kinds that the scanners look for; of the others, as organisations, nothing is expected."""
GUESSED = ("PERSON", "ADDRESS")
BY_FORM = frozenset({"CREDIT_CARD", "CRYPTO", "EMAIL", "IP", "MAC", "PHONE"})
OTHERS = frozenset({"DATE", "PATTERN", "PH_MOBILE_NUMBER", "SPACY", "STANZA", "TRANSFORMERS", "TR_PHONE_NUMBER", "URL"})
"""Slices of rows with what no state issues; all others are named after what a state does."""
COVERED = 0.8
"""A value is found where so much of it is."""
Train = Callable[[Sequence[Row], int], bytes]
Texts = Sequence[tuple[Row, Verdict]]


@dataclass
class Counts:
    """What was found in the rows of a file."""

    texts: dict[tuple[bool, bool], int] = field(default_factory=lambda: defaultdict(int))
    """By label and by whether it triggered."""
    values: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    """For each kind: values, those that were found, those that stand in the redacted text somewhere."""
    places: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """For each kind: places that were told, those that touch a value of this kind."""

    def add(self, row: Row, verdict: Verdict) -> None:
        """Counts one more row."""
        found = [(one.start, one.end, one.type) for one in verdict.findings]
        if row.get("structured_only"):  # its names are not labelled, and do not count
            found = [one for one in found if one[2] not in GUESSED]
        self.texts[bool(row["label"]), bool(found)] += 1
        labelled = [tuple(one) for one in row.get("spans") or []]
        covered = {at for start, end, _ in found for at in range(start, end)}
        for start, end, kind in labelled:
            if kind in VALUES:
                counts = self.values[kind]
                counts[0] += 1
                counts[1] += sum(at in covered for at in range(start, end)) >= COVERED * (end - start)
                counts[2] += row["text"][start:end] in (verdict.redacted or "")
        for start, end, kind in found:
            fitting = PLACES if kind == "ADDRESS" else {kind}
            counts = self.places[kind]
            counts[0] += 1
            counts[1] += any(a < end and b > start and told in fitting for a, b, told in labelled)

    def lines(self) -> Iterator[str]:
        """The figures."""
        texts = self.texts
        precision = part(texts[True, True], texts[True, True] + texts[False, True])
        recall = part(texts[True, True], texts[True, True] + texts[True, False])
        alarms = texts[False, True]
        yield (
            f"texts: precision {precision:.3f} recall {recall:.3f} "
            f"F1 {part(2 * precision * recall, precision + recall):.3f} "
            f"false alarms {part(alarms, alarms + texts[False, False]):.3f} ({alarms})"
        )
        for kind in GUESSED:
            values, found, left = self.values[kind]
            told, right = self.places[kind]
            share, precision = part(found, values), part(right, told)
            yield f"{kind}: {found} of {values} ({share:.3f}), precision {precision:.3f}, left {left}"
        others = [counts for kind, counts in self.values.items() if kind not in GUESSED]
        values, found, left = (sum(counts[at] for counts in others) for at in range(3))
        yield f"others: {found} of {values}, left {left}"
        left, values = (sum(counts[at] for counts in self.values.values()) for at in (2, 0))
        yield f"left of all: {left} of {values} ({part(left, values):.3f})"


def part(some: float, of: float) -> float:
    return some / of if of else 0.0


@contextmanager
def using(packed: bytes) -> Iterator[None]:
    """The scanners use these weights, and keep nothing that they found with others."""
    loaded = weights.unpack(packed)
    model, likely = weights.model, tagger.likely
    vars(weights).update(model=lambda: loaded)
    vars(tagger).update(likely=vars(likely)["__wrapped__"])
    tagger.forget()
    try:
        yield
    finally:
        vars(weights).update(model=model)
        vars(tagger).update(likely=likely)
        tagger.forget()


def crossed(rows: Rows, train: Train, folds: int, kept: Path | None = None) -> Iterator[tuple[str, int, bytes]]:
    """For each file and part of its rows weights that were trained without its templates."""
    every = learnt(rows)
    for at in range(folds):
        documents = [row for row in rows["anonymize"] if fold(row, folds) == at]
        of_fold = {
            "fold": [row for row in every if fold(row, folds) != at],
            "documents": without_templates(every, documents),
        }
        for name, some in of_fold.items():
            path = kept / f"{name}-{at}-of-{folds}.bin" if kept is not None else None
            known = path.read_bytes() if path is not None and path.exists() else None
            packed = known or train(some, at)
            if path is not None:
                path.write_bytes(packed)
            for file in ("pii", "sensitive") if name == "fold" else ("anonymize",):
                yield file, at, packed


def counted(scan: Scanner, rows: Sequence[Row], packed: bytes, counts: Mapping[str, Counts]) -> None:
    """Adds what the scanner finds in the rows, for all of them and for each source."""
    with using(packed):
        for row in rows:
            verdict = scan.scan(row["text"])
            for name in ("all", row["source"]):
                counts[name].add(row, verdict)


def built(file: str, config: Mapping[str, Any]) -> Scanner:
    scanner: Scanner = import_module(f"promptrails_scanners.{file}").build(config)
    return scanner


def check(rows: Rows, train: Train, folds: int, engines: Sequence[str], kept: Path | None = None) -> None:
    """Prints the figures of the pages, by file, engine and setting: each text is read with the weights of its part."""
    models = {(file, at): packed for file, at, packed in crossed(rows, train, folds, kept)}
    for engine in engines:
        for file in FILES:
            for names in SETTINGS if file != "anonymize" else ("thorough",):
                scan = built(file, {"engine": engine, "names": names})
                counts: dict[str, Counts] = defaultdict(Counts)
                for at in range(folds):
                    counted(scan, [row for row in rows[file] if fold(row, folds) == at], models[file, at], counts)
                show(f"{file}, {engine}, {names}", counts)


def without_sources(rows: Rows, train: Train, sources: Sequence[str]) -> None:
    """Prints the figures on each source with weights that have seen nothing of it."""
    for source in sources:
        packed = train([row for row in learnt(rows) if source not in row["source"]], 0)
        for file in ("pii", "sensitive"):
            test = [row for row in rows[file] if source in row["source"]]
            for names in SETTINGS if test else ():
                counts: dict[str, Counts] = defaultdict(Counts)
                counted(built(file, {"engine": "builtin", "names": names}), test, packed, counts)
                show(f"{file} without {source}, {names}", {"all": counts["all"]})


def fixtures(rows: Sequence[Row], engines: Sequence[str]) -> None:
    """Prints what is found of rows with a value each, rightly and falsely, by what their `slice` says that they are."""
    for engine in engines:
        scan = built("pii", {"engine": engine})
        counts = {name: [0, 0, 0, 0] for name in ("by form", "issued", "all")}
        for row in rows:
            triggered, at = scan.scan(row["text"]).triggered, 0 if row["label"] else 2
            group = "by form" if row["slice"] in BY_FORM else None if row["slice"] in OTHERS else "issued"
            for some in {group, "all"} - {None}:
                counts[str(some)][at] += triggered
                counts[str(some)][at + 1] += 1
        for name, (found, values, alarms, harmless) in counts.items():
            print(f"fixtures, {engine}, {name}: {found} of {values}, falsely {alarms} of {harmless}", flush=True)


def show(name: str, counts: Mapping[str, Counts]) -> None:
    print(f"== {name}")
    for source, some in counts.items():
        lines = list(some.lines())
        for line in lines if source == "all" else lines[:2]:
            print(f"   {'' if source == 'all' else source[:32] + ' '}{line}", flush=True)
